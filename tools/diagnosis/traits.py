"""What kind of thing each line of a log may be, told once for all lines that differ only in their numbers.

Nearly every line of a log is one that was seen before with other numbers, in this log or in another of the sweep. The
words that the patterns need are looked for in such a shape once; after that a line costs one look into a table. The
traits of a log are one byte a line, so that lines of a kind are found without a step of Python for each of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import compress

from tools.data_log import LogText
from tools.diagnosis import crash_patterns, dumps, marker_lines
from tools.diagnosis.sign import Sign

SIGN, RANK, MARKER, EPOCH, STEP, BAR, LOSS, ALIVE = (1 << n for n in range(8))
"""May explain an end; names the rank that failed first; names a run, its folder or a sweep; holds an epoch, a step, a
progress bar, a loss; shows that the training goes on."""
ALIVE_WORDS = (
    *("{'loss'", '"loss"', "epoch=", "poch:", "poch ", "step=", "tep:", "tep "),
    *("oss=", "oss:", "oss ", "ter ", "it/s]", "s/it]"),
)  # fmt: skip
FINISHED, STOPPED = 1, 2
"""Says that it is done; says that it stopped early: asked of the last lines only."""
BEGINS, CONFIG = 1, 2
"""May say what a trainer is about to do; may be of a printed configuration: asked of the first lines only."""
# The words without which a line can't be one of these; none holds a digit.
_WORDS = {
    RANK: ("local_rank",),
    MARKER: marker_lines.HINTS,
    EPOCH: ("poch", "POCH", "rain: ", "] loss", "] train_loss", "G  "),
    STEP: ("tep", "TEP", "ter", "TER", "pdate", "[batch="),
    BAR: ("%|",),
    LOSS: ("oss", "OSS"),
    ALIVE: ALIVE_WORDS,
}
_CLOSING_WORDS = {
    FINISHED: (
        "raining",
        "RAINING",
        "stopped",
        "Agent completed",
        "exit command",
        "train_runtime",
        " epochs",
        " Epochs",
        "one",
        "ONE",
        "inished",
        "ompleted",
        "*** Best metric",
        "tuning loop",
    ),
    STOPPED: ("top", "TOP", "atience", "ATIENCE", "mprove", "runed", "ermina", "alti", "arly"),
}
_OPENING_WORDS = {BEGINS: (" = ",), CONFIG: (*dumps.HINTS, dumps.WORKFLOW)}
REMEMBERED = 10_000
"""Shapes that are remembered over all logs of a look."""
_DIGITS = b"0123456789"


def _told(text: str, words_of: Mapping[int, Sequence[str]]) -> int:
    found = 0
    for trait, words in words_of.items():
        for word in words:
            if word in text:
                found |= trait
                break
    return found


class _Saying(dict[bytes, int]):
    """Shape -> which of these words it may hold."""

    def __init__(self, words: Mapping[int, Sequence[str]]) -> None:
        self._words = words

    def __missing__(self, shape: bytes) -> int:
        found = self[shape] = _told(shape.decode("utf-8", "replace"), self._words)
        return found

    def of(self, shapes: Sequence[bytes]) -> bytes:
        """What each of the lines may say; empty where none says anything."""
        told = map(self.__getitem__, set(shapes))
        return bytes(map(self.__getitem__, shapes)) if any(told) else b""


class _Table(dict[bytes, int]):
    """Shape -> its traits."""

    def __missing__(self, shape: bytes) -> int:
        text = shape.decode("utf-8", "replace")
        found = _told(text, _WORDS)
        signs = crash_patterns.candidates(text)
        if signs is not None:
            found |= SIGN
            _signs[shape] = signs
        self[shape] = found
        return found


_table, _closing, _opening = _Table(), _Saying(_CLOSING_WORDS), _Saying(_OPENING_WORDS)
_signs: dict[bytes, tuple[Sign, ...]] = {}


@cache
def _among(traits: int, beside: int = 0) -> bytes:
    """A table for ``bytes.translate``: 1 for bytes that have one of the traits; a BAR only ``beside`` others."""
    alone = traits & ~BAR if beside else traits
    return bytes(1 if mask & alone or (mask & traits and mask & beside) else 0 for mask in range(256))


class Traits:
    """The traits of the lines of one log."""

    def __init__(self, shapes: Sequence[bytes], of: bytes) -> None:
        self.shapes = shapes
        """The lines without their digits, in UTF-8."""
        self.of = of
        """Line by line."""
        self._closing = 0, b""
        self._opening = 0, b""
        """What so many last and first lines may say: each is asked for one thing, then for another."""

    def part(self, start: int, end: int) -> Traits:
        """Those of the lines from ``start`` to before ``end``."""
        return Traits(self.shapes[start:end], self.of[start:end])

    def having(self, traits: int, beside: int = 0) -> bytes:
        """For each line 1 where it has one of the traits, else 0; a BAR only beside one of ``beside``, if given."""
        return self.of.translate(_among(traits, beside))

    def where(self, traits: int, first: int = 0) -> Iterator[int]:
        """The lines that have one of the traits, in their order."""
        lines = self.having(traits)
        i = lines.find(1, first)
        while i >= 0:
            yield i
            i = lines.find(1, i + 1)

    def back(self, traits: int, first: int = 0) -> Iterator[int]:
        """The same, the last one first."""
        lines = self.having(traits)
        i = lines.rfind(1, first)
        while i >= 0:
            yield i
            i = lines.rfind(1, first, i)

    def last(self, traits: int, count: int) -> list[int]:
        """At most so many last lines that have one of the traits, in their order."""
        lines = self.having(traits)
        first = len(lines)
        found: list[int] = []
        while first and len(found) < count:
            first = max(0, first - 4 * count)
            found = [*compress(range(first, len(lines)), lines[first:])]
        return found[-count:]

    def closing(self, what: int, last: int) -> Iterator[int]:
        """Of so many last lines those that may say FINISHED or STOPPED, the last one first."""
        first = max(0, len(self.shapes) - last)
        if self._closing[0] != last:
            self._closing = last, _closing.of(self.shapes[first:])
        said = self._closing[1].translate(_among(what))
        i = len(said)
        while (i := said.rfind(1, 0, i)) >= 0:
            yield first + i

    def opening(self, what: int, count: int) -> Iterator[int]:
        """Of so many first lines those that may say BEGINS or CONFIG, the last one first."""
        if self._opening[0] != count:
            self._opening = count, _opening.of(self.shapes[:count])
        said = self._opening[1].translate(_among(what))
        i = len(said)
        while (i := said.rfind(1, 0, i)) >= 0:
            yield i

    def signs(self, i: int) -> tuple[Sign, ...]:
        """The signs that line ``i`` may fit."""
        return _signs.get(self.shapes[i], ())


def traits_of(log: LogText) -> Traits:
    """The traits of a log's lines, found out once."""
    found: Traits | None = log.notes.get("traits")
    if found is None:
        if len(_table) > REMEMBERED:
            _table.clear()
            _closing.clear()
            _opening.clear()
            _signs.clear()
        text = log.encoded or "\n".join(log.lines).encode("utf-8", "surrogatepass")
        shapes = text.translate(None, _DIGITS).split(b"\n") if log.lines else []
        found = log.notes["traits"] = Traits(shapes, bytes(map(_table.__getitem__, shapes)))
    return found
