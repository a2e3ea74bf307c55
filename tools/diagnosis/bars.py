"""Progress bars without an epoch in their label: steps of the whole run, or counts that start over."""

from __future__ import annotations

from dataclasses import dataclass, field

from tools.diagnosis import shapes

DENSE = 24
"""So many bars are read each; of the older ones with the same total, one in thirteen shows as well whether they start
over: more often than once in any stretch longer than these."""
LEAST = 20
"""Smaller totals are model downloads, data shards and the like."""
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


@dataclass(slots=True)
class Bars:
    """The bars of a log by their totals; they are added newest first."""

    by_total: dict[int, _Bar] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    """The totals as they are printed."""
    met: int = 0

    def add(self, line: str) -> None:
        self.met += 1
        slash = line.find("/", line.find("%|"))
        total_text = line[slash + 1 : line.find(" ", slash)]
        if self.met > DENSE and self.met % 13 and total_text in self.known:
            return
        if "poch" in line and shapes.EPOCH_BAR.search(line):
            return
        bar = shapes.BAR.search(line)
        if bar is None or bar.start() > LABEL or not shapes.OVER_ALL.match(line[: bar.start()].strip()):
            return
        count, total = int(bar[2]), int(bar[3])
        known = self.by_total.get(total)
        if known:
            known.starts_over = known.starts_over or count > known.last
            known.last = count
            known.seen += 1
        elif len(self.by_total) < MOST:
            self.by_total[total] = _Bar(count, count)
            self.known.add(total_text)

    def over_all(self) -> tuple[int, int] | None:
        """The newest count and the total, where they are steps of the whole run.

        An evaluation's bar interrupts the training's, which is the older of the two that are not full.
        """
        bars = [
            (bar.newest, total)
            for total, bar in self.by_total.items()
            if total >= LEAST and bar.seen > 1 and not bar.starts_over
        ]
        unfinished = [bar for bar in bars if bar[0] < bar[1]]
        return unfinished[-1] if unfinished else bars[0] if bars else None
