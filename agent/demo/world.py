"""The demo's jobs and runs, their hours turned into times, and what each would have logged by a given moment."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

EVERY_S = 120.0
"""Seconds between two lines of a log."""
CHECKPOINT_EVERY = 10
"""Lines between two checkpoints."""
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Sweep:
    id: str
    config: str
    job_name: str
    epochs: int
    steps_per_epoch: int
    loss: float
    floor: float


@dataclass(frozen=True, slots=True)
class Run:
    id: str
    sweep: Sweep
    start: float
    end: float | None
    """None: it still trains."""
    from_epoch: float
    epoch: float | None
    """Epoch at ``end``, or at the moment the demo was made."""
    lr: float
    batch: int
    accumulation: int
    nan_since: float | None
    exit: int | None
    torn: bool

    def line(self, at: float, made_at: float) -> tuple[int, int, float] | None:
        """(epoch, step, loss) as logged at a moment; None before the first epoch or after the run's end."""
        last = self.end if self.end is not None else made_at
        if self.epoch is None or at < self.start or (self.end is not None and at > self.end):
            return None
        share = (at - self.start) / max(1.0, last - self.start)
        now = min(self.from_epoch + share * (self.epoch - self.from_epoch), self.sweep.epochs)
        if self.epoch > 0 and now < 1:
            return None
        epoch = int(now)
        loss = self.sweep.floor + self.sweep.loss * math.exp(-4 * now / self.sweep.epochs)
        wobble = zlib.crc32(f"{self.id}{epoch}".encode()) / 2**32 - 0.5
        if self.nan_since is not None and at >= self.nan_since:
            return epoch, epoch * self.sweep.steps_per_epoch, math.nan
        return epoch, int(now * self.sweep.steps_per_epoch), loss * (1 + 0.02 * wobble)

    def times(self, after: float, until: float) -> Iterator[float]:
        """The moments in (after, until] at which a line is logged."""
        stop = min(until, self.end) if self.end is not None else until
        first = math.floor((max(after, self.start - 1) - self.start) / EVERY_S) + 1
        for number in range(first, math.floor((stop - self.start) / EVERY_S) + 1):
            yield self.start + number * EVERY_S


@dataclass(frozen=True, slots=True)
class DemoJob:
    id: str
    raw: str
    sweep: Sweep | None
    state: str
    exit: str
    submit: float
    start: float | None
    end: float | None
    limit: float
    node: str
    partition: str
    reason: str
    restarts: int
    array: str
    """The range and throttle that the array was submitted with; empty for a single job."""
    name: str
    dies: str | None
    elsewhere: bool
    user: str
    """Whose it is; empty: the user's own."""
    before: tuple[float, float] | None
    """Start and end of the incarnation that was requeued."""
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class World:
    entity: str
    project: str
    sweeps: tuple[Sweep, ...]
    jobs: tuple[DemoJob, ...]


def read_scenario() -> dict[str, Any]:
    """The demo's sweeps, arrays and jobs as they are written down."""
    import yaml

    raw: dict[str, Any] = yaml.safe_load((files(__package__) / "scenario.yaml").read_text(encoding="utf-8"))
    return raw


def read_world(made_at: float, scenario: Mapping[str, Any] | None = None) -> World:
    """The scenario (default: the demo's own) with its hours counted from ``made_at`` (epoch seconds)."""
    raw = scenario or read_scenario()
    sweeps = {key: Sweep(id=key, **value) for key, value in raw["sweeps"].items()}
    jobs = tuple(_job(entry, sweeps, raw["arrays"], made_at) for entry in raw["jobs"])
    return World(raw["entity"], raw["project"], tuple(sweeps.values()), jobs)


def _job(raw: dict[str, Any], sweeps: dict[str, Sweep], arrays: dict[str, Any], made_at: float) -> DemoJob:
    def at(hours: float | None) -> float | None:
        return None if hours is None else round(made_at + hours * HOUR)

    sweep = sweeps.get(raw.get("sweep", ""))
    array = arrays.get(raw["id"].partition("_")[0], {})  # all tasks of an array are submitted at once
    start, end = at(raw.get("start")), at(raw.get("end"))
    runs: list[Run] = []
    begin = start
    for entry in raw.get("runs", []):
        assert sweep is not None and begin is not None
        over = at(entry["until"]) if "until" in entry else end
        runs.append(
            Run(
                id=entry["id"],
                sweep=sweep,
                start=begin,
                end=over,
                from_epoch=entry.get("from", 0),
                epoch=entry["epoch"],
                lr=entry["lr"],
                batch=entry.get("batch", 4),
                accumulation=entry.get("accumulation", 8),
                nan_since=at(entry.get("nan_since")),
                exit=entry.get("exit"),
                torn=entry.get("torn", False),
            )
        )
        begin = over
    before = raw.get("before")
    return DemoJob(
        id=raw["id"],
        raw=str(raw["raw"]),
        sweep=sweep,
        state=raw["state"],
        exit=raw.get("exit", "0:0"),
        submit=at(array.get("submit", raw.get("submit", raw.get("start", 0) - 0.05))) or made_at,
        start=start,
        end=end,
        limit=raw["limit"] * HOUR,
        node=raw.get("node", ""),
        partition=raw.get("partition", "gpu"),
        reason=raw.get("reason", ""),
        restarts=raw.get("restarts", 0),
        array=array.get("range", ""),
        name=raw.get("name") or (sweep.job_name if sweep else "job"),
        dies=raw.get("dies"),
        elsewhere=raw.get("elsewhere", False),
        user=raw.get("user", ""),
        before=(made_at + before["start"] * HOUR, made_at + before["end"] * HOUR) if before else None,
        runs=tuple(runs),
    )
