"""Asks the person at the terminal, and takes nothing but the exact words for a yes."""

from __future__ import annotations

import sys
import termios
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console
from rich.text import Text

from agent.approval import Decision, Request
from agent.terminal.keys import at_terminal, echo


class TerminalApprover:
    """Needs a terminal on both sides: what is shown must be seen, and what is typed must be typed."""

    def __init__(
        self,
        out: Console,
        aside: Callable[[], AbstractContextManager[object]] = nullcontext,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._out, self._aside, self._clock = out, aside, clock

    def ask(self, request: Request) -> Decision:
        """Show the request and wait for the words. Typed before it appeared, they don't count."""
        with self._aside():
            self._out.print()
            for line in (*request.listed, *request.lines):
                self._out.print(Text(line), soft_wrap=True)
            return self._answer(request) if at_terminal() else "nobody"

    def _answer(self, request: Request) -> Decision:
        try:
            with echo(on=True):
                termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
                typed = input(f"Type  {request.confirm}  to approve; anything else denies > ")
        except EOFError:
            self._out.print()
            return "no"
        except KeyboardInterrupt:
            self._out.print()
            return "stopped"
        return request.answered(typed, self._clock())
