"""Progress bars without an epoch in their label: steps of the whole run, or counts that start over."""

from __future__ import annotations

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


@dataclass(slots=True)
class _Bar:
    newest: int
    last: int
    seen: int = 1
    starts_over: bool = False


def over_all(lines: Sequence[str]) -> tuple[int, int] | None:
    """The newest count and the total of the lines with bars, newest first, where they are steps of the whole run.

    An evaluation's bar interrupts the training's, which is the older of the two that are not full.
    """
    by_total: dict[int, _Bar] = {}
    known = "\n"  # the total read last, as it is printed; at first something that no line holds
    for line in lines[:DENSE]:
        known = _add(line, by_total) or known
    older = lines[DENSE:]
    # nearly always all have the same: then those between are not even looked at
    alike = "\n".join(older).count(known) == len(older)
    for number in range(THIN - DENSE % THIN - 1, len(older), THIN) if alike else range(len(older)):
        if (DENSE + number + 1) % THIN == 0 or known not in older[number]:
            known = _add(older[number], by_total) or known
    bars = [
        (bar.newest, total)
        for total, bar in by_total.items()
        if total >= LEAST and bar.seen > 1 and not bar.starts_over
    ]
    unfinished = [bar for bar in bars if bar[0] < bar[1]]
    return unfinished[-1] if unfinished else bars[0] if bars else None


def _add(line: str, by_total: dict[int, _Bar]) -> str | None:
    """Count one line in; its total as it is printed, if it is one that counts."""
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
    return f"/{found[3]} "
