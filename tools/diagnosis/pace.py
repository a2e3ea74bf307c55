"""How long a live run still needs at its own pace, and whether that fits into its time limit."""

from __future__ import annotations

from tools.diagnosis.reading import Reading
from tools.diagnosis.targets import Target

MIN_RUNNING_S = 600.0
"""Before this a pace is mostly start-up."""


def left_s(reading: Reading, target: Target, started: float) -> int | None:
    """Seconds until the target at the pace since ``started`` (epoch seconds); None where it can't be told.

    The pace is what was trained between the first value in the log and the last, over the time from the job's start
    to the log's last line: start-up counts as training time, so a run is rather called late than early.
    """
    running = reading.written - started
    if running < MIN_RUNNING_S:
        return None
    progress, first = reading.progress, reading.first
    for now, goal, begin in (
        (progress.epoch, target.epochs, first.epoch),
        (progress.step, target.steps, first.step),
    ):
        if now is not None and goal is not None and begin is not None and now > begin:
            return max(0, int((goal - now) * running / (now - begin)))
    return None
