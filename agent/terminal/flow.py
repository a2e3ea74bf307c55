"""Words put out as they come: a line is broken before the word that no longer fits, and nothing is written twice.

Nothing moves the cursor back, so it does no harm to scroll, to resize or to have few escape codes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.style import Style
from rich.text import Text

LEAST = 20
"""Columns that text is folded into at least; the terminal folds it further."""
PLAIN, DIM = Style(), Style(dim=True)
HEAD = re.compile(r"( {0,40})([-*+·•] {1,4}|\d{1,3}[.)] {1,4}|#{1,6} {1,4}|> ?)?")
"""The indentation of a line, and the mark of an item, a heading or a quotation."""


class Run(NamedTuple):
    """A piece of a line in one style."""

    text: str
    style: Style = PLAIN
    whole: bool = False
    """Never broken over two lines: it is there to be copied or clicked."""


class Flow:
    """One line of text at a time. ``before`` is called before anything is written."""

    def __init__(self, out: Console, before: Callable[[], object] = lambda: None) -> None:
        self._out, self._before = out, before
        self._indent = self._at = 0

    def begin(self, head: str) -> None:
        """A new line that begins with ``head``; those that it is broken into are indented like it."""
        self._indent = min(len(head), max(0, self._out.width - LEAST))
        self._at = len(head)
        self._write(Text(head), "")

    def add(self, runs: Iterable[Run]) -> None:
        """More of that line. A word wider than the screen is left to the terminal, which keeps it whole for whoever
        copies it."""
        width, out = max(LEAST, self._out.width), list[Run]()
        for space, word in _words(runs):
            size = sum(cell_len(run.text) for run in word)
            if self._at > self._indent and self._at + len(space.text) + size > width:
                out.append(Run("\n" + " " * self._indent))
                self._at = self._indent
            else:
                out.append(space)
                self._at += len(space.text)
            out += word
            self._at += size
            if self._at > width:
                self._at %= width
        joined = (("".join(run.text for run in same), style) for style, same in groupby(out, lambda run: run.style))
        self._write(Text.assemble(*joined), "")

    def end(self) -> None:
        """The line has ended."""
        self._write(Text(), "\n")

    def whole(self, line: Text) -> None:
        """A line that is left as it is, however long."""
        self._write(line, "\n")

    def block(self, what: RenderableType) -> None:
        """Something that fits by itself."""
        self._before()
        self._out.print(what)

    def _write(self, text: Text, end: str) -> None:
        if text or end:
            self._before()
            self._out.print(text, end=end, soft_wrap=True)


def print_folded(out: Console, line: str, style: Style = PLAIN) -> None:
    """One line of plain text, folded at the screen's width."""
    flow, head = Flow(out), HEAD.match(line)
    indent = head.end() if head else 0
    flow.begin(line[:indent])
    flow.add([Run(line[indent:], style)])
    flow.end()


def _words(runs: Iterable[Run]) -> Iterator[tuple[Run, list[Run]]]:
    """The space before each word, and the word, which may change its style within."""
    space, word = Run(""), list[Run]()
    for run in runs:
        for part in [run.text] if run.whole else re.split(r"(\s+)", run.text):
            if run.whole or (part and not part.isspace()):
                word.append(Run(part, run.style))
            elif part:
                if word:
                    yield space, word
                    space, word = Run(""), []
                space = Run(space.text + part.expandtabs(4), run.style)
    if word:
        yield space, word
