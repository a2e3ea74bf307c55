"""Asks the person at the terminal, and takes nothing but the exact words for a yes."""

from __future__ import annotations

import sys
import termios
import time
from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from agent.approval import Decision, Request


def at_terminal() -> bool:
    """Whether a person sees what is printed and typed what is read."""
    return all(stream is not None and not stream.closed and stream.isatty() for stream in (sys.stdin, sys.stdout))


class TerminalApprover:
    """Needs a terminal on both sides: what is shown must be seen, and what is typed must be typed."""

    def __init__(self, out: Console, clock: Callable[[], float] = time.time) -> None:
        self._out, self._clock = out, clock

    def ask(self, request: Request) -> Decision:
        """Show the request and wait for the words. Typed before it appeared, they don't count."""
        self._out.print()
        for line in request.lines:
            self._out.print(Text(line), soft_wrap=True)
        if not at_terminal():
            return "nobody"
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
        try:
            typed = input(f"Type  {request.confirm}  to approve; anything else denies > ")
        except EOFError:
            self._out.print()
            return "no"
        except KeyboardInterrupt:
            self._out.print()
            return "stopped"
        return request.answered(typed, self._clock())
