"""Each need of RULES taken out, one at a time, is noticed: in a world where nothing but that need stands in the way,
the act is denied with it and gets through without it.

The worlds are made workspaces over the demo's Slurm program, read by the real tools. Where no world can show a need
unmet, since the tool itself refuses before (`turned`), the tool's own reading is turned into a no.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import wandb_worlds
from lab import HOUR, NOW, Lab
from stage import PLAN, Stage
from test_acts import MAKEFILE, sweep, train
from test_file_acts import best, dead, finished, fresh, linked, live, nobodys, old, old_log, queued
from wandb_worlds import Case

from agent.models.playbook import Playbook
from agent.needs import TYPED, TYPED_OR_SWEEP, Rule
from agent.rules import RULES
from tools.actions.archive import ARCHIVE_LOGS
from tools.actions.cancel import SCANCEL
from tools.actions.documents import UPDATE_ACTIVE_SWEEPS
from tools.actions.empty import EMPTY_TRASH
from tools.actions.launch import LAUNCH
from tools.actions.remove import REMOVE_CHECKPOINTS
from tools.actions.resume import RESUME
from tools.acts import Observation, Proposal
from tools.base import Context
from tools.sources.command import user_name
from tools.sources.index import TRASH

FIXTURES = Path(__file__).parents[1] / "fixtures"
DIVERGED = "".join(f"epoch {epoch}/100 loss=nan\n" for epoch in range(30, 36))


def _cancel(**more: Any) -> Case:
    return Case(SCANCEL, {"job_id": "7_1", "plan": PLAN}, **more)


def _resume(run: str = "aaa1", **more: Any) -> Case:
    return Case(RESUME, {"run": run, "plan": PLAN}, **more)


def _launch(**more: Any) -> Case:
    return Case(LAUNCH, {"sweep": "sw1", "plan": PLAN}, **more)


def _document(**more: Any) -> Case:
    return Case(UPDATE_ACTIVE_SWEEPS, {}, **more)


def _archive(log: str = "old.out", **more: Any) -> Case:
    return Case(ARCHIVE_LOGS, {"plan": PLAN, "paths": [f"logs/{log}"]}, **more)


def _remove(path: str = "outputs/fff1/checkpoint-100", **more: Any) -> Case:
    return Case(REMOVE_CHECKPOINTS, {"plan": PLAN, "paths": [path]}, **more)


def turned(case: Case, kind: str) -> Case:
    """The same, but the tool saw that ``kind`` is not so."""
    tool = case.tool

    def propose(context: Context, args: Any) -> Sequence[Proposal]:
        proposals = tool.propose(context, args)
        assert all(any(one.kind == kind and one.value is True for one in proposal.seen) for proposal in proposals)
        return [
            replace(one, seen=tuple(replace(seen, value=seen.value and seen.kind != kind) for seen in one.seen))
            for one in proposals
        ]

    return replace(case, tool=replace(tool, propose=propose))


# --- worlds in which the act is allowed ------------------------------------------------------------------


def diverged_job(lab: Lab) -> Case:
    train(lab, "7_1", "aaa1", "RUNNING", DIVERGED)
    return _cancel()


def job_that_trains(lab: Lab) -> Case:
    train(lab, "7_1", "aaa1", "RUNNING")
    return _cancel(typed="7_1")


def preempted_run(lab: Lab, run: str = "aaa1") -> Case:
    lab.file("Makefile", MAKEFILE)
    train(lab, "7_1", run)
    return _resume(run)


def run_of_a_maybe(lab: Lab) -> Case:
    lab.file("Makefile", MAKEFILE)
    train(lab, "7_1", "aaa1", "FAILED", "epoch 30/100\nValueError: what\n", exit="1:0")
    return _resume(typed="aaa1")


def live_sweep(lab: Lab) -> Case:
    sweep(lab)
    return _launch()


def quiet_sweep(lab: Lab) -> Case:
    sweep(lab, state="FAILED")
    return _launch(typed="sw1")


def document(lab: Lab) -> Case:
    train(lab, "7_1", "aaa1", "RUNNING")
    return _document()


def archivable_log(lab: Lab) -> Case:
    old_log(lab, "old.out")
    return _archive()


def unneeded_checkpoint(lab: Lab) -> Case:
    finished(lab)
    return _remove()


def checkpoint_of_no_run(lab: Lab) -> Case:
    nobodys(lab)
    return _remove("models/step-5.pt", typed="models/step-5.pt")


def full_trash(lab: Lab, run: str = "fff1") -> Case:
    (finished if run == "fff1" else dead)(lab)
    context = Context(lab.place(), lambda: NOW)
    (proposal,) = REMOVE_CHECKPOINTS.propose(context, REMOVE_CHECKPOINTS.parse({"runs": [run], "plan": PLAN}))
    assert REMOVE_CHECKPOINTS.perform(context, proposal.action).code == 0
    return Case(EMPTY_TRASH, {"plan": PLAN})


# --- the same, but for one need ---------------------------------------------------------------------------


def ended_and_still_listed(lab: Lab) -> Case:
    """squeue lists an ended job for MinJobAge, five minutes."""
    case = job_that_trains(lab)
    queue = lab.bin / "squeue"
    queue.write_text(queue.read_text().rstrip() + " | sed 's/RUNNING  /COMPLETED/'\n")
    return case


def somebody_elses(lab: Lab) -> Case:
    """A squeue that goes by its own mind, such as a wrapper of the site."""
    case = job_that_trains(lab)
    mine, queue = user_name(), lab.bin / "squeue"
    other = "x" * len(mine)
    queue.write_text(queue.read_text().rstrip() + f" | sed 's/{mine}  /{other}  /'\n")
    return case


def trained_by_another_job(lab: Lab) -> Case:
    lab.file("Makefile", MAKEFILE)
    train(lab, "7_1", "aaa1", end=NOW - 5 * HOUR)
    train(lab, "8", "aaa1", "RUNNING", start=NOW - HOUR)
    return _resume(typed="aaa1")


def queued_already(lab: Lab) -> Case:
    case = preempted_run(lab)
    lab.job("8", "PENDING", command="run.sbatch sw1 aaa1", submit_args="run.sbatch sw1 aaa1")
    return case


def without_a_checkpoint(lab: Lab) -> Case:
    preempted_run(lab)
    shutil.rmtree(lab.workspace / "outputs")
    return _resume(typed="aaa1")


def marked_as_preempting(lab: Lab) -> Case:
    (folder,) = (FIXTURES / "wandb" / "0.31.0" / "preempted").iterdir()
    shutil.copytree(folder, lab.workspace / "wandb" / folder.name)
    return preempted_run(lab, "pr33mpt0")


def config_error(lab: Lab) -> Case:
    preempted_run(lab)
    error = "omegaconf.errors.ConfigAttributeError: Key 'lr_decay' is not in struct\n"
    train(lab, "7_2", "bbb2", "FAILED", "epoch 30/100\n" + error, exit="1:0")
    return _resume("bbb2", typed="bbb2")


def config_missing(lab: Lab) -> Case:
    case = preempted_run(lab)
    train(lab, "7_2", "bbb2")
    lab.file("outputs/bbb2/hydra_config.yaml", "lr: 1\n")
    return case


def paused_sweep(lab: Lab) -> Case:
    """Its id was typed, and yet an agent would get no run."""
    wandb_worlds.served(lab, "PAUSED")
    return replace(live_sweep(lab), typed="sw1")


def launches_one_run(lab: Lab) -> Case:
    """The project file's own command starts a run that is there."""
    lab.layout = {"launch": "sbatch experiments/sweep.sbatch {sweep} aaa1"}
    return live_sweep(lab)


