"""What lies on the disk for nothing, and what must stay: figures only, nothing is deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

SMALL = 0.1
"""A checkpoint below this share of its run's usual size is hardly whole."""


@dataclass(frozen=True, slots=True)
class RunCheckpoints:
    """The checkpoints of one run, sizes in bytes."""

    run: str
    sizes: Mapping[str, int]
    newest: str | None
    """The newest that loads: it stays, and while the run is unfinished nothing else may take its place."""

    @property
    def total(self) -> int:
        return sum(self.sizes.values())

    @property
    def superseded(self) -> int:
        """Bytes of all but the newest loadable one; nothing where none loads."""
        return self.total - self.sizes.get(self.newest, 0) if self.newest else 0

    @property
    def too_small(self) -> list[str]:
        """Checkpoints far smaller than the run's others."""
        usual = median(self.sizes.values()) if len(self.sizes) >= 3 else 0
        return sorted(path for path, size in self.sizes.items() if size < SMALL * usual)


def orphans(checkpoints: Iterable[str], runs: Iterable[RunCheckpoints]) -> list[str]:
    """Checkpoints that no known run claims: of runs that left no other trace, or of a place that runs share."""
    claimed = {path for run in runs for path in run.sizes}
    return sorted(path for path in checkpoints if path not in claimed)


def old_logs(logs: Iterable[tuple[str, float, int]], now: float, days: int) -> list[tuple[int, str]]:
    """(Bytes, path) of the logs (path, time, bytes) older than so many days, the largest first."""
    return sorted(((size, path) for path, written, size in logs if now - written > days * 86_400), reverse=True)


def human(size: int) -> str:
    """``1.5 GB``, by thousands as disks are sold."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"
