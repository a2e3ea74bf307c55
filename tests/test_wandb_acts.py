"""What acts on W&B do to a stand-in service, over real HTTP and with W&B's own client, and what they leave alone."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lab import HOUR, NOW, Lab, ended, wandb_lines
from servers.faults import Lost, says
from servers.wandb import WandbServer
from stage import PLAN, Stage
from test_acts import MAKEFILE, train
from wandb_worlds import (
    CONFIG,
    FIXTURES,
    Case,
    anothers_run,
    config_to_sweep,
    hopeless_sweep,
    iso,
    offline_run,
    run_that_trains,
    run_to_note,
    served,
    sweep_to_cancel,
    sweep_to_end,
    sweep_to_pause,
    sweep_with_something_to_lose,
    synced_before,
    zombie,
)

from agent.models.playbook import Playbook
from agent.told import Told
from tools.actions import sync_offline, wandb_program
from tools.actions.documents import UPDATE_ACTIVE_SWEEPS
from tools.actions.launch import LAUNCH
from tools.actions.notes import EDIT_NOTES
from tools.actions.resume import RESUME
from tools.actions.sweep_state import SET_SWEEP_STATE
from tools.acts import Action, Observation, Ran
from tools.base import Context

SW1 = ("lab", "proj", "sw1")
AAA1 = ("lab", "proj", "aaa1")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def act(lab: Lab, state: Path, case: Case, says: str | None = None, **layout: Any) -> tuple[Told, Stage]:
    """The act, by a person who types what is asked for unless told otherwise."""
    now = [NOW]
    stage = Stage(state, Playbook(), lab.place(**layout), lambda: now[0])
    stage.context.sleep = lambda seconds: now.__setitem__(0, now[0] + seconds)
    stage.person.says = says
    if case.typed:
        stage.guard.ledger.see([Observation("typed", case.typed, True, NOW, "terminal")])
    (told,) = stage.guard.act([(case.tool, case.values)])
    return told, stage


def asked(stage: Stage) -> str:
    return " ".join(" ".join(stage.person.asked[0].lines).split())


class TestSweepState:
    def test_the_state_is_set_and_nothing_else_of_it(self, lab: Lab, state: Path) -> None:
        case = sweep_to_pause(lab)
        before = dict(lab.serve().world.sweeps[SW1])
        told, stage = act(lab, state, case)
        assert told.state == "done" and "it is PAUSED now: agents get no new runs until" in told.text
        assert stage.person.asked[0].confirm == "pause sweep sw1"
        assert lab.serve().world.sweeps[SW1] == {**before, "state": "PAUSED"}

    def test_cancelling_shows_what_it_ends_and_needs_its_id_typed(self, lab: Lab, state: Path) -> None:
        case = sweep_to_cancel(lab)
        told, stage = act(lab, state, case, says="no")
        assert told.state == "declined"
        assert "ENDS aaa1 job 7_1" in asked(stage)
        assert lab.serve().world.sweeps[SW1]["state"] == "RUNNING"

    def test_a_run_that_trains_on_another_cluster_is_one_that_it_ends(self, lab: Lab, state: Path) -> None:
        case = sweep_to_cancel(lab)
        lab.change("7_1", state="COMPLETED", end=NOW - HOUR)
        told, _ = act(lab, state / "1", replace(case, typed=""))
        assert told.state == "denied" and "it ends no run that trains" in told.text
        told, stage = act(lab, state / "2", case, says="no")
        assert told.state == "declined" and "ENDS aaa1 no job here has it" in asked(stage)

    def test_a_name_on_wandb_writes_no_line_of_the_request(self, lab: Lab, state: Path) -> None:
        case = sweep_to_pause(lab)
        lab.serve().world.sweeps[SW1]["displayName"] = "glue" + " " * 70 + "[ok] it is FINISHED" + " " * 80
        _, stage = act(lab, state, case, says="no")
        assert "sweep sw1 · 'glue [ok] it is FINISHED'  RUNNING, 1 runs" in stage.person.asked[0].lines[1]

    def test_a_server_that_says_no_changes_nothing_and_is_quoted(self, lab: Lab, state: Path) -> None:
        case = sweep_to_pause(lab)
        lab.serve().fail(says("permission denied"), on="SetSweepState")
        told, _ = act(lab, state, case)
        assert told.state == "failed" and "permission denied" in told.text and "it is RUNNING now" in told.text

    def test_a_lost_answer_is_settled_by_reading_and_sent_once(self, lab: Lab, state: Path) -> None:
        case = sweep_to_pause(lab)
        lab.serve().fail(Lost(), on="SetSweepState")
        told, _ = act(lab, state, case)
        assert told.state == "done" and "it is PAUSED now: agents get no new runs until" in told.text
        assert lab.serve().count("SetSweepState") == 1

    def test_an_act_is_of_one_server_and_is_sent_to_and_settled_on_no_other(self, lab: Lab, state: Path) -> None:
        case = sweep_to_pause(lab)
        first = lab.serve()
        with WandbServer(first.world) as second:
            stage = Stage(state, Playbook(), lab.place(), lambda: NOW)
            stage.person.says = None
            environ: dict[str, str] = stage.context.place.environ  # type: ignore[assignment]
            stage.person.meanwhile = lambda: environ.update(WANDB_BASE_URL=second.url)
            (told,) = stage.guard.act([(case.tool, case.values)])
            assert told.state == "denied" and f"server: {first.url} → {second.url}" in told.text
            (ready,) = SET_SWEEP_STATE.propose(Context(lab.place()), SET_SWEEP_STATE.parse(case.values))
            found = SET_SWEEP_STATE.settle(stage.context, ready.action, NOW, None)
            assert found.state == "unknown" and f"bound to {first.url}" in found.text
            assert second.count("SetSweepState") == first.count("SetSweepState") == 0

    def test_a_sweep_that_changed_since_the_approval_is_left_alone(self, lab: Lab, state: Path) -> None:
        case = sweep_to_pause(lab)
        stage = Stage(state, Playbook(), lab.place(), lambda: NOW)
        stage.person.says = None
        stage.person.meanwhile = lambda: lab.serve().world.sweeps[SW1].update(state="PENDING")
        (told,) = stage.guard.act([(case.tool, case.values)])
        assert told.state == "denied" and "changed after the approval" in told.text
        assert lab.serve().count("SetSweepState") == 0


class TestNotes:
    def test_the_notes_of_a_run_are_all_that_changes(self, lab: Lab, state: Path) -> None:
        case = run_to_note(lab, notes="old words", tags=["kept"])
        before = dict(lab.serve().world.runs[AAA1])
        told, stage = act(lab, state, case)
        assert told.state == "done"
        assert "old: old words new: a baseline" in asked(stage)
        assert lab.serve().world.runs[AAA1] == {**before, "notes": "a baseline"}

    def test_a_plan_keeps_no_secret_of_it(self, lab: Lab, state: Path) -> None:
        case, key = run_to_note(lab), "wandb_v1_" + "a1B2" * 15
        told, _ = act(lab, state, replace(case, values={**case.values, "text": f"run with {key}"}), says="nobody")
        assert told.state == "waits"
        assert all(key not in path.read_text() for path in state.rglob("*.json*"))

    def test_what_wandb_says_reaches_the_model_cleaned(self, lab: Lab, state: Path) -> None:
        case, key = anothers_run(lab), "wandb_v1_" + "a1B2" * 15
        lab.serve().world.runs["lab", "proj", "ooo1"]["user"] = {"username": f"bob\x1b[2J{key}"}
        told, _ = act(lab, state, case)
        assert told.state == "denied" and "\x1b" not in told.text and key not in told.text

    def test_a_job_of_the_same_name_makes_another_persons_run_nobody_elses(self, lab: Lab, state: Path) -> None:
        case = anothers_run(lab)
        lab.job("9", name="ooo1")
        told, _ = act(lab, state, case)
        assert told.state == "denied" and "started by bob" in told.text

    def test_all_of_the_new_text_is_shown_or_nobody_is_asked(self, lab: Lab, state: Path) -> None:
        case = run_to_note(lab)
        hidden = "fine" + "\u200b" * 100 + "but this"
        _, stage = act(lab, state / "1", replace(case, values={**case.values, "text": hidden}), says="no")
        assert "but this" in asked(stage)
        hidden = "fine" + "\n" * 400 + "but this"
        told, stage = act(lab, state / "2", replace(case, values={**case.values, "text": hidden}), says="no")
        assert told.state == "denied" and not stage.person.asked

    def test_the_description_of_a_sweep(self, lab: Lab, state: Path) -> None:
        case = run_to_note(lab)
        before = dict(lab.serve().world.sweeps[SW1])
        told, _ = act(lab, state, Case(case.tool, {"sweep": "sw1", "text": case.values["text"], "plan": PLAN}))
        assert told.state == "done", told.text
        assert lab.serve().world.sweeps[SW1] == {**before, "description": "a baseline"}


class TestStop:
    def test_the_wish_is_left_with_the_service_and_what_is_lost_is_shown(self, lab: Lab, state: Path) -> None:
        told, stage = act(lab, state, run_that_trains(lab))
        assert told.state == "done" and "wish to stop" in told.text
        assert "it IS making progress" in asked(stage) and "since checkpoint-300 (loads)" in asked(stage)
        assert lab.serve().world.runs[AAA1]["stopped"] is True


class TestResume:
    @pytest.mark.parametrize(("heard_s", "ended_s", "denied"), [(30, 1800, True), (30, 60, False), (900, 1800, False)])
    def test_not_while_wandb_hears_of_it_since_its_job_ended(
        self, lab: Lab, state: Path, heard_s: float, ended_s: float, denied: bool
    ) -> None:
        """It trains where no queue shows it: on another cluster, or by hand."""
        lab.file("Makefile", MAKEFILE)
        train(lab, "7_1", "aaa1", end=NOW - ended_s)
        served(lab, heartbeatAt=iso(NOW - heard_s))
        told, _ = act(lab, state, Case(RESUME, {"run": "aaa1", "plan": PLAN}), says="no")
        assert told.state == ("denied" if denied else "declined"), told.text
        assert ("no job here has it: it trains somewhere else" in told.text) is denied


class TestZombies:
    def test_a_run_of_a_sweep_is_ended_by_its_stream(self, lab: Lab, state: Path) -> None:
        told, stage = act(lab, state, zombie(lab))
        assert told.state == "done" and "W&B calls it failed now" in told.text
        assert "W&B lets nobody set the state of a run of a sweep" in asked(stage)

    def test_another_run_is_set_to_failed(self, lab: Lab, state: Path) -> None:
        case = zombie(lab, sweepName=None)
        told, _ = act(lab, state, case)
        assert told.state == "done" and lab.serve().world.runs[AAA1]["state"] == "failed"
        assert lab.serve().count("FailRun") == 1

    @pytest.mark.parametrize("ahead", [-HOUR, HOUR])
    def test_the_clock_that_counts_is_the_servers_own(self, lab: Lab, state: Path, ahead: float) -> None:
        """This machine's may be wrong by more than the half hour that makes a run silent."""
        lab.serve().ahead_s = -ahead  # the machine is ahead of the server
        case = zombie(lab, heartbeatAt=iso(NOW - ahead - 630))
        told, _ = act(lab, state, case)
        assert told.state == "denied" and "last heartbeat 10 min ago" in told.text
        row = next(row for row in lab.status().runs if row.run == "aaa1")
        assert row.heartbeat_age_s is not None and 620 <= row.heartbeat_age_s <= 640
        lab.serve().world.runs[AAA1]["heartbeatAt"] = iso(NOW - ahead - 2 * HOUR)
        told, _ = act(lab, state / "2", case)
        assert told.state == "done", told.text

    def test_a_server_that_does_not_tell_its_time_leaves_it_open(self, lab: Lab, state: Path) -> None:
        lab.serve().ahead_s = None
        told, _ = act(lab, state, zombie(lab))
        assert told.state == "denied" and "by W&B's own clock, which is not known" in told.text

    def test_it_is_not_closed_while_a_live_job_may_train_it(self, lab: Lab, state: Path) -> None:
        case = zombie(lab)
        lab.job("8", command="opaque.sh", submit_args="opaque.sh")
        told, _ = act(lab, state, case)
        assert told.state == "denied" and "job 8 runs, and which run it trains is not known" in told.text
        told, stage = act(lab, state / "2", replace(case, typed="8"), says="no")
        assert told.state == "declined" and "by your word alone: job 8 runs" in asked(stage)

    def test_a_run_of_the_same_id_in_another_project_is_another_run(self, lab: Lab, state: Path) -> None:
        case = zombie(lab)  # of lab/proj, two hours silent
        lab.job("7_8", "COMPLETED")
        lab.file("logs/7_8.out", wandb_lines("aaa1", "sw9").replace("lab/proj", "lab/other"))
        told, _ = act(lab, state, case)
        assert told.state == "denied" and "aaa1 is of another project" in told.text
        assert {row.wandb_state for row in lab.status().runs if row.run == "aaa1"} == {None}


