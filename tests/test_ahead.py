"""A checkpoint that is further than the job's own log: an earlier job's, and what going on from it means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lab import HOUR, NOW, Lab, wandb_lines
from stage import PLAN, Stage

from agent.models.playbook import Playbook
from tools.actions.cancel import SCANCEL
from tools.actions.resume import RESUME
from tools.status import RunRow

WHO = "step 500 was saved by job 90, before this job began; its own log reached step 100"


def _saved(path: Path, at: float) -> None:
    for one in (*path.iterdir(), path):
        os.utime(one, (at, at))


def _anew(
    lab: Lab,
    *,
    log: str = "epoch 10/100 step=100 loss=0.5\n",
    saved: float = 5,
    state: str = "TIMEOUT",
) -> RunRow:
    """Job 90 saved step 500, so many hours ago, and was preempted; job 95, of the same run, began three hours ago."""
    lab.job("90", "PREEMPTED", start=NOW - 9 * HOUR, end=NOW - 4.5 * HOUR)
    lab.file("logs/90.out", wandb_lines("aaa1", "sw1") + "epoch 52/100 step=520 loss=0.2\n")
    lab.job("95", state, start=NOW - 3 * HOUR)
    lab.file("logs/95.out", wandb_lines("aaa1", "sw1") + log)
    _saved(lab.checkpoint("aaa1", 500), NOW - saved * HOUR)
    return lab.row("95")


def _ahead(row: RunRow) -> str | None:
    return next((flag for flag in row.flags if flag.startswith("checkpoint_ahead: ")), None)


def test_what_an_earlier_job_saved_beyond_this_jobs_log_is_told_with_both_steps(lab: Lab) -> None:
    row = _anew(lab)

    assert (row.resumable, row.checkpoint and row.checkpoint.step) == ("yes", 500)
    assert _ahead(row) == f"checkpoint_ahead: {WHO}"
    assert row.unsaved_s == 2 * HOUR, "all that this job trained"


@pytest.mark.parametrize(
    ("log", "saved"),
    [
        ("epoch 51/100 step=510 loss=0.5\n", 5),  # it went on from there
        ("epoch 10/100 step=100 loss=0.5\n", 2),  # its own: the log is behind
        ("starting\n", 5),  # died before it trained: it may well have gone on from there
    ],
)
def test_a_job_that_went_on_or_saved_itself_or_said_nothing_is_not_suspected(lab: Lab, log: str, saved: float) -> None:
    row = _anew(lab, log=log, saved=saved)

    assert row.resumable == "yes"
    assert _ahead(row) is None


def test_epochs_are_compared_where_the_log_counts_no_steps(lab: Lab) -> None:
    assert _ahead(_anew(lab, log="epoch 10/100\n")) == (
        "checkpoint_ahead: epoch 50 was saved by job 90, before this job began; its own log reached epoch 10"
    )


class TestWhereItIsTold:
    """Wherever a person decides on it: the checkpoint alone looks as if this job had saved it."""

    @pytest.fixture
    def stage(self, lab: Lab, tmp_path: Path) -> Stage:
        for name in ("scancel", "sbatch", "make"):
            lab.program(name, "exit 0")
        lab.file("Makefile", "run:\n\tsbatch run.sbatch $(SWEEP) $(RUN)\n")
        return Stage(tmp_path / "state", Playbook(), lab.place())

    def test_in_the_answer(self, lab: Lab, stage: Stage) -> None:
        _anew(lab)
        stage.ask("check on sweeps")
        assert f"checkpoint 500 loads · resumable · {WHO}" in " ".join(stage.shown.getvalue().split())
        assert "its checkpoint is an earlier job's" in (lab.workspace / "ACTIVE_SWEEPS.md").read_text()

    def test_in_the_request_to_resume(self, lab: Lab, stage: Stage) -> None:
        _anew(lab)
        stage.guard.act([(RESUME, {"run": "aaa1", "plan": PLAN})])
        (request,) = stage.person.asked
        assert WHO in " ".join(" ".join(request.lines).split())

    def test_in_the_request_to_cancel(self, lab: Lab, stage: Stage) -> None:
        _anew(lab, state="RUNNING")
        stage.ask("hello 95", typed=True)
        stage.guard.act([(SCANCEL, {"job_id": "95", "plan": PLAN})])
        (request,) = stage.person.asked
        words = " ".join(" ".join(request.lines).split())
        assert "loses all that this job trained (3:0" in words
        assert "; checkpoint-500 (loads) is of before it began" in words
