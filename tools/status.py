"""The true picture as one object: what ``agent status --json`` prints. A fixed face: add to it, don't rename."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, Self

from tools.data import Arrow, Cause, Evidence, Resumable, SourceName, Verdict
from tools.row_base import BATCH, Row, cleaned, json_of, listed


class SourceRow(Row):
    name: SourceName
    ok: bool
    age_s: float
    """Seconds between this source being read and ``at``."""
    error: str | None = None
    detail: str | None = None


class SweepRow(Row):
    id: str
    url: str | None
    config: str | None
    """Path of the sweep's YAML, relative to the workspace."""
    name: str | None = None
    purpose: str | None = None
    """Description or header comment of the config: what the sweep is for."""
    method: str | None = None
    state: str | None
    expected_agents: int | None
    active_agents: int
    zombies: int | None
    stale: int | None
    issues: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckpointRow:
    path: str
    step: int | None
    loadable: bool
    problem: str | None = None
    epoch: float | None = None
    saved_at: float | None = None
    """Epoch seconds."""


class RunRow(Row):
    """One pair of job (or array task) and run; null is what nobody could read, with the reason in ``flags``."""

    job: str | None
    run: str | None
    sweep: str | None
    name: str | None = None
    owner: str | None = None
    """W&B user who started it, where that is somebody else and no job of this user has it: shown, never acted on."""
    slurm_state: str | None
    nodes: str | None = None
    """Where its job runs or ran, as Slurm writes it: ``gpu07``, ``gpu[01-04]``."""
    reason: str | None = None
    wandb_state: str | None
    heartbeat_age_s: int | None = None
    """Since the W&B service last heard of it; null where the service was not asked or does not list it."""
    epoch: float | None
    step: int | None
    target_epochs: float | None
    target_steps: int | None
    percent: float | None
    """Of the target, cut (not rounded up) to one decimal."""
    loss: float | None
    health: Verdict | None
    """Only of runs that train now, and of those that died of it: the others' losses are not read again."""
    trend: Arrow | None = None
    """Which way the training loss goes."""
    health_note: str | None = None
    """What shows that it is not well, or why ``health`` is null though it trains."""
    elapsed_s: int | None
    limit_s: int | None = None
    left_s: int | None = None
    """Until the target at this run's own pace; null where the log doesn't tell."""
    idle_s: int | None = None
    """Since the last sign of progress of a live run; null where no source can tell."""
    unsaved_s: int | None = None
    """Training since the newest loadable checkpoint: lost if the run died now, or lost when it died."""
    unsaved_gpu_hours: float | None = None
    ended_at: float | None = None
    """Epoch seconds."""
    checkpoint: CheckpointRow | None
    cause: Cause
    evidence: tuple[Evidence, ...]
    resumable: Resumable | None
    action: str | None
    flags: tuple[str, ...]
    live: bool = False
    """The job is active and trains this run now."""

    @property
    def queued(self) -> bool:
        """Whether a job that goes on with it waits already."""
        return any(flag.startswith("queued_as: ") for flag in self.flags)

    @property
    def stuck(self) -> bool:
        """Live, and without progress for so long that cancelling it could be right."""
        return self.live and any(flag.startswith("not_progressing: ") for flag in self.flags)

    @property
    def superseded(self) -> bool:
        return "superseded" in self.flags

    @property
    def behind_siblings(self) -> bool:
        return any(flag.startswith("behind_siblings: ") for flag in self.flags)


class Status(Row):
    schema: Literal[1] = 1
    at: str
    workspace: str
    entity: str | None = None
    project: str | None = None
    cluster: str | None = None
    """The one that the project file names; null: Slurm's default one."""
    demo: bool = False
    other_jobs: int | None = None
    """Jobs of the same user outside this workspace; null where the queue could not be read."""
    sources: tuple[SourceRow, ...]
    sweeps: tuple[SweepRow, ...]
    runs: tuple[RunRow, ...]

    def cleaned(self, clean: Callable[[str], str], plain: Callable[[str], bool] = lambda _: False) -> Self:
        """The same with every text passed through ``clean``.

        ``plain`` as in ``row_base.cleaned``: of runs there may be thousands.
        """
        rest = Row.cleaned(replace(self, runs=()), clean)
        return replace(rest, runs=tuple(cleaned(self.runs, clean, plain)))

    def to_json(self) -> str:
        """The object as text; not-a-number and infinity are the strings ``NaN`` and ``Infinity``."""
        return "".join(self.json_pieces())

    def json_pieces(self) -> Iterator[str]:
        """The same batch by batch: the whole text of 20,000 runs takes more room than its object."""
        lists = {"sources": list(map(vars, self.sources)), "sweeps": list(map(vars, self.sweeps)), "runs": []}
        head = json_of({**vars(self), **lists})
        if not self.runs:
            yield head
            return
        yield head.removesuffix("]\n}") + "\n"
        for start in range(0, len(self.runs), BATCH):
            yield (",\n" if start else "") + listed(self.runs[start : start + BATCH])
        yield "\n ]\n}"
