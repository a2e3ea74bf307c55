"""Whether a run learns: the trend of its losses, and what a person should look at. Medians count, never one spike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from tools.compact import compact
from tools.data import Arrow, Verdict
from tools.diagnosis.series import Point, Series, values_of
from tools.diagnosis.siblings import DEVIATION, Finding, behind_siblings
from tools.diagnosis.verdict import diverged

LEAST = 6
"""Losses that a trend needs: two in each third."""
WINDOW = 60
"""The trend is that of so many last losses; twenty in each third steady a loss that is noisy by a tenth."""
CLEAR = 0.01
"""A change below one in a hundred is none: two digits are what people read of a loss."""
STUCK = 100
"""The rules' sign of a plateau: the same value for 100 logged steps."""
RECENT = 5
"""Values whose median is called recent: two spikes among them don't count."""
BEFORE = 10
"""Values before the recent ones that make a level to compare with."""
EXPLODED = 10.0
"""Times its level. The rules' loss above 100 is such a factor for a loss that begins below 10, and says nothing of a
summed loss that begins in the thousands."""
RISES = 3
"""Rises of the validation loss in a row: two happen by chance every sixth evaluation, three every 24th."""
PAST_BEST = 5
"""Evaluations since the best one, if the last three lie clearly above it; the patience of early stopping is as long."""
ABOVE_BEST = 0.05
"""Clearly above the best: one part in twenty."""


@compact
class Health:
    """``unknown`` says why there is no verdict."""

    verdict: Verdict | None
    arrow: Arrow | None
    findings: tuple[Finding, ...] = ()
    behind: Finding | None = None
    unknown: str | None = None
    loss: Point | None = None
    validation_loss: Point | None = None
    grad_norm: Point | None = None
    learning_rate: Point | None = None

    @property
    def note(self) -> str | None:
        """One line: the gravest finding, or why nothing is known."""
        return self.findings[0].words if self.findings else self.unknown


def judge(series: Series, siblings: Sequence[Sequence[Point]] = ()) -> Health:
    """The verdict on one run; ``siblings`` are the courses (``Series.curve``) of other runs of its sweep."""
    finite = [point for point in series.training if math.isfinite(point.value)]
    values = values_of(finite)
    trend = _trend(values[-WINDOW:])
    lost = _not_finite(series, finite) if len(finite) < len(series.training) else None
    grown, rises = _exploding(series, finite, values), _overfitting(series.validation)
    stuck = _plateau(series, finite, values) if trend == "flat" else None
    behind = behind_siblings(finite, siblings)
    up = _rising(finite[-1], values[-WINDOW:]) if trend == "rising" else None
    verdict: Verdict | None = trend
    if lost and diverged(values_of(series.training)):
        verdict = "diverged"
    elif grown:
        verdict = "exploding"
    elif rises and trend != "rising":
        verdict = "overfitting"
    elif stuck:
        verdict = "plateau"
    arrows: dict[Verdict | None, Arrow] = {"falling": "↓", "flat": "→", "rising": "↑"}
    return Health(
        verdict=verdict,
        arrow=None if verdict == "diverged" else arrows.get(trend),
        findings=tuple(finding for finding in (lost, *grown, behind, rises, up, stuck) if finding),
        behind=behind,
        unknown=None if verdict else _why_unknown(series),
        loss=_last(series.training),
        validation_loss=_last(series.validation),
        grad_norm=_last(series.grad_norm),
        learning_rate=_last(series.learning_rate),
    )


def _last(points: Sequence[Point]) -> Point | None:
    return points[-1] if points else None


def _why_unknown(series: Series) -> str:
    count = len(series.training)
    if not count:
        return "no training loss in its log"
    return f"{count} training loss{'es' if count > 1 else ''} in its log: a trend needs {LEAST} finite ones"


def _trend(values: Sequence[float]) -> Verdict | None:
    """First third against last: beyond one in a hundred, and beyond twice what noise does to two such medians.

    Noise is read from the steps between neighbours, which a slow trend hardly touches; the median of k values is
    uncertain by 1.25 deviations over the root of k.
    """
    if len(values) < LEAST:
        return None
    third = len(values) // 3
    before, after = median(values[:third]), median(values[-third:])
    steps = [abs(later - earlier) for earlier, later in pairwise(values)]
    noise = DEVIATION * median(steps) / math.sqrt(2)
    least = max(CLEAR * abs(before), 2 * 1.25 * noise * math.sqrt(2 / third))
    if abs(after - before) <= least:
        return "flat"
    return "falling" if after < before else "rising"