def offline_bayes(lab: Lab) -> Case:
    sweep(lab, "bayes", "export WANDB_MODE=offline\nwandb agent $1\n")
    return _launch()


def slurm_silent(lab: Lab) -> Case:
    case = document(lab)
    for name in ("squeue", "sacct"):
        lab.program(name, "exit 1")
    return case


def linked_away(lab: Lab) -> Case:
    (lab.workspace.parent / "elsewhere.md").write_text("")
    (lab.workspace / "ACTIVE_SWEEPS.md").symlink_to(lab.workspace.parent / "elsewhere.md")
    return document(lab)


def written_by_a_live_job(lab: Lab) -> Case:
    live(lab)
    old(lab.workspace / "logs" / "7_3.out", 40)
    return _archive("7_3.out")


def log_of_a_dead_run(lab: Lab) -> Case:
    dead(lab)
    old(lab.workspace / "logs" / "7_2.out", 40)
    return _archive("7_2.out")


def young_log(lab: Lab) -> Case:
    lab.file("logs/old.out", "x\n")
    return _archive()


def name_taken(lab: Lab) -> Case:
    lab.file("logs/archive/old.out", "x\n")
    return archivable_log(lab)


def place_is_a_link(lab: Lab, name: str, case: Case) -> Case:
    (lab.workspace.parent / "elsewhere").mkdir()
    (lab.workspace / name).symlink_to(lab.workspace.parent / "elsewhere")
    return case


