"""The sink of a conversation: streams the answer, shows tables and what is being looked at."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from agent.terminal.folding import holds_command, print_folded
from agent.terminal.report import print_report
from tools.status import Status
from tools.text import Redactor


def console(*, stderr: bool = False) -> Console:
    """A console on standard output or error; colour only where it is a terminal and NO_COLOR is unset."""
    return Console(file=sys.stderr if stderr else sys.stdout, highlight=False, markup=False, emoji=False)


class Screen:
    """Text goes out line by line, so that a secret or escape sequence split over two pieces is still caught."""

    def __init__(self, out: Console, notes: Console, redactor: Redactor) -> None:
        self._out, self._notes, self._redactor = out, notes, redactor
        self._line = ""
        self._started = False
        self._fenced = False
        """Between two lines of three backticks."""

    def text(self, piece: str) -> None:
        """A piece of the answer."""
        if not self._started:
            piece = piece.lstrip("\n")
            self._started = bool(piece)
            if piece:
                self._out.print()
        *lines, self._line = (self._line + piece).split("\n")
        for line in lines:
            self._print(line)

    def report(self, status: Status) -> None:
        """The tables of a look."""
        self.flush()
        print_report(status, self._out)

    def tool(self, name: str, values: Mapping[str, Any]) -> None:
        """A tool is about to run; shown only to a person at a terminal."""
        self.flush()
        if self._notes.is_terminal and name != "check_sweeps":
            told = " ".join(f"{key}={value}" for key, value in values.items())
            self._notes.print(Text(f"· {name} {self._redactor.clean(told)}"[:200], style="dim"))

    def note(self, line: str) -> None:
        """Something the person should know that is no part of the answer."""
        self.flush()
        self._notes.print(Text(f"({self._redactor.clean(line)})", style="dim"), soft_wrap=True)

    def flush(self) -> None:
        """Show what is left of the last line."""
        if self._line:
            self._print(self._line)
        self._line, self._started, self._fenced = "", False, False

    def _print(self, line: str) -> None:
        shown = self._redactor.clean(line)
        fence = shown.lstrip().startswith("```")
        self._fenced ^= fence
        if self._out.is_terminal and not (fence or self._fenced or holds_command(shown)):
            print_folded(self._out, shown)
        else:
            self._out.print(Text(shown), soft_wrap=True)