class TestCreate:
    def test_runs_that_died_of_an_error_in_it_are_told_until_it_is_mended(self, lab: Lab, state: Path) -> None:
        case = config_to_sweep(lab)
        error = "omegaconf.errors.ConfigAttributeError: Key 'lr_decay' is not in struct\n"
        words = "experiments/sweep.sbatch experiments/glue.yaml lab/proj/sw1"
        train(lab, "7_1", "aaa1", "FAILED", "epoch 3/100\n" + error, exit="1:0", submit_args=words, end=NOW - HOUR)
        config = lab.workspace / "experiments" / "glue.yaml"
        for number, (changed, told) in enumerate(((NOW - 9 * HOUR, True), (NOW, False))):
            os.utime(config, (changed, changed))
            _, stage = act(lab, state / str(number), case, says="no")
            said = "NOT MENDED: 1 run of this config died of a config error, and it was not changed since"
            assert (said in asked(stage)) is told

    def test_the_real_client_makes_it_under_the_name_by_the_rule(self, lab: Lab, state: Path) -> None:
        told, stage = act(lab, state, config_to_sweep(lab))
        assert told.state == "done", told.text
        (made,) = lab.serve().world.sweeps.values()
        assert made["name"] in told.text and "name: glue" in made["config"]
        assert "sweep --entity lab --project proj --name glue /" in asked(stage)

    def test_a_config_that_changed_since_the_approval_is_not_used(self, lab: Lab, state: Path) -> None:
        case = config_to_sweep(lab)
        stage = Stage(state, Playbook(), lab.place(), lambda: NOW)
        stage.person.says = None
        stage.person.meanwhile = lambda: lab.file("experiments/glue.yaml", CONFIG.replace("0.1", "0.9"))
        (told,) = stage.guard.act([(case.tool, case.values)])
        assert told.state == "denied" and not lab.serve().world.sweeps

    def test_agents_of_the_new_sweep_are_launched_next(self, lab: Lab, state: Path) -> None:
        act(lab, state, config_to_sweep(lab))
        (made,) = (where[2] for where in lab.serve().world.sweeps)
        lab.program("sbatch", "echo Submitted batch job 77")
        lab.file("sweep.sbatch", "#!/bin/sh\nwandb agent $1\n")
        case = Case(LAUNCH, {"sweep": made, "count": 2, "plan": PLAN})
        told, stage = act(lab, state, case, launch="sbatch -a 0-63 sweep.sbatch {entity}/{project}/{sweep}")
        assert told.state == "done" and "77" in told.text, told.text
        assert f"--array=0-1 sweep.sbatch lab/proj/{made}" in asked(stage)