def after(made: Callable[[Lab], None], path: str = "outputs/fff1/checkpoint-100") -> Callable[[Lab], Case]:
    def world(lab: Lab) -> Case:
        made(lab)
        return _remove(path)

    return world


def last_one_gone(lab: Lab) -> Case:
    case = full_trash(lab, "ddd1")
    shutil.rmtree(lab.workspace / "outputs")
    return case


ALLOWED: Mapping[tuple[str, str], Callable[[Lab], Case]] = {
    ("cancel", "not_progressing"): diverged_job,
    ("cancel", "typed"): job_that_trains,
    ("resume", "cause_allows"): preempted_run,
    ("resume", "typed"): run_of_a_maybe,
    ("launch", "accepts_agents"): live_sweep,
    ("launch", "typed"): quiet_sweep,
    ("remove", "tied"): unneeded_checkpoint,
    ("remove", "typed"): checkpoint_of_no_run,
    **wandb_worlds.ALLOWED,
}
"""Worlds in which it is this one of a rule's alternatives that allows the act."""
DENIED: Mapping[tuple[str, str], Callable[[Lab], Case]] = {
    ("cancel", "queued"): ended_and_still_listed,
    ("cancel", "mine"): somebody_elses,
    ("cancel", "one_task"): lambda lab: turned(diverged_job(lab), "one_task"),
    ("cancel", "checkpoint_known"): lambda lab: turned(diverged_job(lab), "checkpoint_known"),
    ("cancel", "settled"): lambda lab: replace(diverged_job(lab), begun=True),
    ("resume", "mine"): lambda lab: turned(preempted_run(lab), "mine"),
    ("resume", "loadable"): without_a_checkpoint,
    ("resume", "not_live"): trained_by_another_job,
    ("resume", "not_queued"): queued_already,
    ("resume", "not_pending_at_wandb"): marked_as_preempting,
    ("resume", "mended"): config_error,
    ("resume", "config_there"): config_missing,
    ("resume", "command"): lambda lab: turned(preempted_run(lab), "command"),
    ("resume", "settled"): lambda lab: replace(preempted_run(lab), begun=True),
    ("launch", "command"): lambda lab: turned(live_sweep(lab), "command"),
    ("launch", "sweep_exists"): lambda lab: turned(live_sweep(lab), "sweep_exists"),
    ("launch", "not_over"): paused_sweep,
    ("launch", "names_no_run"): launches_one_run,
    ("launch", "runs_online"): offline_bayes,
    ("launch", "settled"): lambda lab: replace(live_sweep(lab), begun=True),
    ("document", "wanted"): lambda lab: replace(document(lab), wanted=False),
    ("document", "in_workspace"): linked_away,
    ("document", "jobs_seen"): slurm_silent,
    ("archive", "mine"): lambda lab: turned(archivable_log(lab), "mine"),
    ("archive", "not_live"): written_by_a_live_job,
    ("archive", "not_needed"): log_of_a_dead_run,
    ("archive", "quiet"): young_log,
    ("archive", "same_place"): lambda lab: place_is_a_link(lab, "logs/archive", archivable_log(lab)),
    ("archive", "free"): name_taken,
    ("archive", "settled"): lambda lab: replace(archivable_log(lab), begun=True),
    ("remove", "mine"): lambda lab: turned(unneeded_checkpoint(lab), "mine"),
    ("remove", "not_live"): after(live, "outputs/lll1/checkpoint-100"),
    ("remove", "not_queued"): after(queued, "outputs/ddd1/checkpoint-100"),
    ("remove", "not_newest"): after(dead, "outputs/ddd1/checkpoint-300"),
    ("remove", "not_best"): after(best),
    ("remove", "not_shared"): after(linked),
    ("remove", "quiet"): after(fresh),
    ("remove", "same_place"): lambda lab: place_is_a_link(lab, TRASH, unneeded_checkpoint(lab)),
    ("remove", "settled"): lambda lab: replace(unneeded_checkpoint(lab), begun=True),
    ("empty", "mine"): lambda lab: turned(full_trash(lab), "mine"),
    ("empty", "ours"): lambda lab: turned(full_trash(lab), "ours"),
    ("empty", "in_roots"): lambda lab: turned(full_trash(lab), "in_roots"),
    ("empty", "still_loads"): last_one_gone,
    ("empty", "settled"): lambda lab: replace(full_trash(lab), begun=True),
    **wandb_worlds.denied(turned),
}
"""Worlds in which nothing but this need stands in the way."""


