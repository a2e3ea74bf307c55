"""Plain data: what the sources return and the diagnosis reads.

Every type is frozen and holds only facts as they were read; a value nobody could read is ``None``.
Times are seconds since the epoch (UTC), durations are seconds, sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

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


@dataclass(frozen=True)  # no slots: the disk index restores a plain instance five times faster
class Evidence:
    """One thing that was seen: which source, where in it (``file:line`` or a field), and its words."""

    source: str
    where: str
    text: str


@dataclass(frozen=True, slots=True)
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
    """Memory it asked for on each node, bytes; None where that is not known or was asked for by CPU."""
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


@dataclass(frozen=True, slots=True)
class LogText:
    """Text of one log file, or of one part of it.

    Lines are split at newline and carriage return, free of ANSI colour codes and control characters,
    and cut at a fixed length. ``lines[i]`` stands in line ``numbers[i]`` of the file (1-based, by newline);
    a negative number is counted from the end (-1 is the last line), where the file is too large to be counted.
    """

    path: str
    stream: Stream
    lines: tuple[str, ...]
    numbers: Sequence[int]
    size: int
    mtime: float
    left_out: int = 0
    """Bytes in the middle of the file that were not read."""

    notes: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What the diagnosis has found out about these lines, to find it out once; each note has a ``part`` as well."""

    def part(self, start: int, end: int) -> LogText:
        """The lines from ``start`` to before ``end``."""
        if start == 0 and end >= len(self.lines):
            return self
        lines, numbers = self.lines[start:end], self.numbers[start:end]
        notes = {name: note.part(start, end) for name, note in self.notes.items()}
        return LogText(self.path, self.stream, lines, numbers, self.size, self.mtime, self.left_out, notes)

    def where(self, i: int) -> str:
        """``file:line`` of ``lines[i]``."""
        return f"{self.path}:{self.numbers[i]}"

    def index_of(self, where: str) -> int | None:
        """The last of ``lines`` that stands where ``where`` says."""
        path, _, number = where.rpartition(":")
        if path != self.path or not number.lstrip("-").isdigit():
            return None
        wanted = int(number)
        return next((i for i in range(len(self.lines) - 1, -1, -1) if self.numbers[i] == wanted), None)


@dataclass(frozen=True)  # no slots: the disk index restores a plain instance five times faster
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


@dataclass(frozen=True)  # no slots: the disk index restores a plain instance five times faster
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


@dataclass(frozen=True)  # no slots: the disk index restores a plain instance five times faster
class RunDir:
    """One W&B run directory on disk; a resumed run has several."""

    run: str
    path: str
    offline: bool
    log: str | None = None
    """The ``.wandb`` file, if there is one."""
    sweep: str | None = None
    entity: str | None = None
    project: str | None = None
    name: str | None = None
    notes: str | None = None
    host: str | None = None
    job: str | None = None
    """``A`` or ``A_T`` from the SLURM values in the run's metadata."""
    started: float | None = None
    written: float | None = None
    """Modification time of the newest file; says nothing about life on wandb 0.18 to 0.30."""
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    history: Mapping[str, Any] = field(default_factory=dict)
    """The last history row that reached the disk."""
    exit_code: int | None = None
    """Code of the exit record; None: there is none (alive, killed, or not flushed)."""
    preempting: bool = False
    output_log: str | None = None
    """``files/output.log``: this one run's own console."""
    checkpoints: tuple[str, ...] = ()
    """Weights that lie in its ``files``."""
    synced: bool = False
    problem: str | None = None
    """What could not be read, in a few words."""


@dataclass(frozen=True, slots=True)
class OfflineLog:
    """What the ``.wandb`` file of an offline run folder, and the mark beside it, tell about syncing it."""

    size: int
    written: float
    """Modification time of the ``.wandb`` file itself."""
    marked: float | None = None
    """When ``.wandb.synced`` was made; None: there is none."""
    torn: bool = False
    """Its last record is incomplete."""
    client: str | None = None
    """Version of wandb that wrote it; 0.16 and before don't tell."""


@dataclass(frozen=True)  # no slots: the disk index restores a plain instance five times faster
class SweepParams:
    """``wandb/sweep-SWEEP/config-RUN.yaml``, written by the agent before every run: the local run-to-sweep map."""

    sweep: str
    run: str
    params: Mapping[str, Any]
    path: str
    mtime: float


@dataclass(frozen=True, slots=True)
class WandbSettings:
    """Entity, project and host of W&B, each with where it was found (``None``: nowhere)."""

    entity: str | None = None
    project: str | None = None
    base_url: str = "https://wandb.ai"
    found_in: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Note:
    """Words of a file, and the line they begin in (1-based)."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class SweepConfig:
    """A sweep YAML of the workspace."""

    path: str
    name: str | None = None
    told: Mapping[str, Note] = field(default_factory=dict)
    """``description``, ``notes``, ``comment``, ``purpose``, ``hypothesis``, ``expected_runtime`` as they stand."""
    comments: tuple[Note, ...] = ()
    """The comment lines of its head; one without text is a break between two paragraphs."""
    remarks: Mapping[str, Note] = field(default_factory=dict)
    """Parameter -> the comments beside or right above it."""
    lines: Mapping[str, int] = field(default_factory=dict)
    """Line of every top-level key, and of every parameter as ``parameters.NAME``."""
    method: str | None = None
    program: str | None = None
    command: tuple[str, ...] = ()
    metric: str | None = None
    """``goal name``."""
    early_terminate: Mapping[str, Any] | None = None
    run_cap: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None
    """Why the file can't be read as YAML; only ``path``, ``comments`` and ``lines`` are known then."""

    def where(self, key: str) -> str:
        """``file:line`` of a key; the file where the line is not known."""
        return f"{self.path}:{self.lines[key]}" if key in self.lines else self.path


@dataclass(frozen=True, slots=True)
class SourceState:
    """How the reading of one source went; goes into every answer."""

    name: str
    ok: bool
    at: float
    error: str | None = None
    detail: str | None = None
    """What was found where, or what was left out."""
