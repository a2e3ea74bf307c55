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
from collections.abc import Iterator

from tools.acts import Item
from tools.compact import compact

MAX_INSIDE = 50_000
"""Entries of one folder that are looked at; one with more can't be bound to an approval."""
MOST_ITEMS = 1_000
"""Files that one approval may be of: its record is one line."""
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@compact
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
