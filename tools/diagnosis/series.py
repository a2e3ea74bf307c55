"""How losses, gradient norms and the learning rate moved, as the log's lines tell; W&B's last row where it is mute.

The shapes are those that the progress is read from (``lines``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tools.compact import compact
from tools.data_log import LogText
from tools.diagnosis import lines

MOST = 200
"""Values kept of each kind, the last ones."""
CANDIDATES = 1000
"""Lines of one log that are read with patterns, the last ones: bars repeat themselves, and a look has many logs."""
SPOTS = 24
"""Places of a log at which its whole course is sampled: thirds of them still have a median each."""
NEAR = 60
"""Lines after such a place in which a loss is looked for."""


_ANY = (*lines.LOSS, *lines.OTHERS)
_HELD_OUT_NAMES = (*lines.VALIDATION_LOSS_NAMES, *lines.TEST_LOSS_NAMES)


@compact
class Point:
    """One logged value; epoch and step are those of the same line."""

    epoch: float | None
    step: int | None
    value: float
    where: str
    """``file:line``."""


@compact
class Series:
    """The last values of each kind, oldest first."""

    training: tuple[Point, ...] = ()
    validation: tuple[Point, ...] = ()
    grad_norm: tuple[Point, ...] = ()
    learning_rate: tuple[Point, ...] = ()
    curve: tuple[Point, ...] = ()
    """Training losses from the whole log, thinned."""


def values_of(points: Sequence[Point]) -> list[float]:
    """The bare numbers."""
    return [point.value for point in points]


@dataclass(slots=True)
class _Kept:
    """Newest first, while the lines are read backwards."""

    training: list[Point] = field(default_factory=list)
    validation: list[Point] = field(default_factory=list)
    test: list[Point] = field(default_factory=list)
    grad_norm: list[Point] = field(default_factory=list)
    learning_rate: list[Point] = field(default_factory=list)


def read_series(logs: Sequence[LogText]) -> Series:
    """The values of one run's own part of its logs; of both streams the one that says more counts, kind by kind."""
    series = Series()
    for log in logs:
        found = _read(log)
        series = Series(*(_longer(one, other) for one, other in zip(_kinds(series), _kinds(found), strict=True)))
    return replace(series, curve=read_curve(logs))


def read_curve(logs: Sequence[LogText]) -> tuple[Point, ...]:
    """At most ``SPOTS`` training losses spread evenly over the whole log that holds most of them, oldest first."""
    best: tuple[Point, ...] = ()
    for log in logs:
        size = len(log.lines)
        spots = sorted({spot * (size - 1) // (SPOTS - 1) for spot in range(SPOTS)}) if size else []
        found: dict[str, Point] = {}
        for spot in spots:
            for i in range(spot, min(size, spot + NEAR)):
                if not lines.has(log.lines[i], lines.LOSS) or (values := lines.read_line(log.lines[i])) is None:
                    continue
                if values.training is not None:
                    point = _point(log, i, values, values.training)
                    found[point.where] = point
                    break
        best = _longer(best, tuple(found.values()))
    return best


def with_history(series: Series, row: Mapping[str, Any], where: str) -> Series:
    """What the log is mute about, as the single last value that was logged to W&B; ``where`` names that row."""

    def last(have: tuple[Point, ...], names: Sequence[str]) -> tuple[Point, ...]:
        value = None if have else lines.number_in(row, names)
        if value is None:
            return have
        epoch, step = lines.number_in(row, lines.EPOCH_NAMES), lines.number_in(row, lines.STEP_NAMES)
        whole = int(step) if step is not None and math.isfinite(step) else None
        return (Point(epoch, whole, value, where),)

    return Series(
        training=last(series.training, lines.LOSS_NAMES),
        validation=last(series.validation, _HELD_OUT_NAMES),
        grad_norm=last(series.grad_norm, lines.GRAD_NORM_NAMES),
        learning_rate=last(series.learning_rate, lines.RATE_NAMES),
        curve=series.curve,
    )


def _kinds(series: Series) -> tuple[tuple[Point, ...], ...]:
    return series.training, series.validation, series.grad_norm, series.learning_rate


def _longer(one: tuple[Point, ...], other: tuple[Point, ...]) -> tuple[Point, ...]:
    return one if len(one) >= len(other) else other


def _read(log: LogText) -> Series:
    kept = _Kept()
    read = 0
    for i in range(len(log.lines) - 1, -1, -1):
        line = log.lines[i]
        if len(kept.training) < MOST:
            if not lines.has(line, _ANY):
                continue
        elif not lines.has(line, lines.HELD_OUT) or not lines.has(line, lines.LOSS):
            continue
        read += 1
        if read > CANDIDATES:
            break
        if len(kept.training) == MOST and _repeats_evaluation(line, kept):
            continue
        if values := lines.read_line(line):
            _keep(kept, values, partial(_point, log, i, values))
    validation = kept.validation or kept.test
    return Series(*(tuple(reversed(kind)) for kind in (kept.training, validation, kept.grad_norm, kept.learning_rate)))


def _repeats_evaluation(line: str, kept: _Kept) -> bool:
    """A bar shows the last evaluation's loss until the next one; a line without any tells nothing either."""
    if line.lstrip().startswith("{"):
        return False
    found = lines.held_out_loss_in(line)
    have = kept.test if found and found[0] == "test" else kept.validation
    return found is None or bool(have and have[-1].value == found[1])


def _keep(kept: _Kept, values: lines.Values, point: Callable[[float], Point]) -> None:
    for have, value in (
        (kept.training, values.training),
        (kept.grad_norm, values.grad_norm),
        (kept.learning_rate, values.learning_rate),
        (kept.validation, values.validation),
        (kept.test, values.test),
    ):
        if value is None or len(have) >= MOST:
            continue
        new = point(value)
        newer = have[-1] if have else None
        # a bar is printed many times: with the same numbers, and with the last evaluation's loss until the next one
        repeated = newer is not None and newer.value == value
        place = (new.epoch, new.step)
        same_place = newer is not None and place == (newer.epoch, newer.step) != (None, None)
        if not repeated or not (same_place or have is kept.validation or have is kept.test):
            have.append(new)


def _point(log: LogText, i: int, values: lines.Values, value: float) -> Point:
    return Point(values.epoch, values.step, value, log.where(i))
