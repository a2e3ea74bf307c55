"""A record of every act that was asked for: one JSON line each, chained by hash, so that a change shows."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START = "0" * 64


class Audit:
    """Append-only; the folder is made with mode 0700. Beside it lies its head: how many entries, and the last hash."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._head = path.with_suffix(".head")

    def append(self, kind: str, at: float, content: Mapping[str, Any]) -> None:
        """Add one entry and flush it to the disk. ``at`` is epoch seconds. Raises OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            before, count = START, 0
            for line in file:
                before, count = _digest(line.rstrip(b"\n")), count + 1
                if not line.endswith(b"\n"):  # a writer was killed in the middle: its torn line stays a line of its own
                    file.write(b"\n")
            entry = {"kind": kind, "at": at, **content, "before": before}
            line = json.dumps(entry, ensure_ascii=False, sort_keys=True).encode()
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
            self._head.write_text(f"{count + 1} {_digest(line)}\n", encoding="ascii")

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Held while something is changed: one agent at a time. Raises OSError where another one holds it."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OSError(error.errno, "another agent of yours is changing something right now") from None
            yield

    def entries(self) -> Iterator[dict[str, Any]]:
        """Every entry that can be read, oldest first. Raises OSError where the file is there and can't be read."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry

    def verify(self) -> tuple[int, str | None]:
        """(entries, what is wrong with the first bad one or None)."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return 0, f"{self.path}: the record is gone, though its head is there" if self._head.exists() else None
        except OSError as error:
            return 0, f"{self.path}: can't be read: {error.strerror}"
        before = START
        count = 0
        at_head: str | None = None
        expected, last = self._read_head()
        for number, line in enumerate(lines, 1):
            if not line:
                continue
            try:
                entry = json.loads(line)
                chained = entry["before"] == before
            except (ValueError, KeyError, TypeError):
                return count, f"{self.path}:{number}: not an entry (torn or edited)"
            if not chained:
                return (
                    count,
                    f"{self.path}:{number}: the chain is broken here: an entry was changed, moved or removed",
                )
            before = _digest(line)
            count += 1
            at_head = before if count == expected else at_head
        if expected and at_head != last:
            return count, f"{self.path}: its end was cut or changed: the head knows of {expected} entries"
        return count, None

    def _read_head(self) -> tuple[int, str]:
        """A killed writer may leave it one entry behind, never ahead."""
        try:
            count, digest = self._head.read_text(encoding="ascii").split()
            return int(count), digest
        except (OSError, ValueError):
            return 0, ""


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
