"""How long a live run still needs at its own pace, and whether that fits into its time limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tools.data import LogText, Progress
from tools.diagnosis.progress import read_progress
from tools.diagnosis.targets import Target

MIN_RUNNING_S = 600.0
"""Before this a pace is mostly start-up."""


def left_s(logs: Sequence[LogText], progress: Progress, target: Target, started: float) -> int | None:
    """Seconds until the target at the pace since ``started`` (epoch seconds); None where it can't be told.

    The pace is what was trained between the first value in the log and the last, over the time from the job's start
    to the log's last line: start-up counts as training time, so a run is rather called late than early.
    """
    stamps = [log.mtime for log in logs]
    running = max(stamps, default=started) - started
    if running < MIN_RUNNING_S:
        return None
    first = _first(logs)
    for now, goal, begin in (
        (progress.epoch, target.epochs, first.epoch),
        (progress.step, target.steps, first.step),
    ):
        if now is not None and goal is not None and begin is not None and now > begin:
            return max(0, int((goal - now) * running / (now - begin)))
    return None


def _first(logs: Sequence[LogText]) -> Progress:
    """The first values that the logs hold."""
    for log in logs:
        length = 8
        while length < 2 * len(log.lines):
            found = read_progress(replace(log, lines=log.lines[:length], numbers=log.numbers[:length]))
            if found.epoch is not None or found.step is not None:
                return found
            length *= 2
    return Progress()
