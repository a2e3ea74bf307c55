"""One line below all others that says what is waited for and since when; gone when it is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

DELAY_S = 0.3
"""What is done sooner is not worth a line."""
STEP_S = 0.5
_CLEAR = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))


class Ticker:
    """Writes to a terminal that can take a line back, to none other. The cursor stands at a line's beginning when it
    is started, and again when ``stop`` comes back."""

    def __init__(self, out: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._out, self._clock = out, clock
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self.what = ""
        """What is waited for; empty when nothing is."""

    def start(self, what: str) -> None:
        """Begin to wait for something; the same again goes on counting."""
        if what == self.what or not self._out.is_terminal or self._out.is_dumb_terminal:
            return
        self.stop()
        self.what, self._ended = what, threading.Event()
        self._thread = threading.Thread(target=self._run, args=(what, self._ended), daemon=True)
        self._thread.start()

    def stop(self) -> str:
        """Take the line back; what was waited for."""
        what, self.what = self.what, ""
        if self._thread:
            self._ended.set()
            self._thread.join()
            self._thread = None
        return what

    def _run(self, what: str, ended: threading.Event) -> None:
        began = self._clock()
        if ended.wait(DELAY_S):
            return
        while True:
            self.show(what, self._clock() - began)
            if ended.wait(STEP_S):
                self._out.control(_CLEAR)
                return

    def show(self, what: str, seconds: float) -> None:
        """Write the line, never wider than the screen: one that wraps can't be taken back."""
        took = f" {seconds:.0f} s" if seconds >= 1 else ""
        line = Text(f"· {what}", style="dim", no_wrap=True, overflow="ellipsis")
        line.truncate(max(1, self._out.width - 1 - len(took)))
        with self._out:
            self._out.control(_CLEAR)
            self._out.print(line.append(took), end="", soft_wrap=True)
