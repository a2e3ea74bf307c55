"""A process that is killed in the middle of an act: nothing is done twice, nothing is lost, and the next one tells."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stage import PLAN, Stage

from agent.models.playbook import Playbook
from tools.actions.resume import RESUME

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
    assert stage.audit.verify()[1] is None


def test_a_record_that_is_killed_in_the_middle_of_a_line_goes_on(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "state", Playbook())
    stage.person.says = None
    stage.guard.act([(RESUME, {"run": RUN, "plan": PLAN})])
    with stage.audit.path.open("a") as file:
        file.write('{"kind": "inten')
    stage.guard.act([(RESUME, {"run": "d4c3b2a1", "plan": PLAN})])
    count, problem = stage.audit.verify()
    assert problem is not None and "not an entry (torn or edited)" in problem
    assert [entry["kind"] for entry in stage.audit.entries()] == ["intended", "done", "verified"] * 2
    assert count == 3
