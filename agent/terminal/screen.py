"""The sink of a conversation: streams the answer, shows tables and what is being waited for."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.text import Text

from agent.terminal.flow import DIM, print_folded
from agent.terminal.growing import Growing
from agent.terminal.markdown import Markdown
from agent.terminal.report import print_report
from agent.terminal.ticker import Ticker
from tools.status import Status
from tools.text import Redactor


def console(*, stderr: bool = False) -> Console:
    """A console on standard output or error; colour only where it is a terminal and NO_COLOR is unset."""
    return Console(file=sys.stderr if stderr else sys.stdout, highlight=False, markup=False, emoji=False)


class Screen:
    """Markdown is rendered in a terminal alone; a pipe or file gets the text as it is. All of it is cleaned first."""

    def __init__(self, out: Console, notes: Console, redactor: Redactor) -> None:
        self._out, self._notes, self._redactor = out, notes, redactor
        self._growing = Growing(redactor)
        self._ticker = Ticker(out)
        self._markdown = Markdown(out, before=self._ticker.stop)
        self._started = False
        """Something of the answer was shown since the last ``flush``."""
        self._open = False
        """In a file: the last line has not ended."""

    def text(self, piece: str) -> None:
        """A piece of the answer."""
        self._show(self._growing.feed(piece))

    def report(self, status: Status) -> None:
        """The tables of a look."""
        self.flush()
        if self._out.is_terminal:
            self._out.print()
        print_report(status, self._out)

    @contextmanager
    def busy(self, what: str, values: Mapping[str, Any] | None = None) -> Iterator[None]:
        """While it lasts ``what`` is waited for: a tool with its input, or the model. Only a person is told."""
        self.flush()
        given = " ".join(f"{key}={value}" for key, value in (values or {}).items())
        told = self._redactor.clean(f"{what} {given}".rstrip()).replace("\n", " ")
        if self._notes.is_dumb_terminal and values is not None:
            self._notes.print(Text(f"· {told}"[:200]), soft_wrap=True)
        self._ticker.start(told)
        try:
            yield
        finally:
            self._ticker.stop()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """While it lasts somebody else writes to the screen, and what is waited for is the person."""
        self.flush()
        what = self._ticker.stop()
        try:
            yield
        finally:
            self._ticker.start(what)

    def note(self, line: str) -> None:
        """Something the person should know that is no part of the answer."""
        self.flush()
        told = f"({self._redactor.clean(line)})"
        if self._notes.is_terminal:
            print_folded(self._notes, told, DIM)
        else:
            self._notes.print(Text(told), soft_wrap=True)

    def cost(self, line: str) -> None:
        """What an answer took; for a person at a terminal."""
        if self._notes.is_terminal:
            self.note(line)

    def flush(self) -> None:
        """Show what is left of the answer, and end its last line."""
        self._show(self._growing.end())
        self._markdown.end()
        if self._open:
            self._out.print()
        self._started = self._open = False
        self._ticker.stop()

    def _show(self, text: str) -> None:
        if not self._started:
            text = text.lstrip("\n")
        if not text:
            return
        if not self._started:
            self._started = True
            self._ticker.stop()
            self._out.print()
        if self._out.is_terminal:
            self._markdown.feed(text)
            if self._markdown.holds:
                self._ticker.start("a table")
        else:
            self._out.print(Text(text), end="", soft_wrap=True)
            self._open = not text.endswith("\n")
