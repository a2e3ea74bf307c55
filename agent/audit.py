"""A record of every act that was asked for: one JSON line each, chained by hash, so that a change shows."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

START = "0" * 64


class Audit:
    """Append-only; the folder is made with mode 0700."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, kind: str, at: float, content: Mapping[str, Any]) -> None:
        """Add one entry and flush it to the disk. ``at`` is epoch seconds. Raises OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            before = START
            for line in file:
                before = _digest(line.rstrip(b"\n"))
            entry = {"kind": kind, "at": at, **content, "before": before}
            file.write(json.dumps(entry, ensure_ascii=False, sort_keys=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def verify(self) -> tuple[int, str | None]:
        """(entries, what is wrong with the first bad one or None)."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return 0, None
        except OSError as error:
            return 0, f"{self.path}: can't be read: {error.strerror}"
        before = START
        count = 0
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
        return count, None


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
