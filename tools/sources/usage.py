"""How much room the workspace takes: one bounded walk that adds up sizes and opens nothing.

Symbolic links are not followed, except the top-level ones that are roots themselves (see ``index``). A file with
several hard links counts once. Sizes are of the disk (``st_blocks``), as ``du`` counts them, and apparent ones.
"""

from __future__ import annotations

import heapq
import os
import stat
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable
from pathlib import Path

from tools.sources.index import roots_of, start_points
from tools.sources.room import BLOCK, FileSystem, Folder, Room, Share, Usage

MAX_ENTRIES = 500_000
MAX_SECONDS = 10.0
GRACE_S = 1.0
"""Then a thread that a hung file system holds is left behind."""
THREADS = 4
"""Waiting for a network file system is what takes the time. On a local disk it costs: 124,502 entries took 0.6 s
with one and 1.3 s with four, so that the entries still end a walk before the seconds do."""
LARGEST = 50
"""Files whose names are kept."""
EVERY = 256
"""Entries of one folder between two looks at the bounds."""


def measure(
    workspace: Path,
    extra_roots: Iterable[Path] = (),
    units: Iterable[str] = (),
    *,
    max_entries: int = MAX_ENTRIES,
    max_seconds: float = MAX_SECONDS,
) -> Usage:
    """Add up the workspace and its roots. Never raises; takes at most ``max_seconds`` and one second more.

    ``units`` are paths (folders or files, as the index names them) whose own room is wanted; of two units one
    inside the other the inner one's bytes are not the outer one's.
    """
    walk = _Walk(str(workspace.resolve()), frozenset(units), max_entries, time.monotonic() + max_seconds)
    for start in start_points(workspace, roots_of(workspace, extra_roots)):
        walk.start(start)
    threads = [threading.Thread(target=walk.work, daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, walk.deadline + GRACE_S - time.monotonic()))
    return walk.result(max_seconds)


class _Walk:
    """Folders wait in one stack for each top folder, served in turn, so that a huge one can't hide the others."""

    def __init__(self, workspace: str, units: frozenset[str], max_entries: int, deadline: float) -> None:
        self.workspace, self.units, self.max_entries, self.deadline = workspace, units, max_entries, deadline
        self.lock = threading.Condition()
        self.waiting: dict[str, list[Folder]] = {}
        self.turn: deque[str] = deque()
        self.busy: dict[int, Folder] = {}
        self.seen: set[tuple[int, int]] = set()
        self.rooms: dict[tuple[str, str], Room] = defaultdict(Room)
        self.largest: list[tuple[int, str]] = []
        self.unreadable: list[str] = []
        self.file_systems: dict[int, FileSystem] = {}
        self.entries = 0
        self.over = self.closed = False

    def start(self, path: str) -> None:
        try:
            info, disk = os.stat(path), os.statvfs(path)
        except OSError as error:
            self.unreadable.append(f"{path}: {error.strerror}")
            return
        files = disk.f_favail if disk.f_files else None
        found = FileSystem(path, disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize, files)
        self.file_systems.setdefault(info.st_dev, found)
        if (info.st_dev, info.st_ino) not in self.seen:
            self.seen.add((info.st_dev, info.st_ino))
            keys = () if path == self.workspace else (path.removeprefix(f"{self.workspace}/"),)
            folder = Folder(path, keys, None)
            for key in folder.counts_for():
                self.rooms[key].allocated += info.st_blocks * BLOCK
            self._put(folder)

    def work(self) -> None:
        """One thread: list one waiting folder after another, until none is left or a bound is reached."""
        me = threading.get_ident()
        while True:
            with self.lock:
                while not self.turn and self.busy and not self.over:
                    self.lock.wait(0.2)
                if not self.turn or self.over:
                    return
                folder = self.busy[me] = self._take()
            share = Share()
            problem = self._list(folder, share)
            with self.lock:
                if self.closed:
                    return
                self._hand_in(share)
                if problem:
                    self.unreadable.append(f"{folder.path}: {problem}")
                if not share.cut:  # else it stays among the busy: its figures are not whole
                    del self.busy[me]
                self.lock.notify_all()

    def result(self, max_seconds: float) -> Usage:
        with self.lock:
            self.closed = self.over = True
            left = [*self.busy.values(), *(folder for stack in self.waiting.values() for folder in stack)]
            for folder in left:
                for key in folder.counts_for():
                    self.rooms[key].whole = False
            stopped = None
            if left:
                bound = f"{self.entries:,} entries" if self.entries >= self.max_entries else f"{max_seconds:g} s"
                where = left[0].path.removeprefix(f"{self.workspace}/")
                stopped = f"stopped after {bound} in {where}: figures are lower bounds"
            named = {kind: {name: room for (of, name), room in self.rooms.items() if of == kind} for kind in "tfu"}
            return Usage(
                total=named["t"].get("", Room()),
                folders=named["f"],
                units=named["u"],
                largest=tuple(sorted(self.largest, reverse=True)),
                file_systems=tuple(self.file_systems.values()),
                entries=self.entries,
                unreadable=tuple(sorted(self.unreadable)),
                stopped=stopped,
            )

    def _put(self, folder: Folder) -> None:
        top = folder.keys[0] if folder.keys else ""
        if top not in self.waiting:
            self.waiting[top] = []
            self.turn.append(top)
        self.waiting[top].append(folder)

    def _take(self) -> Folder:
        top = self.turn.popleft()
        folder = self.waiting[top].pop()
        if self.waiting[top]:
            self.turn.append(top)
        else:
            del self.waiting[top]
        return folder

    def _hand_in(self, share: Share) -> None:
        for key, room in share.rooms.items():
            mine = self.rooms[key]
            mine.allocated += room.allocated
            mine.apparent += room.apparent
            mine.files += room.files
            mine.newest = max(mine.newest, room.newest)
        for place, folder in share.folders:
            if place not in self.seen:
                self.seen.add(place)
                self._put(folder)
        self.largest = heapq.nlargest(LARGEST, [*self.largest, *share.files])

    def _list(self, folder: Folder, share: Share) -> str | None:
        """Add up what lies right in one folder; returns why it can't be read."""
        count = 0
        try:
            with os.scandir(folder.path) as listing:
                for entry in listing:
                    count += 1
                    self._add(entry, folder, share)
                    if count % EVERY == 0 and self._bounds(EVERY):
                        share.cut = True
                        break
        except OSError as error:
            return error.strerror or str(error)
        self._bounds(count % EVERY)
        return None

    def _bounds(self, more: int) -> bool:
        with self.lock:
            self.entries += more
            self.over = self.over or self.entries >= self.max_entries or time.monotonic() > self.deadline
            return self.over

    def _add(self, entry: os.DirEntry[str], folder: Folder, share: Share) -> None:
        try:
            info = entry.stat(follow_symlinks=False)
        except OSError:
            return  # gone since it was listed: a checkpoint that the trainer rotates away
        is_dir = stat.S_ISDIR(info.st_mode)
        if info.st_nlink > 1 and not is_dir:
            with self.lock:
                if (info.st_dev, info.st_ino) in self.seen:
                    return
                self.seen.add((info.st_dev, info.st_ino))
        unit = entry.path if entry.path in self.units else folder.unit
        keys = folder.keys
        if is_dir and len(keys) < 2:
            keys = (*keys, entry.path.removeprefix(f"{self.workspace}/"))
        share.add(Folder(entry.path, keys, unit), info)
