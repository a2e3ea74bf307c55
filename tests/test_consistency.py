"""The rules' table of what W&B and Slurm say of the same run, row by row."""

from __future__ import annotations

import pytest

from tools.diagnosis.consistency import disagreement


@pytest.mark.parametrize(
    ("wandb", "slurm", "reached", "said"),
    [
        ("running", "RUNNING", None, None),
        ("running", None, None, "zombie"),
        ("running", "PREEMPTED", None, "the job is PREEMPTED; W&B will time it out, then resume"),
        ("crashed", "COMPLETED", None, "the log has the real error"),
        ("failed", "COMPLETED", True, "the log has the real error"),
        ("finished", "COMPLETED", True, None),
        ("finished", "COMPLETED", False, "short of the target"),
        ("finished", "COMPLETED", None, None),
        ("finished", "TIMEOUT", True, "done before its job was ended"),
        ("finished", "PREEMPTED", False, "PREEMPTED short of the target: believe Slurm"),
        ("failed", "RUNNING", None, "the job still runs"),
        ("failed", "FAILED", None, None),
        (None, "RUNNING", None, None),
    ],
)
def test_each_row(wandb: str | None, slurm: str | None, reached: bool | None, said: str | None) -> None:
    found = disagreement(wandb, slurm, reached=reached)
    assert (found is None) == (said is None)
    assert said is None or said in (found or "")


def test_what_a_person_cancelled_is_not_said_to_be_resumed() -> None:
    told = disagreement("running", "CANCELLED", reached=None)
    assert told == "stale: W&B still says running, the job is CANCELLED; W&B will time it out"


def test_a_heartbeat_is_stale_after_half_an_hour() -> None:
    assert disagreement("running", "RUNNING", reached=None, heartbeat_age_s=1799) is None
    assert "31 min old" in (disagreement("running", "RUNNING", reached=None, heartbeat_age_s=1860) or "")
