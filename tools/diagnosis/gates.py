"""What a line can't tell, judged by its shape: once for all lines that differ only in their numbers.

Nothing here says that a line tells something: only which patterns are worth a try, and whether one is.
"""

from __future__ import annotations

import re

from tools.compact import compact
from tools.diagnosis import lines, shapes

REMEMBERED = 10_000
"""Shapes that are remembered over all logs of a look."""
_BESIDE = r"(?<![A-Za-z_.-])"
_BEHIND = r"['\"\s:=#\[]"
# Wider than the patterns for these words, and without the numbers: `max_epochs=8` is no epoch.
_WORD_ALONE = {
    shapes.EPOCH: re.compile(rf"{_BESIDE}(?:[Ee]poch|EPOCH){_BEHIND}"),
    shapes.STEP: re.compile(
        rf"{_BESIDE}(?:[Gg]lobal[_ ]?)?(?:[Ss]tep|STEP|[Ii]ter(?:ation)?|ITERATION|[Uu]pdate){_BEHIND}"
    ),
}
_PAST = (*shapes.NOT_PROGRESS_WORDS, *shapes.CONFIGURATION_WORDS, *shapes.RECORD_WORDS)


@compact
class Gate:
    """What lines of one shape may tell."""

    epochs: tuple[shapes.Shape, ...]
    """The shapes of an epoch that they may have."""
    steps: tuple[shapes.Shape, ...]
    """Those of a step."""
    past: bool
    """They may only look like progress."""


class _Gates(dict[bytes, Gate]):
    def __missing__(self, shape: bytes) -> Gate:
        if len(self) > REMEMBERED:
            self.clear()
        text = shape.decode("utf-8", "replace")
        past = lines.has(text, _PAST)
        found = self[shape] = Gate(_within(text, shapes.EPOCH_SHAPES), _within(text, shapes.STEP_SHAPES), past)
        return found


def _within(text: str, known: tuple[shapes.Shape, ...]) -> tuple[shapes.Shape, ...]:
    return tuple(
        one
        for one in known
        if lines.has(text, one[0]) and ((word := _WORD_ALONE.get(one[2])) is None or word.search(text))
    )


_gates = _Gates()


def gate_of(shape: bytes) -> Gate:
    """``shape`` is a line without its digits, in UTF-8."""
    return _gates[shape]