class Scene:
    """A world and a person who says no: whether an act gets as far as to them."""

    def __init__(self, lab: Lab, state: Path, case: Case) -> None:
        self.now = NOW
        self.case, self.stage = case, Stage(state, Playbook(), lab.place(), lambda: self.now)
        self.stage.context.sleep = self._sleep
        seen = [("typed", case.typed)] if case.typed else []
        seen += [("wanted", "ACTIVE_SWEEPS.md")] if case.wanted else []
        self.stage.guard.ledger.see(Observation(kind, subject, True, NOW, "terminal") for kind, subject in seen)
        if case.begun:
            (proposal,) = case.tool.propose(self.stage.context, case.tool.parse(case.values))
            content = {"act": "0", "verb": case.tool.verb, "action": proposal.action.to_record(), "digest": ""}
            self.stage.audit.append("intended", NOW, content)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def gets_through(self) -> str | None:
        """None where it does, else why not."""
        self.stage.context.forget()
        (told,) = self.stage.guard.act([(self.case.tool, self.case.values)])
        assert all(request.fits for request in self.stage.person.asked)
        return None if told.state in {"declined", "done"} else told.text


def _without(verb: str, kinds: set[str]) -> Rule:
    rule = RULES[verb]
    all_of, any_of = (tuple(one for one in needs if one.kind not in kinds) for needs in (rule.all_of, rule.any_of))
    return replace(rule, all_of=all_of, any_of=any_of)


def test_every_need_of_every_rule_has_its_world() -> None:
    assert set(DENIED) == {(verb, need.kind) for verb, rule in RULES.items() for need in rule.all_of}
    assert set(ALLOWED) == {(verb, need.kind) for verb, rule in RULES.items() for need in rule.any_of}


def noticed_all_of(verb: str, kind: str, lab: Lab, state: Path, patch: pytest.MonkeyPatch) -> None:
    """Denied with the need alone in the way, and let through once the rule lacks it."""
    scene = Scene(lab, state, DENIED[verb, kind](lab))
    need = next(need for need in RULES[verb].all_of if need.kind == kind)
    why = scene.gets_through()
    assert why is not None and need.says in why and need.help in why
    assert why.count("needed that") == 1, "nothing else stands in the way"
    patch.setitem(RULES, verb, _without(verb, {kind}))  # type: ignore[arg-type]
    assert scene.gets_through() is None, f"{kind} is not what denied it"


def noticed_any_of(verb: str, kind: str, lab: Lab, state: Path, patch: pytest.MonkeyPatch) -> None:
    """Allowed by this alternative alone: denied once the rule lacks it, let through where it asks for none."""
    case = ALLOWED[verb, kind](lab)
    assert Scene(lab, state, case).gets_through() is None
    others = {need.kind for need in RULES[verb].any_of} - {kind}
    patch.setitem(RULES, verb, _without(verb, {kind}))  # type: ignore[arg-type]
    assert Scene(lab, state, case).gets_through() is not None, f"{kind} is not what allowed it"
    patch.setitem(RULES, verb, _without(verb, {kind, *others}))  # type: ignore[arg-type]
    assert Scene(lab, state, case).gets_through() is None


BY_SWEEP: Mapping[str, Callable[[Lab], Case]] = {
    "cancel": job_that_trains,
    "resume": run_of_a_maybe,
    "stop": wandb_worlds.run_that_trains,
}
"""Worlds of an act on one run of sw1, which nothing but a typed id allows."""


@pytest.mark.parametrize("verb", BY_SWEEP)
def test_the_sweeps_id_names_one_of_its_runs_for_a_cancel_alone(
    verb: str, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(lab, tmp_path / "state", replace(BY_SWEEP[verb](lab), typed="sw1"))
    why = scene.gets_through()
    assert (why is None) is (verb == "cancel") and (why is None or "only the id of its sweep sw1 was typed" in why)
    rule = RULES[verb]
    other = TYPED if verb == "cancel" else TYPED_OR_SWEEP
    any_of = tuple(other if need.kind == "typed" else need for need in rule.any_of)
    monkeypatch.setitem(RULES, verb, replace(rule, any_of=any_of))  # type: ignore[arg-type]
    assert (scene.gets_through() is None) is (verb != "cancel"), "the need is what decides"


@pytest.mark.parametrize(("verb", "kind"), DENIED)
def test_without_a_need_the_act_gets_through(
    verb: str, kind: str, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noticed_all_of(verb, kind, lab, tmp_path / "state", monkeypatch)


@pytest.mark.parametrize(("verb", "kind"), ALLOWED)
def test_without_an_alternative_the_act_is_denied_and_without_all_of_them_it_gets_through(
    verb: str, kind: str, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noticed_any_of(verb, kind, lab, tmp_path / "state", monkeypatch)
