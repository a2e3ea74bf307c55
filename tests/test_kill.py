"""A process that is killed in the middle of an act: nothing is done twice, nothing is lost, and the next one tells."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lab import Lab
from stage import PLAN, Stage
from test_acts import MAKEFILE, train

from agent.audit import Checked
from agent.models.playbook import Playbook
from tools.actions.resume import RESUME
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
import sys
from pathlib import Path
from agent.models.playbook import Playbook
from stage import PLAN, Stage
from tools.actions.resume import RESUME
from tools.layout import Layout
from tools.place import Place
from tools.sources.command import user_name
from tools.text import Redactor

state, workspace, programs = map(Path, sys.argv[1:])
stage = Stage(state, Playbook(), Place(workspace, Layout(), user_name(), Redactor(), slurm_bin=programs))
stage.person.says = None
stage.guard.act([(RESUME, {"run": "aaa1", "plan": PLAN})])
"""


def test_a_program_that_outlives_its_agent_is_waited_for_and_nothing_is_begun_beside_it(
    lab: Lab, tmp_path: Path
) -> None:
    state, begun, go = tmp_path / "state", tmp_path / "begun", tmp_path / "go"
    lab.file("Makefile", MAKEFILE)
    train(lab, "7_1", "aaa1")
    lab.queues("submit", command="run.sbatch sw1 aaa1")
    lab.program("make", f"echo $$ >{begun}\nread word <{go}\n{lab.bin}/submit")
    for path in (begun, go):
        os.mkfifo(path)
    agent = subprocess.Popen(
        [sys.executable, "-c", OUTLIVED, str(state), str(lab.workspace), str(lab.bin)],
        env={"PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[1]}", "PATH": "/usr/bin:/bin"},
    )
    process = begun.read_text().strip()
    agent.kill()
    assert agent.wait() == -9
    skew = [0.0]
    stage = Stage(state, Playbook(), lab.place(), clock=lambda: time.time() + skew[0])
    stage.person.says = None
    for seconds in (0.0, 20.0, 7200.0):
        skew[0] = seconds
        stage.context.forget()
        (told,) = stage.guard.settle()
        # its number is written down by the agent, just after the start
        assert f"it is under way (process {process}): " in told or "it is under way: " in told
        (again,) = stage.guard.act([(RESUME, {"run": "aaa1", "plan": PLAN})])
        assert again.state == "denied" and "it is under way" in again.text
    (lock,) = (state / "running").iterdir()
    with go.open("w") as file, lock.open() as held:
        file.write("on\n")
        file.close()
        fcntl.flock(held, fcntl.LOCK_EX)  # waits for its end
    stage.context.forget()
    (told,) = stage.guard.settle()
    assert "job 901 (RUNNING)" in told, told
    assert not list((state / "running").iterdir())
    (again,) = stage.guard.act([(RESUME, {"run": "aaa1", "plan": PLAN})])
    assert again.state == "denied" and "job 901 trains it" in again.text