class TestSync:
    def test_every_row_goes_up_once_and_the_second_time_is_refused(self, lab: Lab, state: Path) -> None:
        case = offline_run(lab)
        told, _ = act(lab, state, case)
        assert told.state == "done", told.text
        (run,) = lab.serve().world.runs.values()
        rows = len(run["rows"])
        assert rows > 0 and f"{rows} of {rows} rows went up" in told.text
        again, _ = act(lab, state / "2", case)
        assert again.state == "denied" and len(run["rows"]) == rows

    def test_a_torn_log_is_uploaded_once_though_the_client_leaves_no_mark(self, lab: Lab, state: Path) -> None:
        case = offline_run(lab)
        (log,) = (lab.workspace / "wandb").glob("*/run-*.wandb")
        log.write_bytes(log.read_bytes()[:-5])
        os.utime(log, (NOW - 2 * HOUR,) * 2)
        told, _ = act(lab, state, case)
        assert told.state == "done", told.text
        (run,) = lab.serve().world.runs.values()
        rows = len(run["rows"])
        again, _ = act(lab, state / "2", case)
        assert again.state == "denied" and "W&B holds" in again.text and len(run["rows"]) == rows

    def test_a_torn_log_keeps_none_of_the_others_from_going_up(self, lab: Lab, state: Path) -> None:
        case = offline_run(lab)
        other = next((FIXTURES / "0.31.0" / "long").glob("offline-run-*"))
        shutil.copytree(other, lab.workspace / "wandb" / other.name)
        (first,) = case.values["runs"]
        (log,) = (lab.workspace / "wandb").glob(f"*/run-{first}.wandb")
        log.write_bytes(log.read_bytes()[:-5])
        os.utime(log, (NOW - 2 * HOUR,) * 2)
        runs = [first, other.name.rpartition("-")[2]]
        told, _ = act(lab, state, replace(case, values={**case.values, "runs": runs}))
        assert told.state == "done", told.text

    def test_rows_that_the_service_counts_late_are_waited_for(self, lab: Lab, state: Path) -> None:
        case = offline_run(lab)
        stage = Stage(state, Playbook(), lab.place(), lambda: now[0])
        now, kept = [NOW], []

        def later(seconds: float) -> None:
            now[0] += seconds
            if now[0] > NOW + 5:
                lab.serve().world.runs.update(kept)

        def sent(context: Context, action: Action, timeout_s: float) -> Ran:
            ran = wandb_program.perform(context, action, timeout_s)
            kept.extend(lab.serve().world.runs.items())
            lab.serve().world.runs.clear()
            return ran

        stage.context.sleep, stage.person.says = later, None
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sync_offline, "wandb_program", SimpleNamespace(perform=sent, wandb=wandb_program.wandb))
            (told,) = stage.guard.act([(case.tool, case.values)])
        assert told.state == "done", told.text

    def test_rows_that_did_not_arrive_are_told_whatever_the_client_says(self, lab: Lab, state: Path) -> None:
        case = offline_run(lab)
        lab.serve().fail(says("gone", 404), on="POST file_stream")
        told, _ = act(lab, state, case)
        assert told.state == "failed" and "0 of" in told.text

    def test_what_is_there_already_is_appended_again_only_by_words_that_say_so(self, lab: Lab, state: Path) -> None:
        """The call asks for it, the person typed the run's id, and what they type in the end is the loss itself."""
        case = synced_before(lab)
        (run,) = case.values["runs"]
        told, _ = act(lab, state / "1", replace(case, values={**case.values, "again": False}))
        assert told.state == "denied" and "no row would be there twice, or that was asked for" in told.text
        told, _ = act(lab, state / "2", replace(case, typed=""))
        assert told.state == "denied" and "a person typed its id here" in told.text
        told, stage = act(lab, state / "3", case, says=f"sync {run}")
        assert told.state == "declined" and "APPENDED" in asked(stage)
        assert re.fullmatch(rf"append \d+ rows to {run}", stage.person.asked[0].confirm)

    def test_one_that_cannot_go_up_is_refused_beside_those_that_are_asked(self, lab: Lab, state: Path) -> None:
        case = offline_run(lab)
        other = next((FIXTURES / "0.31.0" / "long").glob("offline-run-*"))
        shutil.copytree(other, lab.workspace / "wandb" / other.name)
        (first,) = case.values["runs"]
        second = other.name.rpartition("-")[2]
        lab.serve().world.add_run(first, None, "fixtures", "lab", history=[{"loss": 1.0}], state="finished")
        lab.serve().world.add_run(first, None, "proj", "lab", history=[{"loss": 1.0}], state="finished")
        told, stage = act(lab, state, replace(case, values={**case.values, "runs": ["nosuch", first, second]}))
        assert stage.person.asked[0].confirm == f"sync {second}"
        assert "refused no offline run nosuch" in asked(stage) and f"refused sync {first}: needed" in asked(stage)
        assert told.state == "denied", "as good as its worst"
        assert f"DONE: sync {second}" in told.text and told.text.count("DENIED") == 2

    def test_the_labs_own_command_is_started_where_it_is_named(self, lab: Lab, state: Path) -> None:
        case = offline_run(lab)
        lab.program("sbatch", "echo Submitted batch job 77")
        lab.file("scripts/sync_all_offline.sbatch", "#!/bin/sh\nwandb sync --sync-all\n")
        told, stage = act(lab, state, case, sync="sbatch scripts/sync_all_offline.sbatch")
        assert told.state == "done" and "77" in told.text
        assert "runs" in asked(stage) and "sync_all_offline.sbatch" in asked(stage)

    def test_the_persons_key_goes_to_no_server_that_only_the_workspace_names(self, lab: Lab, state: Path) -> None:
        case = offline_run(lab)
        server = lab.serve()
        stage = Stage(state, Playbook(), lab.place(), lambda: NOW)
        stage.person.says = None

        def redirected() -> None:
            lab.file(".env", f"WANDB_BASE_URL={server.url}\n")
            environ = stage.context.place.environ
            environ.pop("WANDB_BASE_URL")  # type: ignore[attr-defined]

        stage.person.meanwhile = redirected
        (told,) = stage.guard.act([(case.tool, case.values)])
        assert told.state in {"denied", "failed"} and "not" in told.text
        assert not server.world.runs

    @pytest.mark.parametrize("made", [offline_run, config_to_sweep])
    def test_nor_through_a_proxy_that_a_file_of_the_workspace_names(
        self, lab: Lab, state: Path, made: Callable[[Lab], Case]
    ) -> None:
        case = made(lab)
        with socket.create_server(("127.0.0.1", 0)) as proxy:
            proxy.setblocking(False)
            address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
            lab.file("wandb/settings", f"[default]\nhttp_proxy = {address}\nhttps_proxy = {address}\n")
            told, _ = act(lab, state, case)
            with pytest.raises(BlockingIOError):
                proxy.accept()
        assert told.state == "done", told.text


