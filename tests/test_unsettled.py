"""Acts of which nobody saw the end: they stay open, and are settled by reading, never by repeating."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from lab import NOW, Lab
from stage import PLAN, Stage
from test_acts import MAKEFILE, train

from agent.audit import Audit
from agent.models.playbook import Playbook
from agent.running import HERE
from agent.unsettled import QUIET_S, Acts, Open, SettleError
from tools.actions.cancel import SCANCEL
from tools.actions.resume import RESUME
from tools.acts import Action, Done, Program, Ran

ACTION = Action("resume", "aaa1", ("aaa1",), "run", (("run", "aaa1"),), Program(("/bin/make", "run"), "/w", True))
LOST = "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)"


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    return Audit(tmp_path / "audit.jsonl")


def _intend(audit: Audit, act: str, at: float = 1.0, **own: Any) -> None:
    audit.append("intended", at, {"act": act, "verb": "resume", "action": ACTION.to_record(), "digest": "d", **own})


def test_an_act_is_open_until_it_is_read_back(audit: Audit) -> None:
    _intend(audit, "a")
    _intend(audit, "b", 2.0)
    audit.append("done", 3.0, {"act": "a", "code": 0, "out": "Submitted", "err": "", "seconds": 0.5})
    first, second = Acts(audit).open()
    assert (first.act, first.action, first.at, first.ran) == ("a", ACTION, 1.0, Ran(0, "Submitted", "", 0.5))
    assert (second.act, second.ran) == ("b", None)
    audit.append("verified", 4.0, {"act": "a", "state": "done", "text": "job 8", "submitted": []})
    assert [one.act for one in Acts(audit).open()] == ["b"]


def test_the_first_look_without_a_trace_counts(audit: Audit) -> None:
    _intend(audit, "a")
    for at in (5.0, 9.0):
        audit.append("looked", at, {"act": "a"})
    (one,) = Acts(audit).open()
    assert one.looked == 5.0


@pytest.mark.parametrize(
    ("ran", "looked", "sure"),
    [
        (Ran(0), None, True),
        (Ran(1, err="sbatch: error: invalid partition specified: gpuu"), None, True),
        (Ran(1, err=LOST), None, False),
        (Ran(1, err="Socket timed out on send/recv operation"), None, False),
        (Ran(1, err="sbatch: error: something", seconds=9.0), None, False),
        (Ran(None, seconds=60.0), None, False),
        (None, None, False),
        (Ran(None, seconds=60.0), 100.0 - QUIET_S + 0.1, False),
        (Ran(None, seconds=60.0), 100.0 - QUIET_S, True),
        (None, 100.0 - QUIET_S, True),
    ],
)
def test_when_no_trace_is_the_last_word(ran: Ran | None, looked: float | None, sure: bool) -> None:
    """Slurm's words are those of 22.05 with its controller stopped."""
    assert Open("a", ACTION, 1.0, ran, looked).settled_by(100.0) is sure


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("intended", {"act": "a", "action": {"verb": "resume"}}),
        ("intended", {"act": "a", "action": None}),
        ("intended", {"act": "a"}),
        ("done", {"act": "open"}),
        ("done", {"act": "open", "code": 0, "out": ""}),
    ],
)
def test_a_record_that_was_edited_is_no_proof_of_anything(audit: Audit, kind: str, content: dict[str, Any]) -> None:
    _intend(audit, "open")
    audit.append(kind, 2.0, content)
    with pytest.raises(SettleError, match="agent audit verify"):
        Acts(audit).open()


def test_what_came_to_something_is_known_by_job_run_and_sweep(audit: Audit) -> None:
    for act, state in (("a", "done"), ("b", "not_done")):
        _intend(audit, act)
        audit.append("verified", 5.0, {"act": act, "state": state, "submitted": [["aaa1", "99"]] if act == "a" else []})
    assert Acts(audit).done() == {"aaa1": Done("resume", 5.0, ("99",))}


