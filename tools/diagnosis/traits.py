"""What kind of thing each line of a log may be, told once for all lines that differ only in their numbers.

Nearly every line of a log is one that was seen before with other numbers, in this log or in another of the sweep. The
words that the patterns need are looked for in such a shape once; after that a line costs one look into a table. The
traits of a log are one byte a line, so that lines of a kind are found without a step of Python for each of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice

from tools.data_log import LogText
from tools.diagnosis import crash_patterns, dumps, marker_lines, stretches
from tools.diagnosis.lines import has
from tools.diagnosis.sign import Sign
from tools.diagnosis.words import Words

SIGN, SAYS, MARKER, EPOCH, STEP, BAR, LOSS, ALIVE = (1 << n for n in range(8))
"""May explain an end, or name the rank that failed first; may say any of what follows here; names a run, its folder or
a sweep; holds an epoch, a step, a progress bar, a loss; shows that the training goes on."""
ALIVE_WORDS = (
    *("{'loss'", '"loss"', "epoch=", "poch:", "poch ", "step=", "tep:", "tep "),
    *("oss=", "oss:", "oss ", "ter ", "it/s]", "s/it]"),
)  # fmt: skip
FINISHED, STOPPED, BEGINS, CONFIG = (1 << n for n in range(4))
"""Says that it is done; that it stopped early: asked of the last lines only. May say what a trainer is about to do; may
be of a printed configuration: asked of the first lines only."""
# The words without which a line can't be one of these; none holds a digit.
_SAYING_WORDS = {
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
    BEGINS: (" = ",),
    CONFIG: (*dumps.HINTS, dumps.WORKFLOW),
}
_WORDS = {
    SIGN: (*crash_patterns.GATE, "local_rank"),
    SAYS: tuple(word for words in _SAYING_WORDS.values() for word in words),
    MARKER: marker_lines.HINTS,
    EPOCH: ("poch", "POCH", "rain: ", "] loss", "] train_loss", "G  "),
    STEP: ("tep", "TEP", "ter", "TER", "pdate", "[batch="),
    LOSS: ("oss", "OSS"),
    ALIVE: ALIVE_WORDS,
}
_BAR = "%|"
_TRAITS: dict[str, int] = {}
for _trait, _words in _WORDS.items():
    for _word in _words:
        _TRAITS[_word] = _TRAITS.get(_word, 0) | _trait
_ANY = Words(_TRAITS)
REMEMBERED = 10_000
"""Shapes that are remembered over all logs of a look."""
_DIGITS = b"0123456789"


def without_digits(text: bytes) -> bytes:
    """The shape of a line, or of many."""
    return text.translate(None, _DIGITS)


class _Saying(dict[bytes, int]):
    """Shape -> what of FINISHED, STOPPED, BEGINS and CONFIG it may say."""

    def __missing__(self, shape: bytes) -> int:
        text = shape.decode("utf-8", "replace")
        found = self[shape] = sum(what for what, words in _SAYING_WORDS.items() if has(text, words))
        return found


class _Signs(dict[bytes, tuple[Sign, ...] | None]):
    """Shape -> the signs that it may fit, or None; made anew where it was forgotten while its log is still read."""

    def __missing__(self, shape: bytes) -> tuple[Sign, ...] | None:
        found = self[shape] = crash_patterns.candidates(shape.decode("utf-8", "replace"))
        return found


class _Table(dict[bytes, int]):
    """Shape -> its traits."""

    def __missing__(self, shape: bytes) -> int:
        text = shape.decode("utf-8", "replace")
        found = BAR if _BAR in text else 0
        for word in _ANY.within(text):
            found |= _TRAITS[word]
        self[shape] = found
        return found


_table, _saying, _signs = _Table(), _Saying(), _Signs()


@cache
def _among(traits: int, beside: int = 0) -> bytes:
    """A table for ``bytes.translate``: 1 for bytes that have one of the traits; a BAR only ``beside`` others."""
    alone = traits & ~BAR if beside else traits
    return bytes(1 if mask & alone or (mask & traits and mask & beside) else 0 for mask in range(256))


class Traits:
    """The traits of the lines of one log."""

    __slots__ = ("_lines", "of")

    def __init__(self, lines: Sequence[bytes], of: bytes) -> None:
        self._lines = lines
        self.of = of
        """Line by line."""

    def part(self, start: int, end: int) -> Traits:
        """Those of the lines from ``start`` to before ``end``."""
        return Traits(self._lines[start:end], self.of[start:end])

    def shape(self, i: int) -> bytes:
        """Line ``i`` without its digits, in UTF-8."""
        return without_digits(self._lines[i])

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
        return [*islice(self.back(traits), count)][::-1]

    def closing(self, what: int, last: int) -> Iterator[int]:
        """Of so many last lines those that may say FINISHED or STOPPED, the last one first."""
        return self._saying(what, max(0, len(self.of) - last), len(self.of))

    def opening(self, what: int, count: int) -> Iterator[int]:
        """Of so many first lines those that may say BEGINS or CONFIG, the last one first."""
        return self._saying(what, 0, count)

    def _saying(self, what: int, first: int, end: int) -> Iterator[int]:
        lines = self.having(SAYS)
        i = end
        while (i := lines.rfind(1, first, i)) >= 0:
            if _saying[self.shape(i)] & what:
                yield i

    def signs(self, i: int) -> tuple[Sign, ...] | None:
        """The signs that line ``i``, a SIGN, may fit; None where it names the rank that failed first, and no more."""
        return _signs[self.shape(i)]

    def first_sign(self, first: int) -> int | None:
        """The first line from there on that may explain an end."""
        return next((i for i in self.where(SIGN, first) if self.signs(i) is not None), None)


def traits_of(log: LogText) -> Traits:
    """The traits of a log's lines, found out once."""
    found: Traits | None = log.notes.get("traits")
    if found is None:
        if len(_table) > REMEMBERED:
            _table.clear()
            _saying.clear()
            _signs.clear()
        text = log.encoded or b"\n".join(log.encoded_lines())
        of = stretches.told(without_digits(text) + b"\n", _table.__getitem__) if log.lines else b""
        found = log.notes["traits"] = Traits(log.encoded_lines(), of)
    return found
