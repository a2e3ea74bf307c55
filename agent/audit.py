"""A record of every act that was asked for: one JSON line each, chained by hash, so that a change shows.

It grows for ever, so nothing but ``verify`` reads it whole: a writer goes on from the head, a reader from where it was.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from tools.compact import compact

START = "0" * 64
LONGEST = 8 << 20
"""Bytes of one line: an act on a thousand files takes a tenth of it."""
SHOWN = 20


@compact
class Head:
    """What lies beside the record: how many lines it has, the hash of the last one, and where that ends."""

    count: int = 0
    last: str = START
    size: int = 0


@compact
class Checked:
    """What a reading of the whole record shows."""

    entries: int
    problems: tuple[str, ...] = ()
    """What was changed, moved, removed or cut, one line each, at most ``SHOWN``."""
    torn: tuple[int, ...] = ()
    """Lines that a killed writer left unfinished; the chain goes on over them, so nobody has touched them since."""


class Audit:
    """Append-only; the folder is made with mode 0700. Beside it lies its head."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._head = path.with_suffix(".head")

    def append(self, kind: str, at: float, content: Mapping[str, Any]) -> None:
        """Add one entry and flush it to the disk. ``at`` is epoch seconds. Raises OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            known = self._read_head()
            count, before = known.count, known.last
            if not _ends_with(file, known):  # an older head, or one of a record that was changed
                file.seek(0)
                count, before = 0, START
            for line in file:
                before, count = _digest(line.rstrip(b"\n")), count + 1
                if not line.endswith(b"\n"):  # a writer was killed in the middle: its torn line stays a line of its own
                    file.write(b"\n")
            entry = {"kind": kind, "at": at, **content, "before": before}
            line = json.dumps(entry, ensure_ascii=False, sort_keys=True).encode()
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
            # of a record that was cut the head still tells how long it was
            count = max(count, known.count) + 1
            self._head.write_text(f"{count} {_digest(line)} {file.tell()}\n", encoding="ascii")

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
        return (entry for entry, _ in self.after(0))

    def after(self, position: int) -> Iterator[tuple[dict[str, Any], int]]:
        """The entries that begin at a position (bytes) or after it, each with the position behind it. A line that is
        still being written is left for the next time. Raises OSError; also where the record is shorter than that."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            if position:
                raise
            return
        with file:
            if os.fstat(file.fileno()).st_size < position:
                raise OSError(errno.EINVAL, "it was cut while it was read: agent audit verify")
            file.seek(position)
            for line in file:
                position += len(line)
                if line.endswith(b"\n") and (entry := _parsed(line)) is not None:
                    yield entry, position

    def verify(self) -> Checked:
        """Read the whole record and hold each line against the one before."""
        known = self._read_head()
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            gone = (f"{self.path}: the record is gone, though its head is there",) if self._head.exists() else ()
            return Checked(0, gone)
        except OSError as error:
            return Checked(0, (f"{self.path}: can't be read: {error.strerror}",))
        whole = [(number, line) for number, line in enumerate(lines, 1) if line]
        before, entries, at_head, digests = START, 0, "", {_digest(line) for _, line in whole}
        problems: list[str] = []
        torn: list[int] = []
        unfinished: tuple[int, str] | None = None
        for count, (number, line) in enumerate(whole, 1):
            entry, own = _parsed(line), _digest(line)
            at_head = own if count == known.count else at_head
            if entry is None or "before" not in entry:
                unfinished = unfinished or (number, own)
                before = own
                continue
            if entry["before"] != before:
                what = "an entry was moved, put in or removed"
                if unfinished:
                    number, what = unfinished[0], "a line that is no entry, and was one"
                elif len(whole) == known.count and count > 1 and entry["before"] not in digests:
                    # no line is missing and the one that this follows is nowhere: it is the one above, and was another
                    number, what = whole[count - 2][0], "this entry was changed"
                problems.append(f"{self.path}:{number}: the chain is broken here: {what}")
            elif unfinished:  # its writer was killed: the next one has chained it as it found it
                torn.append(unfinished[0])
            before, entries, unfinished = own, entries + 1, None
        if known.count and at_head != known.last:
            problems.append(f"{self.path}: its end was cut or changed: the head knows of {known.count} lines")
        elif unfinished:
            torn.append(unfinished[0])
        left = len(problems) - SHOWN
        problems[SHOWN:] = [f"and {left} more"] if left > 0 else []
        return Checked(entries, tuple(problems), tuple(torn))

    def _read_head(self) -> Head:
        """A killed writer may leave it one line behind, never ahead. Versions before this one wrote no size."""
        try:
            count, digest, *size = self._head.read_text(encoding="ascii").split()
            return Head(int(count), digest, int(size[0]) if size else 0)
        except (OSError, ValueError):
            return Head()


def _ends_with(file: BinaryIO, known: Head) -> bool:
    """Whether the line that ends where the head says is the one that it knows; the file then stands right behind."""
    if not known.size or os.fstat(file.fileno()).st_size < known.size:
        return False
    for span in (1 << 16, LONGEST):
        start = max(0, known.size - span)
        file.seek(start)
        lines = file.read(known.size - start).split(b"\n")
        if len(lines) > 1 and not lines[-1] and _digest(lines[-2]) == known.last:
            return True
    return False


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
