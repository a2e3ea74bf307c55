"""Moving files so that nothing is lost: by folder descriptors, along no link, over nothing, and only what was approved.

A folder is opened part by part without following links, so that one swapped for a link after the approval fails; what
is moved is compared with its stamp just before. A name at the other end is taken by creating it, which fails where
something is there, and only that placeholder is renamed over.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tools.acts import Action, Item, Outcome, Ran
from tools.diagnosis import disk

MAX_INSIDE = 50_000
"""Entries of one folder that are looked at; one with more can't be bound to an approval."""
MOST_ITEMS = 1_000
"""Files that one approval may be of: its record is one line."""
TOLD = 20
"""Failures that are told one by one."""
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SAME_FOR_EVER = slice(1, 5)


@dataclass(frozen=True, slots=True)
class Stamp:
    """A file, or a folder with all that lies in it, at one moment; links are never followed."""

    device: int
    inode: int
    folder: bool
    files: int
    size: int
    """Bytes, apparent."""
    mtime_ns: int
    """Of the entry in it that was written last."""
    frees: int
    """Bytes on the disk that are in no other place by a hard link."""
    mine: bool
    """All of it belongs to this user."""
    shared: bool
    """A file of it has another name by a hard link."""

    def __str__(self) -> str:
        """What an approval is bound to."""
        kind = "d" if self.folder else "f"
        return f"{self.device}:{self.inode}:{kind}:{self.files}:{self.size}:{self.mtime_ns}"

    @property
    def written(self) -> float:
        """Epoch seconds."""
        return self.mtime_ns / 1e9


def stamp_of(name: str, folder: int | None = None) -> Stamp:
    """What ``name`` (in an opened folder) is now. Raises OSError, also for what is neither file nor folder, spans file
    systems, or holds more than ``MAX_INSIDE`` entries."""
    top = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not (stat.S_ISREG(top.st_mode) or stat.S_ISDIR(top.st_mode)):
        raise OSError(errno.EINVAL, "is a link or no file")
    entries = [top]
    if stat.S_ISDIR(top.st_mode):
        for _, folders, files, inner in os.fwalk(name, dir_fd=folder, follow_symlinks=False, onerror=_raise):
            entries += [os.stat(entry, dir_fd=inner, follow_symlinks=False) for entry in (*folders, *files)]
            if len(entries) > MAX_INSIDE:
                raise OSError(errno.E2BIG, f"holds more than {MAX_INSIDE:,} entries")
    if any(entry.st_dev != top.st_dev for entry in entries):
        raise OSError(errno.EXDEV, "another file system is mounted in it")
    plain = [entry for entry in entries if not stat.S_ISDIR(entry.st_mode)]
    return Stamp(
        top.st_dev,
        top.st_ino,
        stat.S_ISDIR(top.st_mode),
        len(plain),
        sum(entry.st_size for entry in plain),
        max(entry.st_mtime_ns for entry in entries),
        sum(entry.st_blocks * 512 for entry in entries if entry.st_nlink == 1 or stat.S_ISDIR(entry.st_mode)),
        all(entry.st_uid == os.geteuid() for entry in entries),
        any(entry.st_nlink > 1 for entry in plain),
    )


def _raise(error: OSError) -> None:
    raise error