class TestEnd:
    def test_each_task_by_its_own_id_then_the_sweep_and_no_sibling(self, lab: Lab, state: Path) -> None:
        case = sweep_to_end(lab)
        train(lab, "8_1", "bbb1", "RUNNING")
        lab.file("logs/8_1.out", "another sweep's job\n")
        train(lab, "7_2", "aab2", "RUNNING")
        lab.serve().world.add_run("aab2", "sw1", "proj", "lab")
        calls = lab.cancels()
        told, stage = act(lab, state, case)
        assert told.state == "done", told.text
        assert calls.read_text() == "-- 7_1\n-- 7_2\n"
        assert "2 of 2 jobs ended; W&B calls it CANCELED" in told.text
        assert stage.person.asked[0].confirm == "cancel sweep sw1"
        assert "reason, for ACTIVE_SWEEPS.md: lr was <wrong>" in asked(stage)
        stage.guard.ledger.see([Observation("wanted", "ACTIVE_SWEEPS.md", True, NOW, "terminal")])
        (kept,) = stage.guard.act([(UPDATE_ACTIVE_SWEEPS, {})])
        assert kept.state == "done", kept.text
        text = (lab.workspace / "ACTIVE_SWEEPS.md").read_text()
        assert re.search(r"^- `sw1`: cancelled \d{4}-\d\d-\d\d \d\d:\d\d: lr was wrong$", text, re.M)
        states = {job.id: job.state for job in stage.context.look(0)[1].links for job in [job.job] if job}
        assert states["8_1"] == "RUNNING"

    def test_a_job_that_only_its_log_ties_to_the_sweep_is_left_alone_and_named(self, lab: Lab, state: Path) -> None:
        case = sweep_to_end(lab)
        train(lab, "9_1", "eee1", "RUNNING")  # its log prints the link of sw1; neither Slurm nor W&B knows of that
        calls = lab.cancels()
        told, stage = act(lab, state, case)
        assert told.state == "done" and calls.read_text() == "-- 7_1\n"
        assert "NOT cancelled: 9_1: only the log says it is of this sweep" in asked(stage)

    def test_a_job_that_has_gone_on_to_another_sweep_is_not_of_the_one_it_began_with(
        self, lab: Lab, state: Path
    ) -> None:
        case = sweep_to_end(lab)
        lab.file("logs/7_1.out", "")
        lab.file("logs/7_1.err", wandb_lines("aaa1", "sw1") + ended("aaa1") + wandb_lines("ccc1", "sw2"))
        world = lab.serve().world
        world.add_sweep("sw2", "proj", "lab")
        world.add_run("ccc1", "sw2", "proj", "lab")
        world.runs[AAA1]["state"] = "finished"
        calls = lab.cancels()
        told, _ = act(lab, state, case)
        assert told.state == "done" and not calls.exists()

    def test_without_scancel_nothing_is_ended_and_that_is_said(self, lab: Lab, state: Path) -> None:
        case = sweep_to_end(lab)
        (lab.bin / "scancel").unlink(missing_ok=True)
        told, _ = act(lab, state, case)
        assert told.state == "denied" and "scancel is not in" in told.text
        assert lab.serve().world.sweeps[SW1]["state"] == "RUNNING"

    def test_a_job_that_only_has_the_name_of_another_persons_run_does_not_make_it_mine(
        self, lab: Lab, state: Path
    ) -> None:
        case = sweep_to_end(lab)
        lab.serve().world.add_run("ooo1", "sw1", "proj", "lab", user={"username": "bob"})
        lab.job("99", "RUNNING", name="ooo1", stdout="(null)")
        told, stage = act(lab, state, case)
        assert told.state == "denied" and "it ends no run of another person" in told.text and not stage.person.asked

    def test_one_that_was_started_anew_in_between_keeps_the_sweep(self, lab: Lab, state: Path) -> None:
        case = sweep_to_end(lab)
        calls = lab.cancels()
        stage = Stage(state, Playbook(), lab.place(), lambda: NOW)
        stage.guard.ledger.see([Observation("typed", "sw1", True, NOW, "terminal")])
        stage.person.says = None
        stage.person.meanwhile = lambda: lab.change("7_1", start=NOW - 60, restarts=1)
        (told,) = stage.guard.act([(case.tool, case.values)])
        assert told.state == "denied" and not calls.exists()
        assert lab.serve().world.sweeps[SW1]["state"] == "RUNNING"

    def test_a_task_that_is_not_cancelled_keeps_the_sweep(self, lab: Lab, state: Path) -> None:
        case = sweep_to_end(lab)
        lab.program("scancel", "echo 'scancel: error: Kill job error' >&2; exit 1")
        told, _ = act(lab, state, case)
        assert told.state == "failed" and "the sweep on W&B was left as it is" in told.text
        assert lab.serve().world.sweeps[SW1]["state"] == "RUNNING"


