"""Progress bars without an epoch in their label: steps of the whole run, or counts that start over."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tools.diagnosis import shapes

DENSE = 24
THIN = 13
"""So many bars are read each; of the older ones with the same total, one in thirteen shows as well whether they start
over: more often than once in any stretch longer than these."""
LEAST = 20
"""Smaller totals are model downloads, data shards and the like."""
PERCENT = 3
"""Digits before a bar's percent sign."""
LABEL = 120
"""Characters before a bar that can be its label."""
MOST = 8
"""Different totals that are kept; more than a training and its evaluations have."""

_FIRST_THIN = THIN - DENSE % THIN - 1
# `shapes.BAR` from the beginning of a line, narrower than that
_ALONE = re.compile(rb"(?m)^ {0,8}\d{1,3}%\|[^|\n]{0,200}\| {0,3}(\d{1,12})/(\d{1,12}) {1,3}\[.*\n?")


@dataclass(slots=True)
class _Bar:
    newest: int
    last: int
    seen: int = 1
    starts_over: bool = False


def over_all(lines: Sequence[bytes]) -> tuple[int, int] | None:
    """The newest count and the total of the lines with bars, newest first, where they are steps of the whole run.

    An evaluation's bar interrupts the training's, which is the older of the two that are not full.
    """
    bars = [
        (bar.newest, total)
        for total, bar in (_of_one(lines) or _of_each(lines)).items()
        if total >= LEAST and bar.seen > 1 and not bar.starts_over
    ]
    unfinished = [bar for bar in bars if bar[0] < bar[1]]
    return unfinished[-1] if unfinished else bars[0] if bars else None


def _of_one(lines: Sequence[bytes]) -> dict[int, _Bar] | None:
    """What ``_of_each`` finds, read at once where all lines are of one bar without a label; else None."""
    older = lines[DENSE:]
    read = [*lines[:DENSE], *older[_FIRST_THIN::THIN]]
    text = b"\n".join(read)
    drawn = _ALONE.findall(text)
    if not drawn or len(drawn) < len(read) or b"poch" in text:
        return None
    printed, totals = zip(*drawn, strict=True)
    total = totals[0]
    if totals.count(total) < len(totals) or b"\n".join(older).count(b"/%b " % total) != len(older):
        return None
    counts = [*map(int, printed)]
    starts_over = counts != sorted(counts, reverse=True)
    return {int(total): _Bar(counts[0], counts[-1], len(counts), starts_over)}


def _of_each(lines: Sequence[bytes]) -> dict[int, _Bar]:
    """The bars by their totals."""
    by_total: dict[int, _Bar] = {}
    known = b"\n"  # the total read last, as it is printed; at first something that no line holds
    for line in lines[:DENSE]:
        known = _add(line, by_total) or known
    older = lines[DENSE:]
    # nearly always all have the same: then those between are not even looked at
    alike = b"\n".join(older).count(known) == len(older)
    for number in range(_FIRST_THIN, len(older), THIN) if alike else range(len(older)):
        if (DENSE + number + 1) % THIN == 0 or known not in older[number]:
            known = _add(older[number], by_total) or known
    return by_total


def _add(encoded: bytes, by_total: dict[int, _Bar]) -> bytes | None:
    """Count one line in; its total as it is printed, if it is one that counts."""
    line = encoded.decode("utf-8", "surrogatepass")
    if "poch" in line and shapes.EPOCH_BAR.search(line):
        return None
    found = shapes.BAR.search(line, max(0, line.find("%|") - PERCENT))
    if found is None or found.start() > LABEL:
        return None
    if (label := line[: found.start()].strip()) and not shapes.OVER_ALL.match(label):
        return None
    count, total = int(found[2]), int(found[3])
    bar = by_total.get(total)
    if bar:
        bar.starts_over = bar.starts_over or count > bar.last
        bar.last = count
        bar.seen += 1
    elif len(by_total) < MOST:
        by_total[total] = _Bar(count, count)
    else:
        return None
    return f"/{found[3]} ".encode()
