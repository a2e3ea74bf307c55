"""What the links of the workspace lead to, so that nothing is moved from under one."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from tools.sources.index import Index

MAX_LINKS = 20_000
MAX_SECONDS = 3.0


def links_into(index: Index, wanted: Collection[str]) -> dict[str, str] | None:
    """Of the ``wanted`` real paths those that a link elsewhere leads to or into: path -> the link.

    Looked at are the links that the walk has met and those right inside checkpoint folders (a Hub cache links each
    file). None where not all of them could be looked at.
    """
    if index.stopped or index.unreadable:
        return None
    deadline = time.monotonic() + MAX_SECONDS
    found: dict[str, str] = {}
    for count, link in enumerate(_links(index)):
        if count >= MAX_LINKS or time.monotonic() > deadline:
            return None
        place = target = os.path.realpath(link)
        own = real_path(link)
        while len(place) > 1:
            if place in wanted and not own.startswith(f"{place}/") and own != target:
                found.setdefault(place, link)
            place = os.path.dirname(place)
    return found


def real_path(path: str) -> str:
    """Its folder's real path, and its own name: a link is never the thing itself."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def _links(index: Index) -> Iterator[str]:
    yield from index.links
    yield from (tracker for tracker in index.trackers if Path(tracker).is_symlink())
    for path in index.checkpoints:
        try:
            with os.scandir(path) as listing:
                yield from (entry.path for entry in listing if entry.is_symlink())
        except OSError:  # a file, or gone since
            continue
