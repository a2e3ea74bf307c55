"""Progress bars without a label: steps of the whole run, or counts that start over with every epoch."""

from __future__ import annotations

from dataclasses import dataclass, field

from tools.diagnosis import shapes

DENSE = 300
"""So many bars are read each; one in sixteen of the older ones shows as well whether they start over."""
LEAST = 20
"""Smaller totals are model downloads, data shards and the like."""


@dataclass(slots=True)
class Bars:
    """The bars with the newest one's total; they are added newest first."""

    counts: list[int] = field(default_factory=list)
    total: int = 0
    met: int = 0
    starts_over: bool = False

    def add(self, line: str) -> None:
        self.met += 1
        if self.starts_over or (self.met > DENSE and self.met % 16):
            return
        if "poch" in line and shapes.EPOCH_BAR.search(line):
            return
        bar = shapes.BAR.search(line)
        if bar is None:
            return
        count, of = int(bar[2]), int(bar[3])
        self.total = self.total or of
        if of == self.total:
            self.starts_over = bool(self.counts) and count > self.counts[-1]
            self.counts.append(count)

    def over_all(self) -> tuple[int, int] | None:
        """The newest count and the total, where they are steps of the whole run."""
        if self.starts_over or self.total < LEAST or len(self.counts) < 2:
            return None
        return self.counts[0], self.total
