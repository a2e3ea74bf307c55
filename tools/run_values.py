"""What a run has reached and what it is meant to reach, each value from its best source."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tools.data import Progress
from tools.diagnosis import targets
from tools.diagnosis.join import Link
from tools.diagnosis.lines import SECONDS_SINCE_1970
from tools.diagnosis.progress import MOST_STEPS, merge_progress
from tools.diagnosis.targets import Target
from tools.layout import Layout
from tools.look import Seen

# Names of the values in W&B history rows, most telling first.
_EPOCH_NAMES = ("epoch", "train/epoch", "trainer/epoch")

_STEP_NAMES = ("train/global_step", "trainer/global_step", "global_step", "step")

_LOSS_NAMES = ("loss", "train/loss", "train_loss", "train/train_loss")


def progress_of(link: Link, seen: Seen) -> tuple[Progress, list[str]]:
    """The run's own part of the log; where that is mute, W&B's last row on disk, then the checkpoint."""
    progress = link.part.reading.progress if link.part and link.part.reading else Progress()
    if (own := seen.run_logs.get(link.run or "")) and progress.epoch is None and progress.step is None:
        progress = merge_progress(progress, own.progress)
    notes: list[str] = []
    if link.superseded_by:
        return progress, notes  # what lies on disk is the later job's
    latest = next((folder for folder in reversed(link.run_dirs) if folder.history or folder.summary), None)
    if latest and (progress.epoch is None or progress.step is None):
        row = {**latest.summary, **latest.history}
        epoch = progress.epoch if progress.epoch is not None else _number(row, _EPOCH_NAMES, SECONDS_SINCE_1970)
        steps = _number(row, _STEP_NAMES, MOST_STEPS)
        step = progress.step if progress.step is not None or steps is None else int(steps)
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
    return next(filter(None, _targets(link, progress, seen, layout)), Target())


def _targets(link: Link, progress: Progress, seen: Seen, layout: Layout) -> Iterator[Target]:
    """What each source says, the nearest to the run first; read only as far as needed."""
    yield Target(progress.epochs_total, progress.steps_total, "log")
    for folder in reversed(link.run_dirs):
        yield targets.in_config(folder.config, f"{folder.path} config")
    if link.run and link.run in seen.hydra:
        yield targets.in_config(seen.hydra[link.run], seen.hydra_paths[link.run])
    if link.part and link.part.command:
        yield targets.in_command(link.part.command, "agent's command")
    if link.params:
        yield targets.in_config(link.params.params, link.params.path)
    if link.job and link.job.command:
        yield targets.in_command(link.job.command, "job's command")
    yield Target(layout.target.epochs, layout.target.steps, "sweep-agent.yaml")
    if path := seen.sweep_yamls.of(link):
        yield targets.in_sweep_parameters(seen.sweep_yamls.configs[path].parameters, path)


_TRAINS = re.compile(r"(?i)train|agent|sweep|tune|fit|learn|\brun\b")


def is_training(link: Link) -> bool:
    """Whether anything says that this job is meant to train: a run, a sweep, or the words of its name or command."""
    if link.run or link.sweep or (link.part and link.part.command):
        return True
    return link.job is not None and bool(_TRAINS.search(f"{link.job.name} {link.job.command[:2000]}"))


def entity_and_project(links: Sequence[Link], seen: Seen) -> tuple[str | None, str | None]:
    """Of the runs given: their own logs name them best, then their W&B folders, then the settings."""
    parts = [link.part for link in links if link.part and link.part.entity and link.part.project]
    folders = [folder for link in links for folder in link.run_dirs if folder.entity and folder.project]
    told = parts[-1] if parts else folders[-1] if folders else seen.settings
    return told.entity or seen.settings.entity, told.project or seen.settings.project


def percent_of(progress: Progress, target: Target) -> float | None:
    if progress.epoch is not None and target.epochs:
        share = progress.epoch / target.epochs
    elif progress.step is not None and target.steps:
        share = progress.step / target.steps
    else:
        return None
    return min(100.0, math.floor(share * 1000 + 1e-9) / 10)


def _number(row: Mapping[str, Any], names: tuple[str, ...], below: float = math.inf) -> float | None:
    """The first that holds a number; with ``below`` one that can count something: from 0 to less than that."""
    for name in names:
        value = row.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and (below == math.inf or 0 <= value < below):
            return float(value)
    return None
