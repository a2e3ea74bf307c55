"""Which of many log files hold a text: the end of each, bounded in bytes and time."""

from __future__ import annotations

import time
from collections.abc import Iterable

from tools.compact import compact
from tools.sources import logs

TAIL_BYTES = 1 << 20
"""Searched of each file, from its end."""
MAX_BYTES = 128 << 20
MAX_SECONDS = 5.0


@compact
class Match:
    path: str
    lines: int
    """Lines of the searched part that hold the text."""
    number: int | None
    """Line of the last one (1-based); None where the file's beginning was not read."""
    text: str


@compact
class Search:
    matches: tuple[Match, ...]
    searched: int
    """Files that were looked into."""
    only_ends: int
    """Those of them whose beginning was not."""
    unreadable: int
    left_out: int
    """Files that the bounds left no room for."""


def search(paths: Iterable[str], text: str, *, max_bytes: int = MAX_BYTES, max_seconds: float = MAX_SECONDS) -> Search:
    """Look for a plain text, upper and lower case alike, in the last MiB of each file, in the order given."""
    wanted = text.casefold()
    waiting = list(paths)
    deadline = time.monotonic() + max_seconds
    matches: list[Match] = []
    searched = only_ends = unreadable = taken = 0
    for path in waiting:
        if taken >= max_bytes or time.monotonic() > deadline:
            break
        log = logs.read(path, head=0, tail=TAIL_BYTES, between=0)
        searched += 1
        if log is None:
            unreadable += 1
            continue
        taken += log.size - log.left_out
        only_ends += log.left_out > 0
        hits = [
            (number, line) for number, line in zip(log.numbers, log.lines, strict=True) if wanted in line.casefold()
        ]
        if hits:
            number, line = hits[-1]
            matches.append(Match(path, len(hits), None if log.left_out else number, line))
    return Search(tuple(matches), searched, only_ends, unreadable, len(waiting) - searched)
