"""What was read at earlier looks, kept on disk, so that a look reads only what has changed.

An entry counts only while the files it was read from have the identity, size and time they had then; it is never
trusted over them. The file may be deleted at any time. Two processes may use it: it is written whole, by one at a time.
Where the state folder can't be written or locked, nothing is kept, and the look goes on.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pickle
import stat
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from tools.sources import crew

SETTLED_NS = 2_000_000_000
"""A file written to so shortly ago may change again within the same tick of its clock (one second on old NFS)."""
MAX_BYTES = 512 << 20
PIECE = 2_000
_IDENTITY = struct.Struct("<QQQq")
_CLASSES = ("tools.data", "tools.wandb_data", "tools.diagnosis.")
_MORE_CLASSES = frozenset({("datetime", "date"), ("datetime", "datetime"), ("datetime", "timezone")})
"""What YAML makes of a date."""

_Entry = tuple[bytes, bytes | None, Any]
"""Digest of what else it depends on (empty: nothing), identity of its paths (None: not to be kept), value."""
_Entries = dict[str, dict[str, _Entry]]
"""Kind -> key -> entry."""
LIGHT = 1_000
"""Items worth copies of the process where reading one takes hardly longer than asking whether it has changed."""
APART, WITHIN_S = 25_000, 30.0
"""Entries that a copy of the process may write: it touches, and so has room of its own for, all that it writes. Seconds
that it may take."""
T = TypeVar("T")


class Kept:
    """Entries by kind and key, each with the identity of what it was read from."""

    def __init__(self, path: Path | None) -> None:
        """``path``: the file, for ``load`` to read; None keeps nothing."""
        self._path = path
        self._before: _Entries = {}
        self._now: _Entries = {}
        self._changed = False
        self._begun: list[crew.Begun[str, Any]] = []

    def load(self) -> Self:
        """Read what was kept at earlier looks; nothing, where it can't be trusted."""
        self._before = _load(self._path) if self._path else {}
        return self

    def begin(
        self,
        kind: str,
        keys: Sequence[str],
        read: Callable[[str], T],
        watched: Callable[[str, T], Iterable[str]],
        also: Callable[[str], object] | None = None,
        *,
        many: int = crew.MANY,
    ) -> Callable[[], tuple[list[T | None], list[str]]]:
        """Begin to find out what was kept under each key, if all it came from is still the same, else what ``read``
        returns: what is returned here is called for the result, at once or later, or ``abandon`` is.

        ``watched`` names the paths that a value came from, ``also`` is plain data that it depends on as well.
        Last come the keys that did not answer, whose value is None. ``many`` as of ``crew.each``.
        """
        before = self._before.pop(kind, {})

        def depends_on(key: str) -> bytes:
            return _digest(also(key)) if also else b""

        def as_before(key: str) -> bool:
            entry = before.get(key)
            return entry is not None and entry[0] == depends_on(key) and entry[1] == identity_of(watched(key, entry[2]))

        def anew(key: str) -> _Entry:
            beside, value = depends_on(key), read(key)
            # asked for after the reading: what changed in between was written to a moment ago, and is not kept
            return beside, identity_of(watched(key, value)) if self._path else None, value

        # asking is no work for copies: they would have to touch, and so to have, all that was kept
        same, silent = crew.each(as_before, keys, many=len(keys) + 1) if before else ([False] * len(keys), [])
        left = [key for key, kept in zip(keys, same, strict=True) if kept is False]
        begun: crew.Begun[str, _Entry] = crew.Begun(anew, left, None, many)
        self._begun.append(begun)

        def result() -> tuple[list[T | None], list[str]]:
            found, more = begun.result()
            self._changed = self._changed or any(entry is not None and entry[1] is not None for entry in found)
            fresh = iter(found)
            entries = [before[key] if kept else next(fresh) if kept is False else None
                       for key, kept in zip(keys, same, strict=True)]  # fmt: skip
            return self._known(kind, keys, entries, len(before)), [*silent, *more]

        return result

    def abandon(self) -> None:
        """End what was begun and is not asked for any more."""
        for begun in self._begun:
            begun.end()
        self._begun.clear()

    def _known(self, kind: str, keys: Sequence[str], entries: Sequence[_Entry | None], were: int) -> list[Any]:
        """The values of the entries, which are kept; ``were``: how many there were at the last look."""
        now = self._now[kind] = {
            key: entry for key, entry in zip(keys, entries, strict=True) if entry and entry[1] is not None
        }
        self._changed = self._changed or len(now) != were
        return [entry[2] if entry else None for entry in entries]

    def save(self) -> Callable[[], object]:
        """Write what this look used, and nothing older, and forget it; silently not, where that can't be done.

        What is returned waits for the end of it: few entries are written by a copy of the process, beside other work.
        """
        entries, self._now = self._now, {}
        path = self._path
        if path is None or not self._changed:
            return lambda: None
        if sum(map(len, entries.values())) <= APART:
            return crew.apart(lambda: _write(path, entries), WITHIN_S).result
        _write(path, entries)
        return lambda: None


def file_of(state: Path | None, workspace: Path) -> Path | None:
    """Where the entries of a workspace lie in the program's state folder."""
    name = hashlib.sha256(os.fsencode(workspace)).hexdigest()[:24]
    return state / "index" / name if state else None


def _digest(plain: object) -> bytes:
    return hashlib.blake2b(repr(plain).encode("utf-8", "surrogateescape"), digest_size=16).digest()


def identity_of(paths: Iterable[str]) -> bytes | None:
    """Device, number, size and time of each path; None where one is gone or was written to a moment ago."""
    found = b""
    newest = time.time_ns() - SETTLED_NS
    for path in paths:
        try:
            info = os.stat(path)
        except OSError:
            return None
        if info.st_mtime_ns > newest:
            return None
        found += _IDENTITY.pack(info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)
    return found


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
                kind, piece = _OwnDataOnly(file).load()
                entries.setdefault(kind, {}).update(piece)
            return entries
    except Exception:  # noqa: BLE001 - a damaged file, whatever is wrong with it, is read anew from what it stands for
        return {}


@cache
def _readers() -> str:
    """The code that reads: entries of any other are of no use."""
    here = Path(__file__).parents[1]
    folders = (here / "diagnosis", here / "sources")
    plain = (here / name for name in ("compact.py", "data.py", "data_log.py", "seldom.py", "text.py", "wandb_data.py"))
    parts = [*plain, *(path for one in folders for path in sorted(one.glob("*.py")))]
    told = [(path.name, info.st_size, info.st_mtime_ns) for path in parts for info in [path.stat()]]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _write(path: Path, entries: _Entries) -> None:
    with contextlib.suppress(OSError, pickle.PicklingError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (path.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # who ends amid it leaves one file, for the next to write over
            # (one a host: there are file systems on which each has locks of its own)
            new = path.with_name(f"{path.name}.{os.uname().nodename}.new")
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
                _dump(entries, file)
            new.replace(path)


def _dump(entries: _Entries, file: IO[bytes]) -> None:
    """In pieces: pickling remembers every object it has met."""
    pieces = [
        (kind, keys[start : start + PIECE])
        for kind, keys in ((kind, list(own)) for kind, own in entries.items())
        for start in range(0, len(keys), PIECE)
    ]
    pickle.dump((_readers(), len(pieces)), file, protocol=5)
    for kind, keys in pieces:
        pickle.dump((kind, {key: entries[kind][key] for key in keys}), file, protocol=5)
