"""Ctrl-C while something must not be cut in half."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def unbroken() -> Iterator[Sequence[int]]:
    """Ctrl-C waits until the act is done and read back: never half an act. Gives what was pressed meanwhile."""
    pressed: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
