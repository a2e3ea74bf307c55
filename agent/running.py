"""Whether an act of another process is still under way, also when that process is gone and its program is not.

Each program of an act inherits an open descriptor with a lock on the act's own file (`flock`), which the kernel gives
up with the last process that holds it: a process number can be another's by then, a lock can't.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from pathlib import Path
from typing import Final


class Running:
    """The lock files of acts, one each, in a folder of the state."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def begin(self, act: str) -> int:
        """The descriptor that the programs of an act are to hold. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._folder / act, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._held[act] = handle
        return handle

    def end(self, act: str) -> None:
        """Its programs have ended, and somebody saw it."""
        with contextlib.suppress(OSError):
            (self._folder / act).unlink()
        if act in self._held:
            os.close(self._held.pop(act))

    def under_way(self, act: str) -> str:
        """What says that a process of it lives, with its number where that was written down; empty: none does."""
        try:
            handle = os.open(self._folder / act, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            number = os.read(handle, 2000).decode(errors="replace").strip().rpartition("\n")[2]
            return f"it is under way (process {number})" if number else "it is under way"
        finally:
            os.close(handle)
        self.end(act)
        return ""


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


HERE: Final = (socket.gethostname(), _boot())
"""This machine, and its start: what ran before that runs no more."""
