"""A process that is killed in the middle of an act: nothing is done twice, nothing is lost, and the next one tells."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from lab import Lab
from stage import PLAN, Stage
from test_acts import MAKEFILE, train
from wandb_worlds import offline_run

from agent.audit import Checked
from agent.models.playbook import Playbook
from tools.actions.resume import RESUME
from tools.base import ActTool
from tools.registry import BY_NAME

RUN = "e5f6a7b8"
# The program itself, killed at a named point by its own hand.
DIES = """
import os, signal, sys
from pathlib import Path
from agent.audit import Audit
from agent.models.playbook import Playbook
from stage import PLAN, Stage
from tools.actions.resume import RESUME
from tools.sources import command

state, point = Path(sys.argv[1]), sys.argv[2]
def here(name):
    if name == point:
        os.kill(os.getpid(), signal.SIGKILL)
append, run = Audit.append, command.run
def dying_append(self, kind, at, content):
    here(f"before {kind}")
    append(self, kind, at, content)
    here(f"after {kind}")
def dying_run(program, *args, **more):
    if program.name == "make":
        here("before make")
    done = run(program, *args, **more)
    if program.name == "make":
        here("after make")
    return done
Audit.append, command.run = dying_append, dying_run
stage = Stage(state, Playbook())
stage.person.says = None
stage.guard.act([(RESUME, {"run": sys.argv[3], "plan": PLAN})])
"""
BEFORE = ("before intended", "after intended", "before make")
AFTER = ("after make", "before done", "after done", "before verified", "after verified")


def _killed(state: Path, point: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DIES, str(state), point, RUN], capture_output=True, text=True,
        env={"PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[1]}", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == -9, done.stderr


def _submitted(state: Path) -> int:
    jobs = json.loads((state / "demo" / "cluster.json").read_text())["jobs"]
    return sum(RUN in job["command"].split() for job in jobs)


@pytest.mark.parametrize("point", [*BEFORE, *AFTER])
def test_killed_at_any_step_the_effect_is_there_once(tmp_path: Path, point: str) -> None:
    state = tmp_path / "state"
    _killed(state, point)
    assert _submitted(state) == (1 if point in AFTER else 0)
    skew = [0.0]
    stage = Stage(state, Playbook(), clock=lambda: time.time() + skew[0])
    stage.person.says = None
    told = stage.guard.record.settle_all()
    if point in AFTER and point != "after verified":
        assert len(told) == 1 and "job 48252 (PENDING" in told[0], "what it did is found by reading"
    (again,) = stage.guard.act([(RESUME, {"run": RUN, "plan": PLAN})])
    if point in AFTER:
        assert again.state == "denied" and "job 48252 waits with it" in again.text
    elif point == "before intended":
        assert again.state == "done", "it was never begun"
    else:
        assert again.state == "denied" and "what came of it is not known yet" in again.text
        skew[0] = 16.0
        stage.context.forget()
        (again,) = stage.guard.act([(RESUME, {"run": RUN, "plan": PLAN})])
        assert again.state == "done", "two readings without a trace of it: it did nothing"
    assert _submitted(state) == 1
    assert not stage.audit.verify().problems


def test_a_record_that_is_killed_in_the_middle_of_a_line_goes_on(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "state", Playbook())
    stage.person.says = None
    stage.guard.act([(RESUME, {"run": RUN, "plan": PLAN})])
    with stage.audit.path.open("a") as file:
        file.write('{"kind": "inten')
    stage.guard.act([(RESUME, {"run": "d4c3b2a1", "plan": PLAN})])
    assert stage.audit.verify() == Checked(6, torn=(4,)), "told, and no sign of somebody's hand"
    assert [entry["kind"] for entry in stage.audit.entries()] == ["intended", "done", "verified"] * 2


# The same for acts on files: killed before or after the n-th call of one function of the system.
DIES_MOVING = """
import os, signal, sys
from pathlib import Path
from agent.models.playbook import Playbook
from stage import PLAN, Stage
from tools.registry import BY_NAME

