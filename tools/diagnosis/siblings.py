"""A run against the others of its sweep: what they had lost by the same epoch or step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

from tools.compact import compact
from tools.diagnosis.series import Point, values_of

SIBLINGS = 3
"""Runs of the same sweep that make a median to compare with."""
BEHIND = 0.5
"""So far above the siblings' median, as a part of it, and three of their deviations, a run is behind."""
DEVIATION = 1.4826
"""From a median absolute deviation to a standard deviation, for a normal distribution."""


@compact
class Finding:
    """One thing to look at, in words, and the newest value that shows it."""

    words: str
    point: Point


def behind_siblings(finite: Sequence[Point], siblings: Sequence[Sequence[Point]]) -> Finding | None:
    """The loss now against what the siblings had at the same epoch, or step where epochs are not logged."""
    if len(finite) < 3 or len(siblings) < SIBLINGS:
        return None
    point, loss = finite[-1], median(values_of(finite)[-3:])
    for place, name in ((_epoch, "epoch"), (_step, "step")):
        at = place(point)
        if at is None:
            continue
        levels = [level for curve in siblings if (level := _level(curve, at, place)) is not None]
        if len(levels) < SIBLINGS:
            continue
        middle = median(levels)
        spread = DEVIATION * median(abs(level - middle) for level in levels)
        if loss - middle <= max(BEHIND * abs(middle), 3 * spread):
            return None
        words = f"loss {loss:.4g} at {name} {at:g} where {len(levels)} siblings have a median of {middle:.4g}"
        return Finding(words, point)
    return None


def _epoch(point: Point) -> float | None:
    return point.epoch


def _step(point: Point) -> float | None:
    return point.step


def _level(curve: Sequence[Point], at: float, place: Callable[[Point], float | None]) -> float | None:
    """The higher of the two values around a place: thinned, a curve is not exact, and nobody is blamed for that."""
    known = [(where, point.value) for point in curve if (where := place(point)) is not None]
    before = max((pair for pair in known if pair[0] <= at), default=None)
    after = min((pair for pair in known if pair[0] >= at), default=None)
    if before is None or after is None:
        return None
    level = max(before[1], after[1])
    return level if math.isfinite(level) else None
