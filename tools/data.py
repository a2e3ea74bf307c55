"""Plain data: what the sources return and the diagnosis reads.

Every type is frozen and holds only facts as they were read; a value nobody could read is ``None``.
Times are seconds since the epoch (UTC), durations are seconds, sizes are bytes.
"""

from __future__ import annotations

from typing import Literal, get_args

from tools.compact import compact

Cause = Literal[
    "preempted",
    "time_limit",
    "cuda_oom",
    "host_oom",
    "config_error",
    "missing_dependency",
    "data_error",
    "nan_loss",
    "stop_iteration",
    "nccl",
    "cuda_device",
    "segfault",
    "killed",
    "disk_full",
    "node_fail",
    "cancelled",
    "python_exception",
    "false_success",
    "none",
    "unknown",
]
CAUSES: tuple[str, ...] = get_args(Cause)
Verdict = Literal["falling", "flat", "rising", "plateau", "exploding", "diverged", "overfitting"]
Arrow = Literal["↓", "→", "↑"]
Resumable = Literal["yes", "no", "maybe", "unknown"]
Stream = Literal["out", "err", "both"]
SourceName = Literal["squeue", "sacct", "logs", "checkpoints", "configs", "wandb_files", "wandb_api"]

ACTIVE_STATES = frozenset(
    {"RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "STOPPED", "STAGE_OUT", "SIGNALING", "RESIZING"}
)
WAITING_STATES = frozenset({"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT"})


STATES = (
    ACTIVE_STATES
    | WAITING_STATES
    | frozenset(
        "BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED REVOKED TIMEOUT".split()
    )
)
"""Slurm's words for the state of a job."""


def real(value: float) -> float | None:
    """A whole number as one with a point; None where it is larger than those can be."""
    try:
        return float(value)
    except OverflowError:
        return None


@compact
class Evidence:
    """One thing that was seen: which source, where in it (``file:line`` or a field), and its words."""

    source: str
    where: str
    text: str


@compact
class Job:
    """One incarnation of a Slurm job or array task; a requeued job has one per start."""

    id: str
    """``A`` or ``A_T``; never a range."""
    raw_id: str
    """Slurm's own number, as slurmstepd prints it; differs from the array's for most tasks."""
    name: str
    user: str
    state: str
    """Bare state word: ``CANCELLED``, never ``CANCELLED by 1000``."""
    source: Literal["squeue", "sacct"]
    reason: str = ""
    exit_code: str | None = None
    """``code:signal`` as sacct gives it; codes above 128 have lost 128."""
    cancelled_by: str | None = None
    """Uid of who cancelled it, where Slurm says so."""
    submit: float | None = None
    start: float | None = None
    end: float | None = None
    """End as it happened; None while it lives."""
    elapsed_s: int | None = None
    limit_s: int | None = None
    restarts: int | None = None
    partition: str = ""
    nodes: str = ""
    gpus: int | None = None
    """GPUs it was given; None where accounting does not tell (yet)."""
    memory: int | None = None
    """Memory it asked for on all its nodes together, bytes; None where that is not known."""
    node_count: int | None = None
    workdir: str = ""
    stdout: str | None = None
    """Absolute path with Slurm's patterns filled in, where Slurm tells it."""
    stderr: str | None = None
    command: str = ""
    """The batch script with its arguments, or the whole submit line, where Slurm tells it."""
    throttle: int | None = None
    """``%N`` of the array's waiting rest."""
    array_size: int | None = None
    """Waiting tasks of the array that this row was expanded from."""

    @property
    def array_id(self) -> str:
        return self.id.partition("_")[0]

    @property
    def task(self) -> str | None:
        return self.id.partition("_")[2] or None

    @property
    def active(self) -> bool:
        return self.state in ACTIVE_STATES

    @property
    def waiting(self) -> bool:
        return self.state in WAITING_STATES


@compact
class Progress:
    """Where a run stands, as the last lines of its part of a log tell it."""

    epoch: float | None = None
    step: int | None = None
    epochs_total: float | None = None
    """``T`` of an ``epoch N/T`` line."""
    steps_total: int | None = None
    loss: float | None = None
    """The last training loss; may be nan or inf."""
    losses: tuple[float, ...] = ()
    """The last training losses, oldest first, at most 20."""
    where: str | None = None
    """``file:line`` of the newest line that gave a value."""

    @property
    def has_total(self) -> bool:
        return self.epochs_total is not None or self.steps_total is not None


@compact
class Checkpoint:
    path: str
    step: int | None
    epoch: float | None
    mtime: float
    size: int
    loadable: bool
    problem: str | None = None
    """Why it can't be loaded, in a few words."""
    looked_at: tuple[str, ...] = ()
    """The files in it that tell."""


@compact
class SourceState:
    """How the reading of one source went; goes into every answer."""

    name: SourceName
    ok: bool
    at: float
    error: str | None = None
    detail: str | None = None
    """What was found where, or what was left out."""