state, tool, function, when, number = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])
real, left = getattr(os, function), [number]
def dying(*args, **own):
    left[0] -= 1
    if when == "before" and left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    done = real(*args, **own)
    if when == "after" and left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return done
stage = Stage(state, Playbook())
perform = BY_NAME[tool].perform
stage.person.says = None
stage.person.meanwhile = lambda: setattr(os, function, dying)
stage.guard.act([(BY_NAME[tool], {"plan": PLAN})])
"""


def _contents(folder: Path) -> list[str]:
    """Every file's bytes but the program's own, wherever it lies."""
    own = {"manifest.json", ".gitignore"}
    found = [
        path for path in folder.rglob("*") if path.is_file() and path.name not in own and "wandb" not in path.parts
    ]
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in found if path.stat().st_size)


@pytest.mark.parametrize(
    ("tool", "point"),
    [
        ("archive_logs", "rename after 3"),
        ("archive_logs", "fsync before 2"),
        ("remove_checkpoints", "mkdir before 4"),
        ("remove_checkpoints", "fsync before 2"),
        ("remove_checkpoints", "rename after 1"),
        ("remove_checkpoints", "rename before 2"),
    ],
)
def test_killed_while_files_are_moved_every_one_is_still_there(tmp_path: Path, tool: str, point: str) -> None:
    state = tmp_path / "state"
    begun = Stage(state, Playbook())
    folder = begun.context.place.workspace
    frozen = json.loads((state / "demo" / "clock.json").read_text())
    before = _contents(folder)
    _dies(state, tool, point)
    skew = [0.0]
    stage = Stage(state, Playbook(), begun.context.place, clock=lambda: time.time() + skew[0])
    assert frozen["made_at"] == json.loads((state / "demo" / "clock.json").read_text())["made_at"]
    assert len(_contents(folder)) == len(before) and len(set(before) - set(_contents(folder))) <= 9, "logs that grew"
    stage.person.says = None
    told = stage.guard.record.settle_all()
    assert len(told) == 1 and ("moved to" in told[0] or "not known yet" in told[0])
    skew[0] = 16.0
    stage.guard.record.settle_all()
    stage.context.forget()
    assert not stage.guard.settle(), "two readings settle it"
    (again,) = stage.guard.act([(BY_NAME[tool], {"plan": PLAN})])
    assert again.state in {"done", "failed"}, again.text
    assert len(_contents(folder)) == len(before)


def test_killed_while_the_trash_is_emptied_the_rest_can_be(tmp_path: Path) -> None:
    state = tmp_path / "state"
    stage = Stage(state, Playbook())
    stage.person.says = None
    assert stage.guard.act([(BY_NAME["remove_checkpoints"], {"plan": PLAN})])[0].state == "done"
    folder = stage.context.place.workspace
    before = len(_contents(folder))
    _dies(state, "empty_trash", "unlink after 1")
    assert len(_contents(folder)) == before - 1, "half of one checkpoint is gone"
    (line,) = stage.guard.record.settle_all()
    assert "not known yet" in line or "of 2 deleted" in line
    later = Stage(state, Playbook(), stage.context.place, clock=lambda: time.time() + 20)
    later.person.says = None
    later.guard.record.settle_all()
    (told,) = later.guard.act([(BY_NAME["empty_trash"], {"plan": PLAN})])
    assert told.state == "done", told.text
    assert [path.name for path in (folder / ".sweep-agent-trash").iterdir()] == [".gitignore"]


def _dies(state: Path, tool: str, point: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DIES_MOVING, str(state), tool, *point.split()], capture_output=True, text=True,
        env={"PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[1]}", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == -9, done.stderr or done.stdout


# The agent is killed while the program that it started goes on.
OUTLIVED = """
import json, sys
from pathlib import Path
from agent.models.playbook import Playbook
from stage import Stage
from tools.layout import Layout
from tools.place import Place
from tools.registry import BY_NAME
from tools.sources.command import user_name
from tools.text import Redactor

