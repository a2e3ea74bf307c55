"""What a run has reached and what it is meant to reach, each value from its best source."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import quote

from tools.data import Progress, real
from tools.diagnosis import targets
from tools.diagnosis.join import Link
from tools.diagnosis.lines import SECONDS_SINCE_1970
from tools.diagnosis.markers import RunPart
from tools.diagnosis.progress import merge_progress
from tools.diagnosis.taken import MOST_STEPS
from tools.diagnosis.targets import Target
from tools.layout import Layout
from tools.look import Seen
from tools.wandb_data import RunDir
from tools.wandb_rows import LoggedRow

# Names of the values in W&B history rows, most telling first.
_EPOCH_NAMES = ("epoch", "train/epoch", "trainer/epoch")

_STEP_NAMES = ("train/global_step", "trainer/global_step", "global_step", "step")

_LOSS_NAMES = ("loss", "train/loss", "train_loss", "train/train_loss")


_LATER_S = 60.0
"""A W&B row counts as newer than the log from so many seconds on: their clocks are a node's and a file server's."""


def progress_of(link: Link, row: LoggedRow | None, seen: Seen) -> tuple[Progress, list[str]]:
    """The run's own part of the log; where that is mute or older, W&B's last row; then the checkpoint."""
    reading = link.part.reading if link.part else None
    progress = reading.progress if reading else Progress()
    if (own := seen.run_logs.get(link.run or "")) and progress.epoch is None and progress.step is None:
        progress = merge_progress(progress, own.progress)
    notes: list[str] = []
    if link.superseded_by:
        return progress, notes  # what lies on disk is the later job's
    if row:
        newer = row.at is not None and reading is not None and row.at > reading.written + _LATER_S
        if newer or progress.epoch is None or progress.step is None:
            told = _with_row(progress, row, newer=newer)
            if (told.epoch, told.step, told.loss) != (progress.epoch, progress.step, progress.loss):
                notes.append(_from_row(row, seen.at))
                progress = told
    if progress.epoch is None and progress.step is None:
        best, _ = seen.newest.get(link.run or "", (None, ()))
        if best and best.loadable:
            progress = _with(progress, best.epoch, best.step, progress.loss)
            notes.append("progress_from: newest checkpoint")
    return progress, notes


def counted_step(row: LoggedRow | None) -> int | None:
    """How many rows the run has logged to W&B (``_step``): a step to show where nothing names one, and no measure of
    how far it is, since a script may log every step or every hundredth."""
    return _whole(_number(row.values, ("_step",), MOST_STEPS)) if row else None


def _with_row(progress: Progress, row: LoggedRow, *, newer: bool) -> Progress:
    """Progress goes on: a newer row says more than the log, never less."""

    def best(have: float | None, names: tuple[str, ...], below: float) -> float | None:
        told = _number(row.values, names, below)
        if have is None or told is None:
            return told if have is None else have
        return max(have, told) if newer else have

    loss = _number(row.values, _LOSS_NAMES)
    keep = progress.loss is not None and not (newer and loss is not None)
    return _with(
        progress,
        best(progress.epoch, _EPOCH_NAMES, SECONDS_SINCE_1970),
        _whole(best(progress.step, _STEP_NAMES, MOST_STEPS)),
        progress.loss if keep else loss,
    )


def _from_row(row: LoggedRow, now: float) -> str:
    age = f", logged {max(0, int(now - row.at)) // 60} min ago" if row.at is not None else ""
    if row.source == "wandb_api":
        return f"progress_from: W&B{age}"
    return f"progress_from: W&B files, as far as they reached the disk{age}"


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
    if told := seen.served.runs.get(link.run or "") if seen.served else None:
        yield targets.in_config(told.config, f"W&B config of {told.run}")
    if link.run and link.run in seen.hydra:
        yield targets.in_config(seen.hydra[link.run], seen.hydra_paths[link.run])
    if link.part and link.part.command:
        yield targets.in_command(link.part.command, "agent's command")
    if link.params:
        yield targets.in_config(link.params.params, link.params.path)
    if link.job and link.job.command:
        yield _in_submit_line(link.job.command)
    yield Target(layout.target.epochs, layout.target.steps, "sweep-agent.yaml")
    if path := seen.sweep_yamls.of(link):
        yield seen.sweep_yamls.target_in(path)


@lru_cache(maxsize=256)
def _in_submit_line(line: str) -> Target:
    """Read once: the tasks of an array have one."""
    return targets.in_command(line, "job's command")


_TRAINS = re.compile(r"(?i)train|agent|sweep|tune|fit|learn|\brun\b")


def is_training(link: Link) -> bool:
    """Whether anything says that this job is meant to train: a run, a sweep, or the words of its name or command."""
    if link.run or link.sweep or (link.part and link.part.command):
        return True
    return link.job is not None and bool(_TRAINS.search(f"{link.job.name} {link.job.command[:2000]}"))


def entity_and_project(links: Sequence[Link], seen: Seen) -> tuple[str | None, str | None]:
    """Of the runs given: their own logs name them best, then their W&B folders, then the settings."""
    own = _newest_project(links)
    served = seen.served if seen.served and any(link.run in seen.served.runs for link in links) else None
    told = own or (served.project if served else seen.settings)
    return told.entity or seen.settings.entity, told.project or seen.settings.project


def _newest_project(links: Sequence[Link]) -> RunPart | RunDir | None:
    for link in reversed(links):
        if link.part and link.part.entity and link.part.project:
            return link.part
    folders = (folder for link in reversed(links) for folder in reversed(link.run_dirs))
    return next((folder for folder in folders if folder.entity and folder.project), None)


def page(links: Sequence[Link], seen: Seen, kind: Literal["runs", "sweeps"], name: str) -> str | None:
    """The address of W&B's page of a run or sweep, by the runs that are of it; None where its project is not known."""
    entity, project = entity_and_project(links, seen)
    if not entity or not project:
        return None
    base = seen.settings.base_url.rstrip("/")
    return f"{base}/{quote(entity, safe='')}/{quote(project, safe='')}/{kind}/{quote(name, safe='')}"


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
            return real(value)
    return None


def _whole(value: float | None) -> int | None:
    return int(value) if value is not None else None