class TestRestart:
    def test_the_new_sweep_is_made_before_the_old_one_is_touched(self, lab: Lab, state: Path) -> None:
        case = hopeless_sweep(lab)
        told, stage = act(lab, state, case)
        assert told.state == "done", told.text
        assert stage.person.asked[0].confirm == "restart sweep sw1"
        sweeps = {where[2]: sweep["state"] for where, sweep in lab.serve().world.sweeps.items()}
        assert sweeps.pop("sw1") == "CANCELED" and list(sweeps.values()) == ["RUNNING"]

    def test_where_it_can_not_be_made_the_old_one_stays(self, lab: Lab, state: Path) -> None:
        case = hopeless_sweep(lab)
        lab.serve().fail(says("no quota left"), on="UpsertSweep")
        told, _ = act(lab, state, case)
        assert told.state != "done"
        assert lab.serve().world.sweeps[SW1]["state"] == "RUNNING"

    def test_a_young_sweep_is_not_taken_for_the_new_one(
        self, lab: Lab, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        case = hopeless_sweep(lab)
        lab.serve().world.sweeps[SW1]["createdAt"] = iso(NOW - 20)
        monkeypatch.setattr(wandb_program, "perform", lambda context, action: Ran(0))  # which proves nothing
        told, _ = act(lab, state, case)
        assert told.state == "failed" and "the old one was left as it is" in told.text
        assert lab.serve().world.sweeps[SW1]["state"] == "RUNNING"

    def test_what_is_left_behind_must_be_typed_in_words(self, lab: Lab, state: Path) -> None:
        told, stage = act(lab, state, sweep_with_something_to_lose(lab), says="restart sweep sw1")
        assert told.state == "declined"
        assert stage.person.asked[0].confirm.startswith("lose ") and stage.person.asked[0].confirm.endswith(" of sw1")
        assert "LEFT BEHIND aaa1" in asked(stage)

    def test_what_trains_on_another_cluster_is_left_behind_too(self, lab: Lab, state: Path) -> None:
        case = hopeless_sweep(lab)
        lab.serve().world.add_run("zzz1", "sw1", "proj", "lab", heartbeatAt=iso(NOW), summary={"epoch": 50})
        told, stage = act(lab, state, case, says="restart sweep sw1")
        assert told.state == "declined" and stage.person.asked[0].confirm == "lose 50 epochs in 1 run of sw1"
        assert "LEFT BEHIND zzz1 epoch 50 trains now, no job here has it: W&B ENDS it" in asked(stage)

    def test_the_largest_losses_are_named_first_and_what_is_ended_is_said(self, lab: Lab, state: Path) -> None:
        case = sweep_with_something_to_lose(lab)
        for number in range(2, 10):
            nan = "epoch 90/100 loss=nan\n" * 6 if number == 9 else ""
            own = {"submit_args": "experiments/sweep.sbatch experiments/glue.yaml lab/proj/sw1"}
            train(lab, f"7_{number}", f"bbb{number}", "RUNNING", f"epoch {number}0/100\n{nan}", **own)
            lab.serve().world.add_run(f"bbb{number}", "sw1", "proj", "lab", heartbeatAt=iso(NOW))
        told, stage = act(lab, state, case, says="no")
        assert told.state == "declined", told.text
        text = asked(stage)
        named = re.findall(r"(bbb\d) epoch", text)
        assert named == [f"bbb{number}" for number in (9, 8, 7, 6, 5, 4, 3, 2)], "all are named, the furthest first"
        assert "LEFT BEHIND bbb9 epoch 90 DIVERGED (loss is not finite), 7_9 is CANCELLED; bbb8 epoch 80 trains" in text
        assert "bbb8 epoch 80 trains now, 7_8 is CANCELLED" in text
        assert "resuming would keep all of that; checkpoints stay on disk; no agents start" in text


def test_without_the_service_nothing_on_it_is_changed(lab: Lab, state: Path) -> None:
    train(lab, "7_1", "aaa1", "RUNNING")
    served(lab)
    lab.serve().fail(says("down", 500))
    told, _ = act(lab, state, Case(EDIT_NOTES, {"run": "aaa1", "text": "x", "plan": PLAN}))
    assert told.state == "denied" and "the W&B service was not read" in told.text


def test_a_command_may_hand_the_run_to_wandb_by_its_own_variables_and_its_program_is_fixed(
    lab: Lab, state: Path
) -> None:
    train(lab, "7_1", "aaa1")
    lab.file("train.sbatch", "#!/bin/sh\n")
    lab.program("sbatch", "echo Submitted batch job 9; echo $WANDB_RUN_ID $WANDB_RESUME >&2")
    line = "env WANDB_RUN_ID={run} WANDB_RESUME=must WANDB_SWEEP_ID={sweep} sbatch train.sbatch"
    told, stage = act(lab, state, Case(RESUME, {"run": "aaa1", "plan": PLAN}), resume=line)
    assert told.state == "done", told.text
    started = f"WANDB_RUN_ID=aaa1 WANDB_RESUME=must WANDB_SWEEP_ID=sw1 {lab.bin}/sbatch train.sbatch"
    assert started.replace(" ", "") in asked(stage).replace(" ", ""), "a long path is folded"
    assert "train.sbatch; not bound" in asked(stage)