state, workspace, programs = map(Path, sys.argv[1:4])
tool, values, environ = sys.argv[4], *map(json.loads, sys.argv[5:])
sys.executable = str(programs / "python")  # W&B's client is looked for beside it
place = Place(workspace, Layout(), user_name(), Redactor(), slurm_bin=programs, environ=environ)
stage = Stage(state, Playbook(), place)
stage.person.says = None
stage.guard.act([(BY_NAME[tool], values)])
"""


class Outlived:
    """An act whose program waits for a word, while the agent that started it is killed."""

    def __init__(self, lab: Lab, folder: Path, program: str, goes_on: str) -> None:
        self.lab, self.state, self._begun, self._go = lab, folder / "state", folder / "begun", folder / "go"
        lab.program(program, f"echo $$ >{self._begun}\nread word <{self._go}\n{goes_on}")
        for path in (self._begun, self._go):
            os.mkfifo(path)

    def killed(self, tool: str, values: Mapping[str, Any]) -> str:
        """The number of the program that goes on."""
        place = self.lab.place()
        agent = subprocess.Popen(
            [sys.executable, "-c", OUTLIVED, str(self.state), str(place.workspace), str(self.lab.bin), tool,
             json.dumps(values), json.dumps(dict(place.environ))],
            env={"PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[1]}", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        process = self._begun.read_text().strip()
        agent.kill()
        assert agent.wait() == -9
        return process

    def finish(self) -> None:
        """Let it go on, and wait for its end."""
        (lock,) = (self.state / "running").iterdir()
        with lock.open() as held:
            self._go.write_text("on\n")
            fcntl.flock(held, fcntl.LOCK_EX)


def _stays_open(stage: Stage, skew: list[float], process: str, tool: ActTool, values: Mapping[str, Any]) -> None:
    """However long it takes, it is not settled, and nothing is begun beside it."""
    for seconds in (0.0, 20.0, 7200.0):
        skew[0] = seconds
        stage.context.forget()
        (told,) = stage.guard.settle()
        # its number is written down by the agent, just after the start
        assert f"it is under way (process {process}): " in told or "it is under way: " in told
        (again,) = stage.guard.act([(tool, values)])
        assert again.state == "denied" and "it is under way" in again.text


def test_a_submission_that_outlives_its_agent_is_waited_for(lab: Lab, tmp_path: Path) -> None:
    lab.file("Makefile", MAKEFILE)
    train(lab, "7_1", "aaa1")
    lab.queues("submit", command="run.sbatch sw1 aaa1")
    values = {"run": "aaa1", "plan": PLAN}
    outlived = Outlived(lab, tmp_path, "make", f"{lab.bin}/submit")
    process = outlived.killed("resume_run", values)
    skew = [0.0]
    stage = Stage(outlived.state, Playbook(), lab.place(), clock=lambda: time.time() + skew[0])
    stage.person.says = None
    _stays_open(stage, skew, process, RESUME, values)
    outlived.finish()
    stage.context.forget()
    (told,) = stage.guard.settle()
    assert "job 901 (RUNNING)" in told, told
    assert not list((outlived.state / "running").iterdir())
    (again,) = stage.guard.act([(RESUME, values)])
    assert again.state == "denied" and "job 901 trains it" in again.text


def test_an_upload_that_outlives_its_agent_is_waited_for_and_its_rows_go_up_once(lab: Lab, tmp_path: Path) -> None:
    case = offline_run(lab)
    real = Path(sys.executable).with_name("wandb")
    outlived = Outlived(
        lab, tmp_path, "wandb", f'exec {real} "$@" >{tmp_path}/said 2>&1'
    )  # nobody reads its pipes any more
    process = outlived.killed(case.tool.name, case.values)
    skew = [0.0]
    stage = Stage(outlived.state, Playbook(), lab.place(), clock=lambda: time.time() + skew[0])
    stage.person.says = None
    _stays_open(stage, skew, process, case.tool, case.values)
    assert not lab.serve().world.runs
    outlived.finish()
    stage.context.forget()
    (told,) = stage.guard.settle()
    (run,) = lab.serve().world.runs.values()
    rows = len(run["rows"])
    assert rows and f"{rows} of {rows} rows went up" in told
    (again,) = stage.guard.act([(case.tool, case.values)])
    assert again.state == "denied" and len(run["rows"]) == rows
