"""Time left at a run's own pace, against its time limit."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

from lab import HOUR, NOW, Lab, ended, wandb_lines


def _running(lab: Lab, log: str, **own: object) -> None:
    lab.job("9", **own)
    path = lab.file("logs/9.out", log)
    os.utime(path, (NOW, NOW))


def _epochs(first: int, last: int) -> str:
    return wandb_lines("aaa1", "s") + "".join(f"epoch {epoch}/100 loss=0.5\n" for epoch in range(first, last + 1))


def test_what_is_left_follows_from_what_was_done(lab: Lab) -> None:
    _running(lab, _epochs(0, 50))
    row = lab.row("9")
    assert row.left_s is not None
    assert abs(row.left_s - 10 * HOUR) < HOUR
    assert not any("will_not_finish" in flag for flag in row.flags)


def test_a_resumed_run_is_judged_by_its_own_stretch(lab: Lab) -> None:
    """90 of 100 epochs are there, but only 10 of them took these ten hours."""
    _running(lab, _epochs(80, 90))
    row = lab.row("9")
    assert row.left_s is not None
    assert abs(row.left_s - 10 * HOUR) < 4 * HOUR


def test_a_run_that_its_limit_will_end_is_flagged(lab: Lab) -> None:
    _running(lab, _epochs(0, 20), limit=12 * HOUR)
    assert any(flag.startswith("will_not_finish") for flag in lab.row("9").flags)


def test_without_a_limit_nothing_is_flagged(lab: Lab) -> None:
    _running(lab, _epochs(0, 20), limit=400 * HOUR)
    assert not any("will_not_finish" in flag for flag in lab.row("9").flags)


def test_nothing_is_estimated_from_one_value_an_unknown_target_or_a_start_just_now(lab: Lab) -> None:
    _running(lab, wandb_lines("aaa1", "s") + "epoch 3/100\n")
    assert lab.row("9").left_s is None
    lab.file("logs/9.out", wandb_lines("aaa1", "s") + "".join(f"epoch {n}\n" for n in range(50)))
    assert lab.row("9").left_s is None
    lab.job("10", start=NOW - 120)
    lab.file("logs/10.out", _epochs(0, 20))
    os.utime(lab.workspace / "logs/10.out", (NOW, NOW))
    assert lab.row("10").left_s is None


def test_a_job_that_trained_another_run_before_gives_no_pace(lab: Lab) -> None:
    log = _epochs(0, 100) + "2026-11-20 12:00:00,541 - wandb.wandb_agent - INFO - Cleaning up finished run: aaa1\n"
    _running(lab, log + wandb_lines("bbb2", "s") + "epoch 0/100\nepoch 9/100\n")
    assert lab.row("9", "bbb2").left_s is None


def test_but_w_and_bs_folder_of_the_later_run_says_when_it_began(lab: Lab) -> None:
    """An agent's second run: 20 of 100 epochs in two hours of a job that runs for ten and may run for twelve."""
    log = _epochs(0, 100) + ended("aaa1") + wandb_lines("bbb2", "s")
    _running(lab, log + "".join(f"epoch {epoch}/100 loss=0.5\n" for epoch in range(21)), limit=12 * HOUR)
    began = datetime.fromtimestamp(NOW - 2 * HOUR, UTC)
    folder = f"wandb/run-{began:%Y%m%d_%H%M%S}-bbb2/files"
    lab.file(f"{folder}/wandb-metadata.json", json.dumps({"startedAt": began.isoformat()}))

    row = lab.row("9", "bbb2")

    assert row.left_s == 8 * HOUR
    assert any(flag.startswith("will_not_finish") for flag in row.flags)
