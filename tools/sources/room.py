"""What the walk over disk usage returns, and what it works with."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from dataclasses import dataclass, field

from tools.compact import compact

BLOCK = 512
"""Bytes of one ``st_blocks`` unit (POSIX leaves it open; Linux and BSD use 512)."""


@dataclass(slots=True)
class Room:
    """What one folder or file takes, everything below it counted."""

    allocated: int = 0
    """Bytes on disk."""
    apparent: int = 0
    """Bytes that reading would give; more than ``allocated`` for sparse and compressed files."""
    files: int = 0
    newest: float = 0.0
    """Modification time of the newest file, epoch seconds."""
    whole: bool = True
    """False: the walk stopped before its end, the figures are lower bounds."""


@compact
class FileSystem:
    root: str
    size: int
    free: int
    """Bytes this user may still write as far as the file system says; a quota may allow less."""
    files_free: int | None
    """Files that may still be made; None where the file system doesn't count them."""


@compact
class Usage:
    """``folders`` has paths below the workspace of one and two levels, ``units`` those that were asked for."""

    total: Room
    folders: dict[str, Room]
    units: dict[str, Room]
    largest: tuple[tuple[int, str], ...]
    """(bytes on disk, path), largest first."""
    file_systems: tuple[FileSystem, ...]
    entries: int
    unreadable: tuple[str, ...]
    stopped: str | None = None
    """Which bound ended the walk, and where it was then; None: it saw everything."""


@compact
class Folder:
    path: str
    keys: tuple[str, ...]
    """The folders of one and two levels that it counts for."""
    unit: str | None

    def counts_for(self) -> list[tuple[str, str]]:
        unit = [("u", self.unit)] if self.unit else []
        return [("t", ""), *(("f", name) for name in self.keys), *unit]


@dataclass(slots=True)
class Share:
    """What one folder holds by itself."""

    rooms: dict[tuple[str, str], Room] = field(default_factory=lambda: defaultdict(Room))
    folders: list[tuple[tuple[int, int], Folder]] = field(default_factory=list)
    files: list[tuple[int, str]] = field(default_factory=list)
    cut: bool = False

    def add(self, entry: Folder, info: os.stat_result) -> None:
        """Count one file or folder in it."""
        allocated = info.st_blocks * BLOCK
        regular = stat.S_ISREG(info.st_mode)
        for key in entry.counts_for():
            room = self.rooms[key]
            room.allocated += allocated
            if regular:
                room.apparent += info.st_size
                room.files += 1
                room.newest = max(room.newest, info.st_mtime)
        if stat.S_ISDIR(info.st_mode):
            self.folders.append(((info.st_dev, info.st_ino), entry))
        elif allocated:
            self.files.append((allocated, entry.path))