@contextlib.contextmanager
def opened(path: str) -> Iterator[int]:
    """A descriptor of an absolute folder, no part of whose path is a link. Raises OSError."""
    handle = os.open("/", _FOLDER)
    try:
        for part in filter(None, path.split("/")):
            inner = os.open(part, _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def folder_in(parent: int, name: str, *, mode: int, new: bool = False) -> Iterator[int]:
    """A descriptor of a folder in an opened one, made where it is missing; of the same file system and this user's.
    ``new``: it must not be there yet. Raises OSError."""
    try:
        os.mkdir(name, mode, dir_fd=parent)
    except FileExistsError:
        if new:
            raise
    handle = os.open(name, _FOLDER, dir_fd=parent)
    try:
        own, above = os.fstat(handle), os.fstat(parent)
        if own.st_dev != above.st_dev:
            raise OSError(errno.EXDEV, f"{name} is on another file system")
        if own.st_uid != os.geteuid():
            raise OSError(errno.EPERM, f"{name} belongs to another user")
        yield handle
    finally:
        os.close(handle)


def move(item: Item, folder: int, target: int) -> str | None:
    """Move one item from its opened folder into the other by renaming; why it was not, or None."""
    name, new = os.path.basename(item.path), os.path.basename(item.goes)
    try:
        now = stamp_of(name, folder)
        if str(now) != item.stamp:
            return "it was changed since it was approved"
        with _place(new, target, folder=now.folder):
            os.rename(name, new, src_dir_fd=folder, dst_dir_fd=target)
        there = os.stat(new, dir_fd=target, follow_symlinks=False)
        if (there.st_dev, there.st_ino) == (now.device, now.inode):
            return None
        # another took its name in between: it goes back where it was
        with _place(name, folder, folder=stat.S_ISDIR(there.st_mode)):
            os.rename(new, name, src_dir_fd=target, dst_dir_fd=folder)
        return "another file took its name just now, and was left there"
    except FileExistsError:
        return f"{new} is there already"
    except OSError as error:
        return error.strerror or str(error)


@contextlib.contextmanager
def _place(name: str, target: int, *, folder: bool) -> Iterator[None]:
    """Take a name that is free, and give it back where nothing came of it. Raises FileExistsError."""
    if folder:
        os.mkdir(name, 0o700, dir_fd=target)
    else:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=target))
    mine = os.stat(name, dir_fd=target, follow_symlinks=False).st_ino
    try:
        yield
    except OSError:
        with contextlib.suppress(OSError):
            if os.stat(name, dir_fd=target, follow_symlinks=False).st_ino == mine:
                (os.rmdir if folder else os.unlink)(name, dir_fd=target)
        raise


def flush(folder: int) -> None:
    """Let the names in an opened folder reach the disk. Raises OSError."""
    handle = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_there(path: str, stamp: str) -> bool:
    """Whether the very thing of that stamp lies at ``path``; times, and a device's number, may have moved on."""
    try:
        return str(stamp_of(path)).split(":")[_SAME_FOR_EVER] == stamp.split(":")[_SAME_FOR_EVER]
    except OSError:
        return False


def listed(stamp: Stamp, size: int) -> str:
    """Day of the last writing and bytes, as a list shows them."""
    return f"{time.strftime('%Y-%m-%d', time.localtime(stamp.written))} {disk.words(size):>9}"


def ran(failed: Mapping[str, str], count: int, started: float) -> Ran:
    """How an act on ``count`` items went; ``failed``: name -> why."""
    words = "\n".join(f"{name}: {why}" for name, why in failed.items())
    return Ran(1 if failed and len(failed) == count else 0, err=words, seconds=time.monotonic() - started)


def settle_moves(action: Action, ran: Ran | None) -> Outcome:
    """Where the items of an act are now, one by one, by looking."""
    moved: list[Item] = []
    left: list[Item] = []
    lost: list[Item] = []
    for item in action.items:
        there = is_there(item.goes, item.stamp)
        (moved if there else left if is_there(item.path, item.stamp) else lost).append(item)
    lines = told_one_by_one("still where it was", left, ran) + told_one_by_one("in neither place now", lost, ran)
    if not moved and not lost:
        return Outcome("not_done", "\n".join(["nothing was moved", *lines]))
    where = os.path.dirname(action.items[0].goes)
    head = f"{len(moved)} of {len(action.items)} moved to {where}" if lines else f"all {len(moved)} moved to {where}"
    return Outcome("done", "\n".join([head, *lines]))


def told_one_by_one(what: str, items: Sequence[Item], ran: Ran | None) -> list[str]:
    """A line for each of the items that an act could not do, with the reason where the act gave one."""
    why = dict(line.split(": ", 1) for line in (ran.err if ran else "").splitlines() if ": " in line)
    names = [os.path.basename(item.path) for item in items[:TOLD]]
    lines = [f"  {name}: {what}{f' ({why[name]})' if name in why else ''}" for name in names]
    return lines + ([f"  {len(items) - TOLD} more: {what}"] if len(items) > TOLD else [])
