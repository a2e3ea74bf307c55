"""Where a run stands, as its log tells: epoch, step, totals and losses, from the shapes that real scripts print.

The newest line counts. Nothing is guessed: a value is one that stands in the log.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.data import LogText, Progress
from tools.diagnosis import lines, shapes
from tools.diagnosis.bars import Bars

MAX_LOSSES = 20
IDLE_LINES = 200
"""Lines read in vain before only an epoch, if there was none yet, and a bar are still looked for."""


@dataclass(slots=True)
class _Found:
    epoch: float | None = None
    step: int | None = None
    epochs_total: float | None = None
    steps_total: int | None = None
    losses: list[float] = field(default_factory=list)
    where: str | None = None

    def state(self) -> tuple[object, ...]:
        return self.epoch, self.step, self.epochs_total, self.steps_total, len(self.losses)


def _wanted(found: _Found, idle: int) -> tuple[str, ...]:
    """Words of the lines that can still tell something."""
    tired = idle > IDLE_LINES
    hints: tuple[str, ...] = ()
    if found.epoch is None or (found.epochs_total is None and not tired):
        hints += ("poch", "POCH", "rain: ", "] loss", "] train_loss")
    if found.step is None:
        hints += ("%|",) if tired else ("%|", "tep", "TEP", "ter", "TER", "pdate", "[batch=")
    if len(found.losses) < MAX_LOSSES and not tired:
        hints += ("oss", "OSS")
    return hints


def read_progress(log: LogText) -> Progress:
    """The newest values in one part of one log."""
    found = _Found()
    bars = Bars()
    idle = 0
    hints = _wanted(found, idle)
    for i in range(len(log.lines) - 1, -1, -1):
        line = log.lines[i]
        if not any(map(line.__contains__, hints)):
            continue
        if found.step is None and "%|" in line:
            bars.add(line)
        if idle > IDLE_LINES and (found.epoch is not None or "poch" not in line):
            continue
        if shapes.NOT_PROGRESS.search(line):
            continue
        before = found.state()
        _read_line(line, found)
        now = found.state()
        idle += 1
        if before != now:
            found.where = found.where or f"{log.path}:{log.numbers[i]}"
        if before != now or idle == IDLE_LINES + 1:
            hints = _wanted(found, idle)
            if not hints:
                break
    if found.step is None and (bar := bars.over_all()):
        found.step, found.steps_total = bar
        found.where = found.where or log.path
    losses = tuple(reversed(found.losses))
    return Progress(
        epoch=found.epoch,
        step=found.step,
        epochs_total=found.epochs_total,
        steps_total=found.steps_total,
        loss=losses[-1] if losses else None,
        losses=losses,
        where=found.where,
    )


def merge_progress(one: Progress, other: Progress) -> Progress:
    """Standard output and error of the same part: what one lacks comes from the other; the further one counts."""
    epoch, epochs_total = _further((one.epoch, one.epochs_total), (other.epoch, other.epochs_total))
    step, steps_total = _further((one.step, one.steps_total), (other.step, other.steps_total))
    losses = one.losses if len(one.losses) >= len(other.losses) else other.losses
    return Progress(
        epoch=epoch,
        step=int(step) if step is not None else None,
        epochs_total=epochs_total,
        steps_total=int(steps_total) if steps_total is not None else None,
        loss=losses[-1] if losses else None,
        losses=losses,
        where=one.where or other.where,
    )


def _further(
    one: tuple[float | None, float | None], other: tuple[float | None, float | None]
) -> tuple[float | None, float | None]:
    total = one[1] if one[1] is not None else other[1]
    if one[0] is None or (other[0] is not None and other[0] > one[0]):
        return other[0], total
    return one[0], total


def _read_line(line: str, found: _Found) -> None:
    """Take what is still missing from one line; lines come newest first."""
    if (row := lines.row_in(line)) is not None:
        _read_row(row, found)
        return
    if match := shapes.STOPPED.search(line) or shapes.BEGINS.search(line):
        total = lines.count(match[2])
        if match[1] in {"epochs", "Epochs"}:
            found.epochs_total = found.epochs_total or (float(total) if total else None)
        else:
            found.steps_total = found.steps_total or total
        return
    if found.epoch is None or found.epochs_total is None:
        epoch, epochs_total = lines.epoch_in(line)
        found.epoch = epoch if found.epoch is None else found.epoch
        found.epochs_total = found.epochs_total or epochs_total
    if found.step is None:
        found.step, steps_total = lines.step_in(line)
        found.steps_total = steps_total or found.steps_total
    if len(found.losses) < MAX_LOSSES and (loss := lines.training_loss_in(line)) is not None:
        found.losses.append(loss)


def _read_row(row: Mapping[str, Any], found: _Found) -> None:
    epoch = lines.number_in(row, lines.EPOCH_NAMES)
    step = lines.number_in(row, lines.STEP_NAMES)
    loss = lines.training_loss_in_row(row)
    if found.epoch is None and epoch is not None and math.isfinite(epoch):
        found.epoch = epoch
    if found.step is None and step is not None and math.isfinite(step):
        found.step = int(step)
    if loss is not None and len(found.losses) < MAX_LOSSES:
        found.losses.append(loss)
