"""What a run's part of its job's log files tells, without their text: little enough to keep for 20,000 runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial, reduce

from tools.compact import compact
from tools.data import ACTIVE_STATES, WAITING_STATES, Evidence, Progress
from tools.data_log import LogText
from tools.diagnosis.crash_lines import Hit, read_hits
from tools.diagnosis.progress import MAX_LOSSES, first_values, merge_progress, read_progress
from tools.diagnosis.quotes import finish_lines, last_words, stop_lines
from tools.diagnosis.series import Series, read_series
from tools.diagnosis.sign import EXCEPTION_WEIGHT
from tools.diagnosis.stall import Pulse, pulse_of
from tools.diagnosis.verdict import NEAR, diverged

LAST_WORDS = 60
"""Lines at the end of a living job's log in which an error is worth a word."""
SAME_MOMENT_S = 60.0
"""Two streams written so close to one another are equally new."""
SAME_TEXT = 60
"""Characters at a line's end that make it the same message in both streams; a logger writes its own before them."""
MAX_HITS = 12
"""Of what explains an end, the heaviest: a hundred ranks say the same a hundred times."""
LAST_LOSSES = 3
"""Of a run that is over: enough to see that it diverged."""

NOTHING = Progress()


@compact
class Reading:
    """One run's share of a job's logs, read."""

    path: str
    """The first of the files."""
    written: float
    """When the newest of them was written to."""
    progress: Progress
    series: Series | None = None
    """How its losses went; only where it was asked for."""
    first: Progress = NOTHING
    """The first values that stand in it; of a live run only."""
    pulses: tuple[Pulse, ...] = ()
    """Of a live run: when each of its logs last told of progress."""
    hits: tuple[Hit, ...] = ()
    """What explains an end, heaviest first; of a live run an error with nothing after it."""
    stopped: tuple[Evidence, ...] = ()
    """Where it says that it stopped early."""
    shown: tuple[Evidence, ...] = ()
    """The newest progress, and the script's own word that it ended."""
    last_words: tuple[Evidence, ...] = ()
    """Where nothing explains an end, and Slurm does not call it completed."""


def read(logs: Sequence[LogText], state: str | None, *, detailed: bool = False) -> Reading | None:
    """Read once what the status needs; None without logs. ``state`` is Slurm's word for the run's job.

    ``detailed``: with the series of a live run's losses; one that diverged has it anyhow.
    """
    if not logs:
        return None
    live = state in ACTIVE_STATES
    progress = reduce(merge_progress, (read_progress(log, MAX_LOSSES if live else LAST_LOSSES) for log in logs))
    series = read_series(logs) if (live and detailed) or diverged(progress.losses) else None
    reading = partial(Reading, logs[0].path, max([log.mtime for log in logs]), progress, series)
    if state in WAITING_STATES:
        return reading()
    if live:
        pulses = tuple([pulse for log in logs if (pulse := pulse_of(log))])
        return reading(first=first_values(logs), pulses=pulses, hits=tuple(_at_end(logs, state)))
    hits = sorted(
        (hit for log in logs for hit in read_hits(log, state)), key=lambda hit: (hit.weight, hit.order), reverse=True
    )
    # what one stream shows to have been survived was survived, though the other has nothing after it
    lived = {hit.evidence.text[-SAME_TEXT:] for hit in hits if hit.survived}
    if lived:
        hits = [replace(hit, survived=hit.survived or hit.evidence.text[-SAME_TEXT:] in lived) for hit in hits]
    return reading(
        hits=tuple(hits[:MAX_HITS]),
        stopped=tuple(stop_lines(logs)),
        shown=finish_lines(logs, progress),
        last_words=() if hits or state == "COMPLETED" else tuple(last_words(logs)),
    )


def _at_end(logs: Sequence[LogText], state: str | None) -> list[Hit]:
    newest = max((log.mtime for log in logs), default=0.0)
    for log in logs:
        if log.mtime < newest - SAME_MOMENT_S:
            continue
        tail = log.part(max(0, len(log.lines) - LAST_WORDS), len(log.lines))
        hits = [hit for hit in read_hits(tail, state) if not hit.survived and hit.weight >= EXCEPTION_WEIGHT]
        last = max(hits, key=lambda hit: (hit.weight, hit.order), default=None)
        if last and last.order >= len(tail.lines) - NEAR:
            return [last]
    return []
