"""The terminal that keys are typed at: whether there is one, and whether it shows what is typed."""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager

_LOCAL_MODES = 3


def at_terminal() -> bool:
    """Whether a person sees what is printed and typed what is read."""
    return all(stream is not None and not stream.closed and stream.isatty() for stream in (sys.stdin, sys.stdout))


def can_edit() -> bool:
    """Whether that terminal can move its cursor: not the ``dumb`` ones of editors and scripts."""
    return at_terminal() and os.environ.get("TERM", "").lower() not in {"", "dumb", "unknown"}


@contextmanager
def echo(*, on: bool) -> Iterator[None]:
    """While it lasts, the terminal shows what is typed, or doesn't: keys pressed during an answer don't mix with it,
    they come up at the next prompt."""
    if not at_terminal():
        yield
        return
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    modes = termios.tcgetattr(keyboard)
    modes[_LOCAL_MODES] = modes[_LOCAL_MODES] | termios.ECHO if on else modes[_LOCAL_MODES] & ~termios.ECHO
    termios.tcsetattr(keyboard, termios.TCSANOW, modes)
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSANOW, before)
