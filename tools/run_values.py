"""What a run has reached and what it is meant to reach, each value from its best source."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tools.data import Progress
from tools.diagnosis import targets
from tools.diagnosis.join import Link
from tools.diagnosis.progress import merge_progress, read_progress
from tools.diagnosis.targets import Target
from tools.layout import Layout
from tools.look import Seen

# Names of the values in W&B history rows, most telling first.
_EPOCH_NAMES = ("epoch", "train/epoch", "trainer/epoch")

_STEP_NAMES = ("train/global_step", "trainer/global_step", "global_step", "step")

_LOSS_NAMES = ("loss", "train/loss", "train_loss", "train/train_loss")


def progress_of(link: Link, seen: Seen) -> tuple[Progress, list[str]]:
    """The run's own part of the log; where that is mute, W&B's last row on disk, then the checkpoint."""
    progress = Progress()
    for log in link.part.logs if link.part else ():
        progress = merge_progress(progress, read_progress(log))
    if (own := seen.run_logs.get(link.run or "")) and progress.epoch is None and progress.step is None:
        progress = merge_progress(progress, read_progress(own))
    notes: list[str] = []
    latest = next((folder for folder in reversed(link.run_dirs) if folder.history or folder.summary), None)
    if latest and (progress.epoch is None or progress.step is None):
        row = {**latest.summary, **latest.history}
        epoch = progress.epoch if progress.epoch is not None else _number(row, _EPOCH_NAMES)
        step = progress.step if progress.step is not None else _whole(_number(row, _STEP_NAMES))
        loss = progress.loss if progress.loss is not None else _number(row, _LOSS_NAMES)
        if (epoch, step, loss) != (progress.epoch, progress.step, progress.loss):
            notes.append("progress_from: W&B files, as far as they reached the disk")
            progress = _with(progress, epoch, step, loss)
    best, _ = seen.newest.get(link.run or "", (None, ()))
    if best and best.loadable and progress.epoch is None and progress.step is None:
        progress = _with(progress, best.epoch, best.step, progress.loss)
        notes.append("progress_from: newest checkpoint")
    return progress, notes


def _with(progress: Progress, epoch: float | None, step: int | None, loss: float | None) -> Progress:
    return Progress(epoch, step, progress.epochs_total, progress.steps_total, loss, progress.losses, progress.where)


def target_of(link: Link, progress: Progress, seen: Seen, layout: Layout) -> Target:
    """The log's own ``N/T``; the run's config; what the agent was told to run; project file; sweep YAML."""
    target = Target(progress.epochs_total, progress.steps_total, "log" if progress.where else None)
    for folder in reversed(link.run_dirs):
        target = target.or_else(targets.in_config(folder.config, f"{folder.path} config"))
    if link.run and link.run in seen.hydra:
        target = target.or_else(targets.in_config(seen.hydra[link.run], "hydra config"))
    if link.part and link.part.command:
        target = target.or_else(targets.in_command(link.part.command, "agent's command"))
    if link.params:
        target = target.or_else(targets.in_config(link.params.params, link.params.path))
    if link.job and link.job.command:
        target = target.or_else(targets.in_command(link.job.command, "job's command"))
    target = target.or_else(Target(layout.target.epochs, layout.target.steps, "sweep-agent.yaml"))
    if path := config_of(link, seen):
        target = target.or_else(targets.in_sweep_parameters(seen.sweep_configs[path].parameters, path))
    return target


def config_of(link: Link, seen: Seen) -> str | None:
    """The sweep's YAML: named in the job's command, or the only one with this run's parameters."""
    words = [word.rpartition("/")[2] for word in (link.job.command.split() if link.job else [])]
    for path in seen.sweep_configs:
        if path.rpartition("/")[2] in words:
            return path
    if link.params:
        wanted = set(link.params.params)
        fits = [path for path, config in seen.sweep_configs.items() if set(config.parameters) == wanted]
        if len(fits) == 1:
            return fits[0]
    if link.job:
        fits = [path for path in seen.sweep_configs if _named_after(link.job.name, path)]
        if len(fits) == 1:
            return fits[0]
    return None


def _named_after(job_name: str, path: str) -> bool:
    """The rules' naming: ``comprehensive_bayes_tx.yaml`` runs as ``bayes-tx``."""
    stem = path.rpartition("/")[2].rpartition(".")[0].replace("_", "-").lower()
    name = job_name.replace("_", "-").lower()
    return len(name) >= 4 and f"-{name}-" in f"-{stem}-"


def percent_of(progress: Progress, target: Target) -> float | None:
    if progress.epoch is not None and target.epochs:
        share = progress.epoch / target.epochs
    elif progress.step is not None and target.steps:
        share = progress.step / target.steps
    else:
        return None
    return min(100.0, math.floor(share * 1000 + 1e-9) / 10)


def _number(row: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    for name in names:
        value = row.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None


def _whole(value: float | None) -> int | None:
    return int(value) if value is not None and math.isfinite(value) else None
