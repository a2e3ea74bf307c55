"""Where further runs begin in the middle of a long log: what lies around is read, the rest only searched and counted.

An agent writes all its runs into one log. A run that neither begins in the log's beginning nor reaches its end would be
missing; and the one before it would seem to end somewhere else.
"""

from __future__ import annotations

import os
import re

from tools.compact import compact

MOST = 192
"""Places where another run is named, the last ones: W&B and its agent do so about three times as one begins."""
BEFORE, AFTER = 48 << 10, 16 << 10
"""Bytes around one: how the run before it went and ended, and what this one says of itself first."""
_BLOCK = 1 << 20
_LINE = 2 << 10
"""Bytes of a line in which a run is named."""
# W&B's agent, a run's own start (also offline), its page; searched for as plain bytes, a hundred times faster. Not by
# `/runs/`: a folder of that name may stand in every line.
_NEEDLES = (b"Running runs: ['", b"Agent Start", b"Tracking run with wandb version", b"View run ", b"Synced ")
_NAMED = re.compile(
    rb"Running runs: \['([^']{1,128})'|Agent Start(?:ing|ed) Run: (\S{1,128})|(Tracking run with wandb version)"
    rb"|https?://[^\s/]{1,200}/[^\s/]{1,128}/[^\s/]{1,128}/runs/([^\s/?'\"<>\\]{1,128})"
)


@compact
class Stretch:
    """A part of a file, from the beginning of a line to the end of one."""

    data: bytes
    newlines: int
    """Those between the start of the search and this part."""


def around_beginnings(handle: int, start: int, end: int) -> tuple[list[Stretch], int]:
    """What lies around each place between two bytes where another run begins, and how many newlines there are in all.

    Raises OSError.
    """
    found: list[int] = []
    counts: list[int] = []
    last = b""
    for at in range(start, end, _BLOCK):
        length = min(_BLOCK, end - at)
        data = os.pread(handle, length + _LINE, at)
        counts.append(data.count(b"\n", 0, length))
        for place in sorted(place for needle in _NEEDLES for place in _places(data, needle, length)):
            named = _NAMED.search(data, max(0, data.rfind(b"\n", 0, place)), place + _LINE)
            run = named[named.lastindex or 0] if named else last
            if run != last:
                last = run
                found.append(at + place)
    stretches: list[Stretch] = []
    for first, behind in _merged(found[-MOST:], start, end):
        block = (first - start) // _BLOCK
        counted = start + block * _BLOCK
        newlines = sum(counts[:block]) + os.pread(handle, first - counted, counted).count(b"\n")
        stretches.append(_whole_lines(os.pread(handle, behind - first, first), newlines, at_start=first == start))
    return stretches, sum(counts)


def _places(data: bytes, needle: bytes, end: int) -> list[int]:
    places = []
    place = data.find(needle)
    while 0 <= place < end:
        places.append(place)
        place = data.find(needle, place + len(needle))
    return places


def _merged(beginnings: list[int], start: int, end: int) -> list[tuple[int, int]]:
    """From and to which byte is read; what would overlap is one part."""
    parts: list[tuple[int, int]] = []
    for place in beginnings:
        first, behind = max(start, place - BEFORE), min(end, place + AFTER)
        if parts and first <= parts[-1][1]:
            first = parts.pop()[0]
        parts.append((first, behind))
    return parts


def _whole_lines(data: bytes, newlines: int, *, at_start: bool) -> Stretch:
    """Without the piece of a line at either end; what has no newline stays as it is."""
    first = 0 if at_start else data.find(b"\n") + 1
    behind = data.rfind(b"\n") + 1
    return Stretch(data[first:behind], newlines + (first > 0)) if first < behind else Stretch(data, newlines)
