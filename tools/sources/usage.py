"""How much disk a workspace takes: a bounded walk that says where it stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from tools.sources import crew

MAX_ENTRIES = 500_000
MAX_SECONDS = 10.0
MAX_LARGEST = 200
LARGE = 1 << 20
"""Bytes from which a file may be among the largest."""


@dataclass(slots=True)
class Usage:
    """Bytes as the file system allots them; hard links count once, links are not followed."""

    folders: dict[str, int] = field(default_factory=dict)
    """Folder, at most two levels below a root -> bytes of all that lies under it."""
    apart: dict[str, int] = field(default_factory=dict)
    """Path that was asked for -> its bytes, which count in ``folders`` as well."""
    files: int = 0
    total: int = 0
    largest: list[tuple[int, str]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    stopped: str | None = None
    """Why and where the walk ended early: all figures are lower bounds then."""
    free: int | None = None
    """Bytes free on the workspace's file system."""


@dataclass(frozen=True, slots=True)
class _Place:
    folder: str
    counted_in: str
    depth: int
    apart: str | None = None


def measure(roots: Sequence[str], apart: Collection[str] = ()) -> Usage:
    """The disk usage below ``roots``; ``apart`` are files and folders whose bytes are wanted one by one.

    Never raises.
    """
    usage = Usage()
    deadline = time.monotonic() + MAX_SECONDS
    linked: set[tuple[int, int]] = set()
    wanted = frozenset(apart)

    def one(place: _Place) -> list[_Place]:
        if usage.files > MAX_ENTRIES or time.monotonic() > deadline:
            bound = f"{MAX_ENTRIES:,} files" if usage.files > MAX_ENTRIES else f"{MAX_SECONDS:g} s"
            usage.stopped = usage.stopped or f"stopped after {bound}, at {place.folder}"
            return []
        deeper: list[_Place] = []
        own = 0
        try:
            with os.scandir(place.folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        counted_in = entry.path if place.depth < 2 else place.counted_in
                        within = place.apart or (entry.path if entry.path in wanted else None)
                        deeper.append(_Place(entry.path, counted_in, place.depth + 1, within))
                    elif entry.is_file(follow_symlinks=False):
                        size = _size(entry, usage, linked)
                        own += size
                        if within := place.apart or (entry.path if entry.path in wanted else None):
                            usage.apart[within] = usage.apart.get(within, 0) + size
        except OSError as error:
            usage.unreadable.append(f"{place.folder}: {error.strerror}")
        usage.folders[place.counted_in] = usage.folders.get(place.counted_in, 0) + own
        usage.total += own
        return deeper

    stalled = crew.drain(one, [_Place(root, root, 0) for root in roots])
    usage.unreadable += [f"{place.folder}: does not answer" for place in stalled]
    for folder, size in list(usage.folders.items()):
        parent = os.path.dirname(folder)
        if folder not in roots and parent in usage.folders and parent not in roots:
            usage.folders[parent] += size
    usage.largest = sorted(usage.largest, reverse=True)[:MAX_LARGEST]
    try:
        space = os.statvfs(roots[0])
        usage.free = space.f_bavail * space.f_frsize
    except OSError:
        pass  # a file system that doesn't tell: the figure stays unknown
    return usage


def _size(entry: os.DirEntry[str], usage: Usage, linked: set[tuple[int, int]]) -> int:
    info = entry.stat(follow_symlinks=False)
    usage.files += 1
    if info.st_nlink > 1:
        if (info.st_dev, info.st_ino) in linked:
            return 0
        linked.add((info.st_dev, info.st_ino))
    size = info.st_blocks * 512
    if size >= LARGE:
        usage.largest.append((size, entry.path))
        if len(usage.largest) > 4 * MAX_LARGEST:
            usage.largest = sorted(usage.largest, reverse=True)[:MAX_LARGEST]
    return size
