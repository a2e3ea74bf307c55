"""Whether a live run still makes progress: the evidence that cancelling it would need.

The rule: no progress in any source able to tell for at least 60 minutes, and at least five times the usual gap between
this log's own progress lines. A source that can't tell (a log whose last lines carry no time) is no evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from statistics import median

from tools.compact import compact
from tools.data import Evidence
from tools.data_log import LogText
from tools.diagnosis.traits import BAR, EPOCH, LOSS, STEP, traits_of, without_digits

LEAST_S = 3600.0
GAPS = 5
LAST = 60
"""Progress lines from the end whose gaps are looked at."""
STAMPED = 200
"""Characters of a line in which its time stands."""
# the first of a line; what is behind it in the line belongs to the match, so that many lines are searched at once
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d).*")
# a bar's own clock: `[1:02:03<…`
_CLOCK = re.compile(r"\[(?:(\d{1,3}):)?(\d{1,2}):(\d\d)<.*")


@compact
class Pulse:
    """When a log last told of progress, as far as it tells."""

    where: str
    """The last line of progress."""
    before_end_s: float | None
    """Seconds from that line to the last writing of the file; None: what follows it carries no time."""
    gap_s: float | None
    """Usual seconds between two lines of progress, by their own times or a bar's clock."""
    lines: int | None
    """How many lines of progress there are; None where the log was not read whole."""
    written: float


@compact
class Idle:
    """For how long nothing moved, and where that is seen."""

    seconds: int
    gap_s: float | None
    evidence: tuple[Evidence, ...]
    stuck: bool
    """Long enough for the rule."""


def pulse_of(log: LogText) -> Pulse | None:
    """None for a log without lines of progress."""
    traits = traits_of(log)
    progress = traits.having(EPOCH | STEP | LOSS | BAR)
    last = progress.rfind(1)
    if last < 0:
        return None
    after = [i for i in range(last + 1, len(log.lines)) if log.lines[i].strip()]
    told = next(_stamps(log.lines[last]), None)
    end = next((stamp for i in reversed(after) for stamp in _stamps(log.lines[i])), None)
    # both times come from the same clock: in which zone it runs doesn't matter
    before_end = 0.0 if not after else end - told if told is not None and end is not None and end >= told else None
    gap = _gap(log, traits.last(EPOCH | STEP | LOSS | BAR, LAST))
    return Pulse(log.where(last), before_end, gap, None if log.left_out else progress.count(1), log.mtime)


def idle(
    pulses: Sequence[Pulse],
    now: float,
    *,
    started: float | None = None,
    saved: tuple[str, float] | None = None,
    logged: tuple[str, float] | None = None,
) -> Idle | None:
    """How long ago the newest sign of progress was; None where no log can tell.

    Times are epoch seconds: ``started`` of the job, ``saved`` path and time of the newest checkpoint, ``logged`` source
    and time of W&B's last row.
    """
    able = [pulse for pulse in pulses if pulse.before_end_s is not None]
    if not able or len(able) < len([pulse for pulse in pulses if now - pulse.written < LEAST_S]):
        return None  # a log that is still written to, and does not say when it last told of progress
    newest = min(able, key=lambda pulse: now - pulse.written + (pulse.before_end_s or 0.0))
    quiet = now - newest.written + (newest.before_end_s or 0.0)
    evidence = [Evidence("log", newest.where, f"last progress {_words(quiet)} ago")]
    others = [("checkpoints", *saved)] if saved else []
    others += [(logged[0], "last history row", logged[1])] if logged else []
    for source, where, at in others:
        quiet = min(quiet, now - at)
        evidence.append(Evidence(source, where, f"{_words(now - at)} old"))
    gaps = [gap for pulse in able if (gap := _usual_gap(pulse, started)) is not None]
    gap = min(gaps) if gaps else None
    stuck = gap is not None and quiet >= max(LEAST_S, GAPS * gap)
    return Idle(max(0, int(quiet)), gap, tuple(evidence), stuck)


def _usual_gap(pulse: Pulse, started: float | None) -> float | None:
    """The log's own, else the mean over the time from the job's start to the last writing."""
    if pulse.gap_s is not None:
        return pulse.gap_s
    if started is None or pulse.lines is None or pulse.lines < 5 or pulse.written <= started:
        return None
    return (pulse.written - started) / pulse.lines


def _gap(log: LogText, recent: Sequence[int]) -> float | None:
    """The median between the last lines of progress, by their own times, else by a bar's clock."""
    encoded = log.encoded_lines()
    lines = [encoded[i] for i in recent]
    shapes = without_digits(b"\n".join(lines))
    for times_in, sign in ((_stamps, b"--"), (_bar_clocks, b":<")):
        # a time without its digits: a cheap look before the pattern
        if sign not in shapes:
            continue
        telling = [line for line, shape in zip(lines, shapes.split(b"\n"), strict=True) if sign in shape]
        times = [*times_in(b"\n".join(telling).decode("utf-8", "surrogatepass"))]
        gaps = [later - earlier for earlier, later in pairwise(times) if later >= earlier]
        if len(gaps) >= 4:
            return median(gaps)
    return None


def _stamps(text: str) -> Iterator[float]:
    """The times that the lines of a text carry, as seconds of a clock without a zone; at most one a line."""
    for stamp in _STAMP.findall("\n".join([line[:STAMPED] for line in text.split("\n")])):
        with suppress(ValueError):
            yield datetime.fromisoformat(stamp).timestamp()


def _bar_clocks(text: str) -> Iterator[float]:
    """What the clocks of bars show; at most one a line."""
    return (
        int(minutes) * 60 + int(seconds) + (int(hours) * 3600.0 if hours else 0.0)
        for hours, minutes, seconds in _CLOCK.findall(text)
    )


def _words(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"
