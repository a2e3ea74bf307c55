"""A conversation on disk: append-only JSON lines, one file each, so that a later session can go on with it.

What was read or typed in an earlier session comes back as text alone: the ledger of a session starts empty.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.mending import mended
from agent.outside import is_persons
from tools.compact import compact
from tools.text import Redactor, one_line

SCHEMA = 1
MAX_BYTES = 64 << 20
"""Of a file that is still read."""
WORDS_CHARS = 60


class HistoryError(Exception):
    """No such conversation, or it can't be gone on with. One line that says what to do."""


@compact
class Kept:
    """A conversation as it lies on disk."""

    id: str
    path: Path
    workspace: str
    demo: bool
    at: float
    """When its last line was written, epoch seconds."""
    lines: tuple[tuple[float, dict[str, Any]], ...]
    """(when, message)."""
    size: int
    """Bytes of its whole lines; what follows is a line that was torn."""
    torn: bool

    @property
    def requests(self) -> list[str]:
        """What the person asked, oldest first."""
        asked = []
        for _, message in self.lines:
            texts = [block["text"] for block in message["content"] if block["type"] == "text"]
            own = [text for text in texts if is_persons(text)]
            asked += own[-1:] if message["role"] == "user" else []
        return asked

    @property
    def first_words(self) -> str:
        return one_line(self.requests[0], WORDS_CHARS) if self.requests else ""

    def messages(self, now: float) -> list[dict[str, Any]]:
        """The history to go on with: valid to send, its results marked as old."""
        return mended(self.lines, now)


@dataclass(slots=True)
class History:
    """Writes one conversation down. What can't be written is a line in ``problem``, and nothing else."""

    path: Path
    head: Mapping[str, Any]
    redactor: Redactor
    kept: int = 0
    """Messages that are on disk."""
    problem: str = ""
    _handle: int | None = None
    _size: int | None = field(default=None)
    """Where to go on in a file that is there."""

    @classmethod
    def begin(cls, folder: Path, workspace: Path, redactor: Redactor, now: float, *, demo: bool) -> History:
        """A new conversation; its file appears with the first message."""
        name = f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}-{secrets.token_hex(2)}"
        head = {"schema": SCHEMA, "id": name, "begun": now, "workspace": str(workspace), "demo": demo}
        return cls(folder / f"{name}.jsonl", head, redactor)

    @classmethod
    def go_on(cls, kept: Kept, redactor: Redactor, now: float) -> History:
        """The conversation of an earlier session. Raises HistoryError where another agent has it open."""
        history = cls(kept.path, {"continued": now}, redactor, _size=kept.size)
        history._open()
        return history

    def keep(self, messages: Sequence[Mapping[str, Any]], now: float) -> None:
        """Write down the messages that are not on disk yet, and see them there before anything else happens."""
        new = messages[self.kept :]
        if not new or self.problem:
            return
        try:
            if self._handle is None:
                self._open()
            lines = [{"at": now, "role": one["role"], "content": self._clean(one["content"])} for one in new]
            data = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines).encode("utf-8", "replace")
            self._write(data)
        except (OSError, HistoryError) as error:
            self.problem = f"this conversation is not kept: {self.path}: {getattr(error, 'strerror', None) or error}"
            return
        self.kept = len(messages)

    def goes_on_from(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """These messages, mended, stand for what is on disk."""
        self.kept = len(messages)

    def _open(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = os.O_CREAT | os.O_EXCL if self._size is None else 0
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | fresh, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise HistoryError(f"conversation {self.path.stem} is open in another agent of yours: close that") from None
        except OSError:
            pass  # a file system without locks: a new name is nobody else's anyway
        if self._size is not None:
            os.ftruncate(handle, self._size)  # the torn line of a killed writer would spoil the next one
        self._handle = handle
        self._write(json.dumps(self.head, ensure_ascii=False).encode() + b"\n")

    def _write(self, data: bytes) -> None:
        assert self._handle is not None
        while data:
            data = data[os.write(self._handle, data) :]
        os.fsync(self._handle)

    def _clean(self, content: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Without secrets, and without thoughts: those are bound to the model and session that had them."""
        blocks = []
        for block in content:
            if block["type"] not in {"thinking", "redacted_thinking"}:
                ids = {name: block[name] for name in ("id", "tool_use_id") if name in block}
                blocks.append({**self.redactor.clean_all(block), **ids})
        return blocks


def read(path: Path) -> Kept:
    """One conversation. Raises HistoryError."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise HistoryError(f"{path} is larger than {MAX_BYTES >> 20} MiB: begin a new conversation")
        data = path.read_bytes()
    except FileNotFoundError:
        raise HistoryError(f"there is no conversation {path.stem}; agent transcripts lists them") from None
    except OSError as error:
        raise HistoryError(f"{path}: can't be read: {error.strerror}") from None
    head: dict[str, Any] = {}
    lines: list[tuple[float, dict[str, Any]]] = []
    size, torn, at = 0, False, 0.0
    for line in data.splitlines(keepends=True):
        entry = _entry(line)
        if entry is None:
            torn = True
            break  # what follows a line that is not whole hangs in the air
        size += len(line)
        head = head or entry
        at = float(entry.get("at") or entry.get("continued") or entry.get("begun") or at)
        if "role" in entry:
            lines.append((at, {"role": entry["role"], "content": entry["content"]}))
    if head.get("schema") != SCHEMA:
        raise HistoryError(f"{path}: is no conversation of this version: begin a new one")
    return Kept(path.stem, path, str(head.get("workspace")), bool(head.get("demo")), at, tuple(lines), size, torn)


def _entry(line: bytes) -> dict[str, Any] | None:
    """A whole line, if it is one."""
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line)
        if "role" in entry:
            assert entry["role"] in {"user", "assistant"} and isinstance(entry["content"], list)
            assert all(isinstance(block["type"], str) for block in entry["content"])
            float(entry["at"])
    except (ValueError, KeyError, TypeError, AssertionError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def all_kept(folder: Path) -> Iterator[Kept]:
    """Every conversation that can be read and in which something was asked, newest first."""
    paths = [Path(entry.path) for entry in _entries(folder) if entry.name.endswith(".jsonl")]
    for path in sorted(paths, key=lambda path: (path.stat().st_mtime, path.name), reverse=True):
        try:
            kept = read(path)
        except HistoryError:
            continue
        if kept.lines:
            yield kept


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(folder))
    except FileNotFoundError:
        return []


def last_of(folder: Path, workspace: Path, *, demo: bool) -> Kept:
    """The newest conversation of a workspace. Raises HistoryError."""
    for kept in all_kept(folder):
        if (kept.demo and demo) or (not kept.demo and not demo and kept.workspace == str(workspace)):
            return kept
    raise HistoryError(f"there is no earlier conversation about {workspace}; agent transcripts lists them")
