"""What kind of thing each line of a log may be, told once for all lines that differ only in their numbers.

Nearly every line of a log is one that was seen before with other numbers, in this log or in another of the sweep. The
words that the patterns need are looked for in such a shape once; after that a line costs one look into a table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tools.data import LogText
from tools.diagnosis import crash_patterns
from tools.diagnosis.sign import Sign

SIGN, MARKER, FOLDER, EPOCH, STEP, BAR, LOSS, FINISHED, STOPPED = (1 << n for n in range(9))
"""May explain an end; names a run or sweep; names a run folder; holds an epoch, a step, a progress bar, a loss; says
that it is done; says that it stopped early."""
# The words without which a line can't be one of these; none holds a digit.
_WORDS = {
    MARKER: ("un", "weep", "gent"),
    FOLDER: ("run-",),
    EPOCH: ("poch", "POCH", "rain: ", "] loss", "] train_loss", "G  "),
    STEP: ("tep", "TEP", "ter", "TER", "pdate", "[batch="),
    BAR: ("%|",),
    LOSS: ("oss", "OSS"),
    FINISHED: (
        "raining",
        "RAINING",
        "stopped",
        "Agent completed",
        "exit command",
        "train_runtime",
        "pochs",
        "one",
        "ONE",
        "inished",
        "ompleted",
        "*** Best metric",
        "tuning loop",
    ),
    STOPPED: ("top", "TOP", "atience", "ATIENCE", "mprove", "Agent received", "runed", "ermina", "alti", "arly"),
}
REMEMBERED = 50_000
"""Shapes that are remembered over all logs of a look."""
_DIGITS = b"0123456789"


class _Table(dict[bytes, int]):
    """Shape -> its traits."""

    def __missing__(self, shape: bytes) -> int:
        text = shape.decode("utf-8", "replace")
        found = 0
        for trait, words in _WORDS.items():
            for word in words:
                if word in text:
                    found |= trait
                    break
        signs = crash_patterns.candidates(text)
        if signs is not None:
            found |= SIGN
            _signs[shape] = signs
        self[shape] = found
        return found


_table = _Table()
_signs: dict[bytes, tuple[Sign, ...]] = {}


class Traits:
    """The traits of the lines of one log."""

    def __init__(self, shapes: Sequence[bytes], of: Sequence[int]) -> None:
        self._shapes = shapes
        self.of = of
        """Line by line."""
        self._any = 0
        for mark in set(of):
            self._any |= mark

    def part(self, start: int, end: int) -> Traits:
        """Those of the lines from ``start`` to before ``end``."""
        return Traits(self._shapes[start:end], self.of[start:end])

    def where(self, trait: int, first: int = 0) -> Iterator[int]:
        """The lines that have a trait, in their order."""
        if not self._any & trait:
            return iter(())
        marks = self.of
        return (i for i in range(first, len(marks)) if marks[i] & trait)

    def signs(self, i: int) -> tuple[Sign, ...]:
        """The signs that line ``i`` may fit."""
        return _signs.get(self._shapes[i], ())

    def shape(self, i: int) -> bytes:
        """Line ``i`` without its digits."""
        return self._shapes[i]


def traits_of(log: LogText) -> Traits:
    """The traits of a log's lines, found out once."""
    found: Traits | None = log.notes.get("traits")
    if found is None:
        if len(_table) > REMEMBERED:
            _table.clear()
            _signs.clear()
        text = "\n".join(log.lines).encode("utf-8", "surrogatepass").translate(None, _DIGITS)
        shapes = text.split(b"\n") if log.lines else []
        found = log.notes["traits"] = Traits(shapes, [_table[shape] for shape in shapes])
    return found