class TestWithAWorkspace:
    @pytest.fixture
    def now(self) -> list[float]:
        return [NOW]

    @pytest.fixture
    def stage(self, lab: Lab, tmp_path: Path, now: list[float]) -> Stage:
        lab.file("Makefile", MAKEFILE)
        train(lab, "7_1", "aaa1")
        lab.program("make", f"echo x >> {lab.workspace}/starts; echo '{LOST}' >&2; exit 1")
        stage = Stage(tmp_path / "state", Playbook(), lab.place(), lambda: now[0])
        stage.person.says = None
        return stage

    def _resume(self, stage: Stage) -> tuple[str, str]:
        stage.context.forget()
        (told,) = stage.guard.act([(RESUME, {"run": "aaa1", "plan": PLAN})])
        return told.state, told.text

    def test_a_controller_that_hung_may_have_done_it(self, lab: Lab, stage: Stage, now: list[float]) -> None:
        state, text = self._resume(stage)
        assert state == "unknown"
        assert "Unable to contact slurm controller" in text and "It is not repeated" in text
        assert stage.talk.guard.done == [], "an answer that says it was done is corrected"
        now[0] += 3
        assert self._resume(stage)[0] == "denied", "nobody knows yet, so it is not begun again"
        # the controller answers again, and carries out what it was sent
        lab.job("8", "PENDING", submit=now[0], command="run.sbatch sw1 aaa1", submit_args="run.sbatch sw1 aaa1")
        now[0] += 3
        (line,) = stage.guard.record.settle_all()
        assert "job 8 (PENDING" in line
        state, text = self._resume(stage)
        assert state == "denied" and "job 8 waits with it" in text
        assert (lab.workspace / "starts").read_text().count("x") == 1

    def test_without_a_trace_for_a_while_it_may_be_asked_for_again(
        self, lab: Lab, stage: Stage, now: list[float]
    ) -> None:
        assert self._resume(stage)[0] == "unknown"
        now[0] += QUIET_S + 1
        assert self._resume(stage)[0] == "unknown", "settled as not done, asked for again, and lost again"
        assert (lab.workspace / "starts").read_text().count("x") == 2
        assert [entry["state"] for entry in stage.audit.entries() if entry["kind"] == "verified"] == ["not_done"]

    def test_the_queue_of_another_cluster_does_not_show_that_a_job_ended(
        self, lab: Lab, stage: Stage, now: list[float]
    ) -> None:
        action = Action("cancel", "9_9", ("9_9",), "job", (("job", "9_9"),))
        begun = {"act": "a", "verb": "cancel", "action": action.to_record(), "digest": "d", "cluster": "alpha"}
        stage.audit.append("intended", NOW, begun)
        for _ in range(2):
            (told,) = stage.guard.settle()
            assert "begun on cluster alpha" in told
            now[0] += QUIET_S + 1
        assert [one.act for one in Acts(stage.audit).open()] == ["a"]

    @pytest.mark.parametrize(
        ("host", "stays"),
        [(("node7", "another"), True), ((HERE[0], "an earlier start"), False), (("renamed", HERE[1]), False)],
    )
    def test_what_may_still_run_on_another_machine_stays_open(
        self, stage: Stage, now: list[float], host: tuple[str, str], stays: bool
    ) -> None:
        action = Action("resume", "aaa1", ("aaa1",), "run", (("run", "aaa1"),))
        begun = {"act": "a", "verb": "resume", "action": action.to_record(), "digest": "d", "host": host}
        stage.audit.append("intended", NOW, begun)
        lock = stage.audit.path.parent / "running" / "a"
        lock.parent.mkdir(parents=True)
        lock.touch()
        for _ in range(3):
            told = " ".join(stage.guard.settle())
            now[0] += 3600
        assert [one.act for one in Acts(stage.audit).open()] == ["a"] * stays
        assert ("may still run on node7" in told) is stays
        assert lock.exists() is stays, "that machine's own lock is its to take away"
        state, text = self._resume(stage)
        assert ("may still run on node7: agent chat there tells" in text) is stays, state

    def test_other_subjects_go_on(self, lab: Lab, stage: Stage) -> None:
        train(lab, "7_2", "bbb2", "RUNNING", "".join(f"epoch {epoch}/100 loss=nan\n" for epoch in range(9)))
        lab.program("make", f"echo '{LOST}' >&2; exit 1")
        assert self._resume(stage)[0] == "unknown"
        stage.person.says = "no"
        (told,) = stage.guard.act([(SCANCEL, {"job_id": "7_2", "plan": PLAN})])
        assert told.state == "declined", "it was put to the person"

    def test_a_refusal_at_once_is_the_last_word(self, lab: Lab, stage: Stage) -> None:
        lab.program("make", "echo 'sbatch: error: invalid partition specified: gpuu' >&2; exit 1")
        state, text = self._resume(stage)
        assert state == "failed"
        assert "no job was submitted (exit code 1)" in text and "invalid partition" in text
        lab.program("make", "echo Submitted batch job 8")
        assert self._resume(stage)[0] == "done"


def test_the_next_start_of_the_program_tells_what_became_of_it(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "sweep-agent" / "demo" / "audit.jsonl")
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}

    def start() -> str:
        words = [Path(sys.executable).with_name("agent"), "ask", "--demo", "hello"]
        done = subprocess.run(words, capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL)
        assert done.returncode == 0
        return done.stderr

    assert start() == ""
    gone = Action("cancel", "48213_77", ("48213_77",), "job", (("job", "48213_77"),))
    content = {"act": "a", "verb": "cancel", "action": gone.to_record(), "digest": "d"}
    audit.append("intended", time.time(), content)
    told = " ".join(start().split())
    assert "cancel 48213_77, begun at " in told and "no longer in the queue" in told
    assert start() == "", "once is enough"
