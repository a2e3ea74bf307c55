"""Made workspaces beside a stand-in W&B service, for acts on W&B: worlds in which one need alone stands in the way."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab import HOUR, NOW, Lab
from stage import PLAN
from test_acts import train

from tools.actions.cancel_sweep import CANCEL_SWEEP
from tools.actions.close_zombie import CLOSE_ZOMBIE_RUN
from tools.actions.create_sweep import CREATE_SWEEP
from tools.actions.notes import EDIT_NOTES
from tools.actions.restart_sweep import RESTART_SWEEP
from tools.actions.stop_run import STOP_RUN
from tools.actions.sweep_state import SET_SWEEP_STATE
from tools.actions.sync_offline import SYNC_OFFLINE
from tools.base import ActTool

FIXTURES = Path(__file__).parents[1] / "fixtures" / "wandb"
DIVERGED = "".join(f"epoch {epoch}/100 loss=nan\n" for epoch in range(30, 36))
CONFIG = "method: random\nprogram: train.py\nparameters:\n  lr: {values: [0.1, 0.2]}\n  epochs: {value: 100}\n"


@dataclass(frozen=True)
class Case:
    """One call, in a world that a scenario has made."""

    tool: ActTool
    values: Mapping[str, Any]
    typed: str = ""
    wanted: bool = True
    begun: bool = False
    """The same act was begun before, and nobody saw its end."""


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def served(lab: Lab, sweep_state: str = "RUNNING", **run: Any) -> None:
    """Sweep sw1 and its run aaa1 on the service, which heard of the run just now."""
    world = lab.serve().world
    world.add_sweep("sw1", "proj", "lab", state=sweep_state, displayName="glue")
    world.add_run("aaa1", "sw1", "proj", "lab", **{"heartbeatAt": iso(time.time()), **run})


def _call(tool: ActTool, values: Mapping[str, Any], **more: Any) -> Case:
    return Case(tool, {**values, "plan": PLAN}, **more)


# --- set


def sweep_to_pause(lab: Lab, state: str = "RUNNING") -> Case:
    train(lab, "7_1", "aaa1", "RUNNING")
    served(lab, state)
    return _call(SET_SWEEP_STATE, {"sweep": "sw1", "change": "pause"})


def sweep_to_cancel(lab: Lab) -> Case:
    return replace(sweep_to_pause(lab), values={"sweep": "sw1", "change": "cancel", "plan": PLAN}, typed="sw1")


def anothers_sweep(lab: Lab) -> Case:
    case = sweep_to_pause(lab)
    world = lab.serve().world
    world.add_sweep("bob1", "proj", "lab")
    world.add_run("ooo1", "bob1", "proj", "lab", state="preempted", user={"username": "bob"})
    return replace(case, values={**case.values, "sweep": "bob1"})


def anothers_sweep_to_end(lab: Lab) -> Case:
    case = anothers_sweep(lab)
    return _call(CANCEL_SWEEP, {"sweep": case.values["sweep"], "reason": "lr was wrong"}, typed="bob1")


def others_run_in_it(lab: Lab) -> Case:
    case = sweep_to_cancel(lab)
    lab.serve().world.add_run("ooo1", "sw1", "proj", "lab", user={"username": "bob"})
    return case


# --- note


def run_to_note(lab: Lab, **run: Any) -> Case:
    train(lab, "7_1", "aaa1", "RUNNING")
    served(lab, **run)
    return _call(EDIT_NOTES, {"run": "aaa1", "text": "a baseline"})


def anothers_run(lab: Lab) -> Case:
    case = run_to_note(lab)
    lab.serve().world.add_run("ooo1", "sw1", "proj", "lab", user={"username": "bob"})
    return replace(case, values={**case.values, "run": "ooo1"})


# --- stop


def diverged_run(lab: Lab, **run: Any) -> Case:
    train(lab, "7_1", "aaa1", "RUNNING", DIVERGED)
    served(lab, **run)
    return _call(STOP_RUN, {"run": "aaa1"})


def silent_run(lab: Lab) -> Case:
    return diverged_run(lab, heartbeatAt=iso(NOW - HOUR))


def run_that_trains(lab: Lab) -> Case:
    train(lab, "7_1", "aaa1", "RUNNING")
    served(lab)
    return _call(STOP_RUN, {"run": "aaa1"}, typed="aaa1")


# --- close


def zombie(lab: Lab, **run: Any) -> Case:
    lab.job("7_9", "COMPLETED")
    served(lab, **{"heartbeatAt": iso(NOW - 2 * HOUR), **run})
    return _call(CLOSE_ZOMBIE_RUN, {"run": "aaa1"})


def zombie_with_a_job(lab: Lab) -> Case:
    case = zombie(lab)
    train(lab, "7_1", "aaa1", "RUNNING")
    return case


def zombie_in_the_queue(lab: Lab) -> Case:
    case = zombie(lab)
    lab.job("88", "PENDING", name="aaa1")
    return case


# --- create


def config_to_sweep(lab: Lab, text: str = CONFIG) -> Case:
    lab.serve()
    lab.job("7_9", "COMPLETED")
    lab.file("experiments/glue.yaml", text)
    return _call(CREATE_SWEEP, {"config": "experiments/glue.yaml"})


def sweep_of_it_runs(lab: Lab) -> Case:
    case = config_to_sweep(lab)
    lab.serve().world.add_sweep("old1", "proj", "lab", displayName="glue")
    return case


# --- sync


def offline_run(lab: Lab) -> Case:
    lab.serve()
    lab.job("7_9", "COMPLETED")
    source = next((FIXTURES / "0.31.0" / "finished").glob("offline-run-*"))
    shutil.copytree(source, lab.workspace / "wandb" / source.name)
    return _call(SYNC_OFFLINE, {"runs": [source.name.rpartition("-")[2]]})


def synced_before(lab: Lab) -> Case:
    case = offline_run(lab)
    (run,) = case.values["runs"]
    lab.serve().world.add_run(run, None, "proj", "lab", history=[{"loss": 1.0}], state="finished")
    lab.serve().world.add_run(run, None, "fixtures", "lab", history=[{"loss": 1.0}], state="finished")
    return replace(case, values={**case.values, "again": True}, typed=run)


def synced_before_and_only_typed(lab: Lab) -> Case:
    case = synced_before(lab)
    return replace(case, values={**case.values, "again": False})


# --- end, restart


def sweep_to_end(lab: Lab) -> Case:
    train(lab, "7_1", "aaa1", "RUNNING")
    served(lab)
    return _call(CANCEL_SWEEP, {"sweep": "sw1", "reason": "lr was <wrong>"}, typed="sw1")


def others_run_in_the_one_to_end(lab: Lab) -> Case:
    case = sweep_to_end(lab)
    lab.serve().world.add_run("ooo1", "sw1", "proj", "lab", user={"username": "bob"})
    return case


def many_jobs(lab: Lab) -> Case:
    case = sweep_to_end(lab)
    for number in range(2, 43):
        train(lab, f"7_{number}", f"aab{number:02}", "RUNNING")
        lab.serve().world.add_run(f"aab{number:02}", "sw1", "proj", "lab")
    return case


def hopeless_sweep(lab: Lab, text: str = CONFIG) -> Case:
    """None of its runs ever saved anything, and none trains."""
    train(lab, "7_1", "aaa1", "FAILED", "Traceback (most recent call last):\nValueError: what\n", exit="1:0",
          submit_args="experiments/sweep.sbatch experiments/glue.yaml lab/proj/sw1")  # fmt: skip
    shutil.rmtree(lab.workspace / "outputs")
    lab.file("experiments/glue.yaml", text)
    served(lab)
    lab.serve().world.runs["lab", "proj", "aaa1"]["state"] = "failed"
    return _call(RESTART_SWEEP, {"sweep": "sw1"})


def sweep_with_something_to_lose(lab: Lab) -> Case:
    case = hopeless_sweep(lab)
    lab.checkpoint("aaa1", 300)
    return case


def another_sweep_of_it(lab: Lab) -> Case:
    case = hopeless_sweep(lab)
    lab.serve().world.add_sweep("old1", "proj", "lab", displayName="glue")
    return case


def others_run_in_the_hopeless_one(lab: Lab) -> Case:
    case = hopeless_sweep(lab)
    lab.serve().world.add_run("ooo1", "sw1", "proj", "lab", user={"username": "bob"})
    return case


World = Callable[[Lab], Case]


def begun(made: World) -> World:
    return lambda lab: replace(made(lab), begun=True)


ALLOWED: Mapping[tuple[str, str], World] = {
    ("set", "ends_nothing"): sweep_to_pause,
    ("set", "typed"): sweep_to_cancel,
    ("stop", "not_progressing"): diverged_run,
    ("stop", "typed"): run_that_trains,
    ("sync", "nothing_there"): offline_run,
    ("sync", "typed"): synced_before,
    ("restart", "nothing_to_resume"): hopeless_sweep,
    ("restart", "loss_is_typed"): sweep_with_something_to_lose,
}


def denied(turned: Callable[[Case, str], Case]) -> Mapping[tuple[str, str], World]:
    """Worlds by (verb, need); ``turned`` makes a tool see that a need is not so, where no world can."""

    def turn(made: World, kind: str) -> World:
        return lambda lab: turned(made(lab), kind)

    return {
        ("set", "state_allows"): lambda lab: sweep_to_pause(lab, "FINISHED"),
        ("set", "mine"): anothers_sweep,
        ("set", "no_other_owner"): others_run_in_it,
        ("set", "settled"): begun(sweep_to_pause),
        ("note", "mine"): anothers_run,
        ("note", "settled"): begun(run_to_note),
        ("stop", "alive"): silent_run,
        ("stop", "mine"): turn(diverged_run, "mine"),
        ("stop", "checkpoint_known"): turn(diverged_run, "checkpoint_known"),
        ("stop", "settled"): begun(diverged_run),
        ("close", "running_there"): lambda lab: zombie(lab, state="crashed"),
        ("close", "silent"): lambda lab: zombie(lab, heartbeatAt=iso(NOW - 600)),
        ("close", "mine"): lambda lab: zombie(lab, user={"username": "bob"}),
        ("close", "not_live"): zombie_with_a_job,
        ("close", "not_queued"): zombie_in_the_queue,
        ("close", "settled"): begun(zombie),
        ("create", "config_checked"): lambda lab: config_to_sweep(lab, "method: magic\nparameters: {lr: {value: 1}}\n"),
        ("create", "no_other_sweep"): sweep_of_it_runs,
        ("create", "settled"): begun(config_to_sweep),
        ("sync", "not_written"): turn(offline_run, "not_written"),
        ("sync", "mine"): turn(offline_run, "mine"),
        ("sync", "counted"): turn(offline_run, "counted"),
        ("sync", "once"): synced_before_and_only_typed,
        ("sync", "settled"): begun(offline_run),
        ("end", "mine"): anothers_sweep_to_end,
        ("end", "few_enough"): many_jobs,
        ("end", "checkpoint_known"): turn(sweep_to_end, "checkpoint_known"),
        ("end", "no_other_owner"): others_run_in_the_one_to_end,
        ("end", "typed"): lambda lab: replace(sweep_to_end(lab), typed=""),
        ("end", "settled"): begun(sweep_to_end),
        ("restart", "config_checked"): lambda lab: hopeless_sweep(lab, CONFIG.replace("random", "magic")),
        ("restart", "no_other_sweep"): another_sweep_of_it,
        ("restart", "mine"): turn(hopeless_sweep, "mine"),
        ("restart", "few_enough"): turn(hopeless_sweep, "few_enough"),
        ("restart", "no_other_owner"): others_run_in_the_hopeless_one,
        ("restart", "checkpoint_known"): turn(hopeless_sweep, "checkpoint_known"),
        ("restart", "settled"): begun(hopeless_sweep),
    }
