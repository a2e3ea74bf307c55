"""Lines for a screen: nothing in them moves the cursor, colours or hides, none is longer than the screen is wide."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import east_asian_width

from tools.text import Redactor, visible

WIDTH = 80


def folded(lines: Sequence[str], redactor: Redactor) -> tuple[str, ...]:
    """The lines without secrets, in pieces that fit, cut after spaces, else after a path's parts; nothing is lost."""
    return tuple(piece for line in lines for piece in _pieces(redactor.clean(_visible(line))))


def _visible(line: str) -> str:
    return visible(line).replace("\n", "\\x0a").replace("\t", "\\x09")


def _pieces(line: str) -> list[str]:
    """The rest of a line is indented."""
    indent = " " * min(6, len(line) - len(line.lstrip()) + 2)
    pieces = []
    while (end := _fitting(line)) < len(line):
        at = next((at for sign in " /" if (at := line.rfind(sign, len(indent) + 8, end) + 1)), end)
        pieces.append(line[:at])
        line = indent + line[at:]
    return [*pieces, line]


def _fitting(line: str) -> int:
    """How many of a line's letters the screen's width holds; those of the Far East and pictures take two cells."""
    cells = 0
    for number, letter in enumerate(line):
        cells += 2 if east_asian_width(letter) in "WF" else 1
        if cells > WIDTH:
            return number
    return len(line)
