"""What a benchmark's workspace holds, decided before a byte is written: sweeps, their runs, and what is true of each.

The shares are those of a busy shared cluster: 25 % running, 10 % pending, 20 % preempted, 10 % at their time limit,
10 % failed, 25 % completed. All values are synthetic.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SWEEP_RUNS = 40
TICKS = 120
"""How finely a run's progress is told: its logs have so many equal parts when it is done."""
STEPS_PER_EPOCH = 50
SAVE_TICKS = 12
"""A checkpoint every tenth of the training."""
DAYS = 10
"""The oldest sweep began so many days ago: inside the 14 days that sacct is asked for."""

DECK = (
    *["running"] * 10, *["preempted"] * 8, *["time_limit"] * 4,
    "missing_dependency", "cuda_oom", "config_error", "nan_loss", *["completed"] * 10, *["pending"] * 4,
)  # fmt: skip
SLURM_STATE = {
    "running": "RUNNING",
    "pending": "PENDING",
    "preempted": "PREEMPTED",
    "time_limit": "TIMEOUT",
    "completed": "COMPLETED",
    # the agent of W&B exits 0 after a failed run; a script that dies itself fails the job
    "missing_dependency": "COMPLETED",
    "config_error": "COMPLETED",
    "cuda_oom": "FAILED",
    "nan_loss": "FAILED",
}
NEVER_TRAINED = ("missing_dependency", "config_error", "pending")
STYLES = ("hf", "epochs", "hydra")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class Sweep:
    id: str
    array: int
    name: str
    style: str
    epochs: int
    online: bool
    start: float


@dataclass(frozen=True, slots=True)
class Run:
    sweep: Sweep
    id: str
    task: int
    raw: int
    kind: str
    tick: int
    start: float
    end: float | None
    long: bool
    """Its standard output has 300 KB and more."""

    @property
    def job(self) -> str:
        return f"{self.sweep.array}_{self.task}"

    @property
    def node(self) -> str:
        return f"node{self.raw % 64:02d}"

    @property
    def step(self) -> int:
        return step_at(self.tick, self.sweep.epochs)

    @property
    def epoch(self) -> float | None:
        """As the log says it: the Trainer counts parts of epochs, other scripts whole ones."""
        if self.tick == 0:
            return None
        if self.sweep.style == "hf":
            return round(self.step / STEPS_PER_EPOCH, 2)
        return float(self.step // STEPS_PER_EPOCH)

    @property
    def checkpoints(self) -> list[int]:
        """Steps of the checkpoints on disk: the last three."""
        ticks = range(SAVE_TICKS, self.tick + 1, SAVE_TICKS)
        return [step_at(tick, self.sweep.epochs) for tick in ticks][-3:]

    def truth(self) -> dict[str, Any]:
        """What a reader must find, by the names of ``agent status --json``."""
        waits = self.kind == "pending"
        saved = self.checkpoints
        healthy = self.kind in ("running", "pending", "completed")
        bar_only = self.sweep.style == "hf" and self.tick
        return {
            "job": self.job,
            "run": None if waits else self.id,
            "sweep": self.sweep.id,
            "slurm_state": SLURM_STATE[self.kind],
            "cause": "none" if healthy else self.kind,
            "epoch": self.epoch,
            "step": self.step if self.tick else None,
            # what the log itself says comes first: the Trainer's has a bar over the steps, and no number of epochs
            "target_epochs": None if bar_only else float(self.sweep.epochs),
            "target_steps": step_at(TICKS, self.sweep.epochs) if self.tick else None,
            "checkpoint": saved[-1] if saved else None,
        }


def step_at(tick: int, epochs: int) -> int:
    return tick * epochs * STEPS_PER_EPOCH // TICKS


def plan(runs: int, seed: int, now: float) -> Iterator[list[Run]]:
    """The runs of one sweep after the other; the last sweep takes what is left. ``now`` is in epoch seconds."""
    rng = random.Random(seed)
    sweeps = -(-runs // SWEEP_RUNS)
    raw = 100_000
    for number in range(sweeps):
        size = min(SWEEP_RUNS, runs - number * SWEEP_RUNS)
        kinds = [DECK[place * SWEEP_RUNS // size] for place in range(size)]
        waiting = kinds.count("pending")
        started = kinds[: size - waiting]
        rng.shuffle(started)
        sweep = Sweep(
            id=_word(rng, 6),
            array=10_000 + number,
            name=f"{'bayes' if number % 3 == 0 else 'grid'}-{number:03d}",
            style=STYLES[number % len(STYLES)],
            epochs=(100, 200, 300)[rng.randrange(3)],
            online=number % 3 == 0,
            start=now - 3600 * 24 * DAYS * (sweeps - number) / (sweeps + 1),
        )
        group = []
        for task, kind in enumerate([*started, *["pending"] * waiting]):
            raw += 1
            group.append(_run(rng, sweep, task, raw, kind, now))
        yield group


def _run(rng: random.Random, sweep: Sweep, task: int, raw: int, kind: str, now: float) -> Run:
    start = sweep.start + 60 * task
    tick = 0 if kind in NEVER_TRAINED else TICKS if kind == "completed" else rng.randrange(30, TICKS - 4)
    lived = max(120.0, (now - start) * rng.uniform(0.3, 0.95)) if tick else 45.0
    end = None if kind in ("running", "pending") else min(now - 60, start + lived)
    return Run(sweep, _word(rng, 8), task, raw, kind, tick, start, end, long=rng.random() < 0.03)


def _word(rng: random.Random, length: int) -> str:
    """An id as W&B makes them: a letter first here, so that no id is a number."""
    return rng.choice(LETTERS[:26]) + "".join(rng.choices(LETTERS, k=length - 1))
