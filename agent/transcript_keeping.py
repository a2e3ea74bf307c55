"""Which conversations stay on disk: the newest, so many and of so many megabytes.

Nothing else is deleted, and never one that an agent has open.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from tools.checked import ABOVE_0, SECTION
from tools.compact import compact

_OURS = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}\.jsonl")


@compact
class Keeping:
    """What ``transcripts:`` in the user's own configuration says."""

    __pydantic_config__ = SECTION

    keep: Annotated[int, ABOVE_0] = 200
    """Conversations."""
    megabytes: Annotated[int, ABOVE_0] = 200
    """Of all of them together; the newest stays, however large."""


def prune(folder: Path, keeping: Keeping) -> None:
    """Delete the conversations past what is kept, the oldest. What can't be deleted stays."""
    size = 0
    for place, (path, bytes_) in enumerate(_newest_first(folder)):
        size += bytes_
        if place and (place >= keeping.keep or size > keeping.megabytes * 1_000_000):
            with suppress(OSError):
                _delete(path)


def _newest_first(folder: Path) -> Iterator[tuple[Path, int]]:
    found = []
    with suppress(OSError), os.scandir(folder) as listing:
        for entry in listing:
            if _OURS.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                info = entry.stat(follow_symlinks=False)
                found.append((info.st_mtime, entry.path, info.st_size))
    for _, path, size in sorted(found, reverse=True):
        yield Path(path), size


def _delete(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held by whoever writes to it
        path.unlink()
    finally:
        os.close(handle)
