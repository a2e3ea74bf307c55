"""What is read of W&B and of sweep configs: run directories, logs, settings, the sweep YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tools.compact import compact


@compact
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


@compact
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


@compact
class SweepParams:
    """``wandb/sweep-SWEEP/config-RUN.yaml``, written by the agent before every run: the local run-to-sweep map."""

    sweep: str
    run: str
    params: Mapping[str, Any]
    path: str
    mtime: float


@compact
class WandbSettings:
    """Entity, project and host of W&B, each with where it was found (``None``: nowhere)."""

    entity: str | None = None
    project: str | None = None
    base_url: str = "https://wandb.ai"
    """Where its pages are; links begin with it."""
    api_url: str = "https://api.wandb.ai"
    """Where its service answers."""
    found_in: Mapping[str, str] = field(default_factory=dict)
    """``entity``, ``project``, ``base_url``, ``api_url`` -> the place that names it."""

    @property
    def told(self) -> str:
        """Which place names what: ``entity from environment, project from wandb/settings``."""
        names = {"entity": "entity", "project": "project", "api_url": "server"}
        return ", ".join(f"{word} from {self.found_in[key]}" for key, word in names.items() if key in self.found_in)


@compact
class ServerSweep:
    """One sweep as the W&B service tells of it."""

    sweep: str
    node: str
    """The service's own key of it, for changes."""
    state: str
    """RUNNING, PAUSED, PENDING, FINISHED, CANCELED …"""
    name: str | None = None
    """Its display name, where somebody gave it one."""
    config_name: str | None = None
    """``name:`` of its own YAML: what `wandb sweep --name` sets."""
    method: str | None = None
    description: str | None = None
    created: float | None = None
    runs: int | None = None

    @property
    def shown(self) -> str | None:
        """The name that its page shows, but for its id."""
        return self.name or self.config_name


@compact
class ServerRun:
    """One run as the W&B service tells of it. Times are epoch seconds of the service's clock."""

    run: str
    node: str
    """The service's own key of it, for changes."""
    state: str
    """running, finished, crashed, failed, killed, pending, preempting, preempted."""
    sweep: str | None = None
    name: str | None = None
    owner: str | None = None
    """User name of who started it."""
    notes: str | None = None
    created: float | None = None
    heartbeat: float | None = None
    rows: int | None = None
    """History rows that the service holds."""
    detailed: bool = False
    """Whether what follows was asked for."""
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    job: str | None = None
    """``A`` or ``A_T`` from the SLURM values that the client saved, where its version does."""
    host: str | None = None


@compact
class ServerProject:
    """What one reading of the W&B service found in a project."""

    entity: str
    project: str
    viewer: str | None
    """User name that the key belongs to."""
    sweeps: Mapping[str, ServerSweep] = field(default_factory=dict)
    runs: Mapping[str, ServerRun] = field(default_factory=dict)
    requests: int = 0
    left_out: str | None = None
    """What was not read, and why."""


@compact
class Note:
    """Words of a file, and the line they begin in (1-based)."""

    text: str
    line: int


@compact
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