def _not_finite(series: Series, finite: Sequence[Point]) -> Finding | None:
    recent = series.training[-20:]
    lost = [point for point in recent if not math.isfinite(point.value)]
    if not lost:
        return None
    tail = 0
    while tail < len(series.training) and not math.isfinite(series.training[-1 - tail].value):
        tail += 1
    if tail < 3:
        return Finding(f"{len(lost)} of the last {len(recent)} losses are not finite", lost[-1])
    before = finite or [point for point in series.curve if math.isfinite(point.value)]
    words = f"the last {tail} losses are not finite ({', '.join(f'{point.value:g}' for point in recent[-3:])})"
    return Finding(words + (f"; {before[-1].value:.4g} before that" if before else ""), series.training[-tail])


def _exploding(series: Series, finite: Sequence[Point], values: Sequence[float]) -> list[Finding]:
    found = []
    curve = [point.value for point in series.curve if math.isfinite(point.value)]
    thirds = [curve[: len(curve) // 3], curve[len(curve) // 3 : 2 * len(curve) // 3]] if len(curve) >= 9 else []
    if growth := _growth(values, thirds):
        found.append(Finding(f"loss {growth[0]:.4g}, {growth[1]:.0f} times its level before", finite[-1]))
    norms = [point for point in series.grad_norm if math.isfinite(point.value)]
    if growth := _growth(values_of(norms), ()):
        found.append(Finding(f"gradient norm {growth[0]:.4g}, {growth[1]:.0f} times its median", norms[-1]))
    if diverged(values_of(series.grad_norm)):
        found.append(Finding("the last 3 gradient norms are not finite", series.grad_norm[-1]))
    return found


def _growth(values: Sequence[float], levels: Sequence[Sequence[float]]) -> tuple[float, float] | None:
    """Recent median, and how many times the lowest level before it is, from ``EXPLODED`` on."""
    if len(values) < RECENT + BEFORE:
        return None
    recent = median(values[-RECENT:])
    level = min([median(values[:-RECENT]), *(median(group) for group in levels)])
    return (recent, recent / level) if level > 0 and recent / level >= EXPLODED else None


def _overfitting(points: Sequence[Point]) -> Finding | None:
    finite = [point for point in points if math.isfinite(point.value)]
    values = values_of(finite)
    if len(values) <= RISES:
        return None
    streak = 0
    while streak + 1 < len(values) and values[-1 - streak] > values[-2 - streak]:
        streak += 1
    start = values[-1 - streak]
    if streak >= RISES and values[-1] - start > CLEAR * abs(start):
        words = f"validation loss rose for the last {streak} evaluations: {start:.4g} → {values[-1]:.4g}"
        return Finding(words, finite[-1])
    best = min(range(len(values)), key=values.__getitem__)
    since = len(values) - 1 - best
    if since >= PAST_BEST and median(values[-3:]) - values[best] > ABOVE_BEST * abs(values[best]):
        words = f"validation loss {values[-1]:.4g}, best was {values[best]:.4g} {since} evaluations ago"
        return Finding(words, finite[-1])
    return None


def _rising(newest: Point, values: Sequence[float]) -> Finding:
    third = len(values) // 3
    before, after = median(values[:third]), median(values[-third:])
    return Finding(f"loss rose from {before:.4g} to {after:.4g} over its last {len(values)} values", newest)


def _plateau(series: Series, finite: Sequence[Point], values: Sequence[float]) -> Finding | None:
    """Flat over everything that is kept, and no lower in the last third of the log than in the one before.

    A long training that falls slowly is flat in any short stretch.
    """
    if len(values) < STUCK or _trend(values) != "flat":
        return None
    course = [point.value for point in series.curve if math.isfinite(point.value)]
    if len(course) >= 9 and _trend(course[len(course) // 3 :]) == "falling":
        return None
    return Finding(f"loss stays at {median(values):.4g} for its last {len(values)} values", finite[-1])
