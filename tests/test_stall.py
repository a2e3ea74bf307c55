"""A run without progress: called so only on evidence, since it is what a cancel needs."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest
from lab import HOUR, NOW, Lab, wandb_lines

from tools.questions import follow_up
from tools.status import RunRow


def _stamped(until: float, every: float, count: int) -> str:
    """Progress lines with the times of some clock that is six hours off."""
    times = [until - every * (count - 1 - number) + 6 * HOUR for number in range(count)]
    return "".join(
        f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} epoch {number}/500 loss=0.5\n"
        for number, at in enumerate(times)
    )


def _row(lab: Lab, text: str, written: float, **own: object) -> RunRow:
    lab.job("9", **own)
    os.utime(lab.file("logs/9.out", wandb_lines("aaa1", "s") + text), (written, written))
    return lab.row("9")


def _stuck(row: RunRow) -> bool:
    return row.stuck and any(flag.startswith("not_progressing: ") for flag in row.flags)


def test_three_hours_of_silence_after_a_line_a_minute(lab: Lab) -> None:
    row = _row(lab, _stamped(NOW - 3 * HOUR, 60, 200), NOW - 3 * HOUR)
    assert _stuck(row)
    assert row.idle_s == 3 * HOUR
    assert "not_progressing: no progress for 180 min, usually every 60 s" in row.flags
    assert any(item.source == "log" and "last progress 3 h 00 min ago" in item.text for item in row.evidence)
    assert "has made no progress for 180 min" in follow_up(lab.status())


def test_less_than_an_hour_is_none(lab: Lab) -> None:
    row = _row(lab, _stamped(NOW - 0.9 * HOUR, 10, 200), NOW - 0.9 * HOUR)
    assert not row.stuck
    assert row.idle_s == 0.9 * HOUR


def test_less_than_five_of_its_own_gaps_is_none(lab: Lab) -> None:
    """A line every half hour: two hours of silence are usual."""
    row = _row(lab, _stamped(NOW - 2 * HOUR, HOUR / 2, 20), NOW - 2 * HOUR)
    assert not row.stuck


def test_a_log_that_still_grows_is_judged_by_its_own_clock(lab: Lab) -> None:
    """Warnings every minute for two hours are no progress; the clock in the log may be of any zone."""
    noise = "".join(
        f"{datetime.fromtimestamp(NOW + 6 * HOUR - 60 * left, UTC):%Y-%m-%d %H:%M:%S} waiting for the data server\n"
        for left in range(119, -1, -1)
    )
    row = _row(lab, _stamped(NOW - 2 * HOUR, 60, 100) + noise, NOW)
    assert _stuck(row)
    assert row.idle_s is not None
    assert abs(row.idle_s - 2 * HOUR) < 120


def test_a_log_that_still_grows_and_tells_no_time_is_no_evidence(lab: Lab) -> None:
    lines = "".join(f"epoch {number}/500\n" for number in range(100))
    row = _row(lab, lines + "waiting for the data server\n" * 300, NOW)
    assert not row.stuck
    assert row.idle_s is None


def test_a_new_checkpoint_or_history_row_is_progress(lab: Lab) -> None:
    path = lab.checkpoint("aaa1", 100)
    os.utime(path, (NOW - 600, NOW - 600))
    row = _row(lab, _stamped(NOW - 3 * HOUR, 60, 200), NOW - 3 * HOUR)
    assert not row.stuck
    assert row.idle_s == 600


def test_without_lines_of_progress_nothing_is_said(lab: Lab) -> None:
    row = _row(lab, "loading the data\n" * 50, NOW - 5 * HOUR)
    assert (row.stuck, row.idle_s) == (False, None)


def test_the_time_of_lines_without_a_clock_is_that_of_the_job(lab: Lab) -> None:
    """Ten hours with 100 epochs: a line every few minutes, then three hours of nothing."""
    lines = "".join(f"epoch {number}/500\n" for number in range(100))
    assert _stuck(_row(lab, lines, NOW - 3 * HOUR))


def test_what_went_with_a_preempted_run_is_told_in_gpu_hours(lab: Lab) -> None:
    lab.job("9", "PREEMPTED", end=NOW - HOUR)
    lab.file("logs/9.out", wandb_lines("aaa1", "s") + "epoch 30/100\n")
    path = lab.checkpoint("aaa1", 300)
    os.utime(path, (NOW - 3 * HOUR, NOW - 3 * HOUR))
    row = lab.row("9")
    assert (row.unsaved_s, row.unsaved_gpu_hours) == (2 * HOUR, 8.0), "four GPUs for two hours"


def test_without_a_checkpoint_all_of_it_went(lab: Lab) -> None:
    lab.job("9", "PREEMPTED", start=NOW - 6 * HOUR, end=NOW - HOUR)
    lab.file("logs/9.out", wandb_lines("aaa1", "s") + "epoch 30/100\n")
    assert lab.row("9").unsaved_s == 5 * HOUR


class TestEachPreemption:
    """What every preemption took with it stands on the row that counts, though the run went on."""

    def _told(self, lab: Lab, saved: list[float], *, requeued: bool) -> str | None:
        """Two preemptions of two and three hours, then a life of one hour; saved at so many hours before now."""
        lives = [("PREEMPTED", 9, 7), ("PREEMPTED", 6, 3), ("RUNNING", 1, 0)]
        for number, (state, start, end) in enumerate(lives):
            job = "9" if requeued else str(90 + number)
            own = {"start": NOW - start * HOUR, "end": NOW - end * HOUR if end else None}
            lab.job(job, state, **own, restarts=number if requeued else 0)
            lab.file(f"logs/{job}.out", wandb_lines("aaa1", "s") + f"epoch {30 + number}/100\n")
        for number, hours in enumerate(saved):
            path = lab.checkpoint("aaa1", 100 * (number + 1))
            os.utime(path, (NOW - hours * HOUR, NOW - hours * HOUR))
        row = lab.row("9" if requeued else "92")
        return next((flag.partition(": ")[2] for flag in row.flags if flag.startswith("lost_to_preemption")), None)

    @pytest.mark.parametrize("requeued", [True, False])
    def test_from_the_last_checkpoint_before_it(self, lab: Lab, requeued: bool) -> None:
        told = self._told(lab, [7.5, 5.0, 4.0, 0.5], requeued=requeued)
        assert told == "0:30:00 (2 GPU-hours), then 1:00:00 (4 GPU-hours)"

    def test_a_checkpoint_that_does_not_load_saved_nothing(self, lab: Lab) -> None:
        told = self._told(lab, [7.5, 5.0, 3.5], requeued=True)
        assert told == "0:30:00 (2 GPU-hours), then 0:30:00 (2 GPU-hours)"
        (lab.workspace / "outputs/aaa1/checkpoint-300/model.safetensors").write_bytes(b"torn")
        os.utime(lab.workspace / "outputs/aaa1/checkpoint-300", (NOW - 3.5 * HOUR,) * 2)
        row = lab.row("9")
        assert "lost_to_preemption: 0:30:00 (2 GPU-hours), then 2:00:00 (8 GPU-hours)" in row.flags

    def test_a_life_that_saved_nothing_lost_all_of_its_own(self, lab: Lab) -> None:
        assert self._told(lab, [7.5, 0.5], requeued=True) == "0:30:00 (2 GPU-hours), then 3:00:00 (12 GPU-hours)"

    @pytest.mark.parametrize(("saved", "told"), [([4.0, 0.5], "unknown, then 1:00:00 (4 GPU-hours)"), ([0.5], None)])
    def test_where_the_older_checkpoints_are_gone_nobody_knows(
        self, lab: Lab, saved: list[float], told: str | None
    ) -> None:
        assert self._told(lab, saved, requeued=True) == told
