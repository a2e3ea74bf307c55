"""Asks the person at the terminal, and takes nothing but the exact words for a yes."""

from __future__ import annotations

import contextlib
import os
import select
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
            somebody = at_terminal()
            for line in (*request.listed, *(request.lines if somebody else request.kept)):
                self._out.print(Text(line), soft_wrap=True)
            return self._answer(request) if somebody else "nobody"

    def _answer(self, request: Request) -> Decision:
        try:
            with echo(on=True):
                typed = self._typed(request)
        except KeyboardInterrupt:
            self._out.print()
            return "stopped"
        if typed is None:
            self._out.print()
            self._out.print("nobody answered in time: it is denied, and nothing was done")
            return "expired"
        if not typed.endswith("\n"):
            self._out.print()
            return "no"
        return request.answered(typed, self._clock())

    def _typed(self, request: Request) -> str | None:
        """One line, as the terminal itself lets it be edited; without its newline where ^D or a hang-up ended it, None
        where there was none before the request expired."""
        keyboard = sys.stdin.fileno()
        termios.tcflush(keyboard, termios.TCIFLUSH)
        self._out.print(Text(f"Type  {request.confirm}  to approve; anything else denies > "), end="", soft_wrap=True)
        while (left := request.expires - self._clock()) > 0:
            # in short steps, since the clock that counts is the one that the request names
            if select.select([keyboard], [], [], min(left, 1.0))[0]:
                with contextlib.suppress(OSError):
                    return os.read(keyboard, 4096).decode(errors="replace")
                return ""
        termios.tcflush(keyboard, termios.TCIFLUSH)  # what was begun is no answer to what comes next
        return None
