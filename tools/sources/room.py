"""What the walk over disk usage returns."""

from __future__ import annotations

from dataclasses import dataclass


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


@dataclass(frozen=True, slots=True)
class FileSystem:
    root: str
    size: int
    free: int
    """Bytes this user may still write as far as the file system says; a quota may allow less."""
    files_free: int | None
    """Files that may still be made; None where the file system doesn't count them."""


@dataclass(frozen=True, slots=True)
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
