"""What was read at earlier looks, kept on disk, so that a look reads only what has changed.

An entry counts only while the files it was read from have the identity, size and time they had then; it is never
trusted over them. The file may be deleted at any time. Two processes may use it: the last to finish writes it, whole.
Where the state folder can't be written or locked, nothing is kept, and the look goes on.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pickle
import stat
import tempfile
import time
from collections.abc import Callable, Hashable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

SETTLED_NS = 2_000_000_000
"""A file written to so shortly ago may change again within the same tick of its clock (one second on old NFS)."""
MAX_BYTES = 512 << 20
PIECE = 2_000
_CLASSES = ("tools.data", "tools.wandb_data", "tools.diagnosis.")
_MORE_CLASSES = frozenset({("datetime", "date"), ("datetime", "datetime"), ("datetime", "timezone")})
"""What YAML makes of a date."""

_Entries = dict[tuple[str, str], tuple[tuple[Hashable, Hashable], Any]]
"""(Kind, key) -> (what else it depends on, identity of the paths), value."""
T = TypeVar("T")


class Kept:
    """Entries by kind and key, each with the identity of what it was read from."""

    def __init__(self, path: Path | None) -> None:
        """``path``: the file; None keeps nothing."""
        self._path = path
        self._before: _Entries = _load(path) if path else {}
        self._now: _Entries = {}
        self._changed = False

    def through(
        self,
        kind: str,
        key: str,
        read: Callable[[], T],
        watched: Callable[[T], Iterable[str]],
        also: Hashable = None,
    ) -> T:
        """What was kept under ``key``, if all it came from is still the same, else what ``read`` returns.

        ``watched`` names the paths that a value came from, ``also`` is what else it depends on.
        """
        entry = self._before.get((kind, key)) if self._path else None
        if entry is None or entry[0] is None or entry[0] != (also, identity_of(watched(entry[1]))):
            value = read()
            # asked for after the reading: what changed in between was written to a moment ago, and is not kept
            identity = identity_of(watched(value)) if self._path else None
            entry = ((also, identity), value)
            self._changed = self._changed or identity is not None
        if entry[0][1] is not None:
            self._now[kind, key] = entry
        found: T = entry[1]
        return found

    def save(self) -> None:
        """Write what this look used, and nothing older; silently not, where that can't be done."""
        if self._path is None or not (self._changed or len(self._now) != len(self._before)):
            return
        with contextlib.suppress(OSError, pickle.PicklingError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self._path.parent / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _write(self._path, self._now)


def file_of(state: Path | None, workspace: Path) -> Path | None:
    """Where the entries of a workspace lie in the program's state folder."""
    name = hashlib.sha256(os.fsencode(workspace)).hexdigest()[:24]
    return state / "index" / name if state else None


def identity_of(paths: Iterable[str]) -> Hashable:
    """Device, number, size and time of each path; None where one is gone or was written to a moment ago."""
    found = []
    newest = time.time_ns() - SETTLED_NS
    for path in paths:
        try:
            info = os.stat(path)
        except OSError:
            return None
        if info.st_mtime_ns > newest:
            return None
        found.append((info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns))
    return tuple(found)


class _OwnDataOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.startswith(_CLASSES) or (module, name) in _MORE_CLASSES:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is none of our data")


def _load(path: Path) -> _Entries:
    try:
        info = path.lstat()
        mine = info.st_uid == os.getuid() and stat.S_ISREG(info.st_mode) and not info.st_mode & 0o022
        if not mine or info.st_size > MAX_BYTES:
            return {}
        with path.open("rb") as file:
            readers, pieces = _OwnDataOnly(file).load()
            if readers != _readers():
                return {}
            entries: _Entries = {}
            for _ in range(pieces):
                entries.update(_OwnDataOnly(file).load())
            return entries
    except Exception:  # noqa: BLE001 - a damaged file, whatever is wrong with it, is read anew from what it stands for
        return {}


@cache
def _readers() -> str:
    """The code that reads: entries of any other are of no use."""
    here = Path(__file__).parents[1]
    folders = (here / "diagnosis", here / "sources")
    parts = [here / "data.py", here / "wandb_data.py", *(path for one in folders for path in sorted(one.glob("*.py")))]
    told = [(path.name, info.st_size, info.st_mtime_ns) for path in parts for info in [path.stat()]]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _write(path: Path, entries: _Entries) -> None:
    """In pieces: pickling remembers every object it has met."""
    keys = list(entries)
    pieces = [keys[start : start + PIECE] for start in range(0, len(keys), PIECE)]
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            pickle.dump((_readers(), len(pieces)), file, protocol=5)
            for piece in pieces:
                pickle.dump({key: entries[key] for key in piece}, file, protocol=5)
        Path(name).replace(path)
    except (OSError, pickle.PicklingError):
        Path(name).unlink(missing_ok=True)
        raise
