"""Where a run stands, as its log tells: epoch, step, totals and losses, from the shapes that real scripts print.

The newest line counts. Nothing is guessed: a value is one that stands in the log.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tools.data import LogText, Progress
from tools.diagnosis import lines, shapes
from tools.diagnosis.bars import Bars

MAX_LOSSES = 20
VAIN_LINES = 120
"""Lines of progress read without a new value before only an epoch, if there was none yet, and bars are looked for:
a step that stands so far before the newest epoch is an old one."""
FIRST_LINES = 400
"""Lines from the beginning in which a trainer says what it is about to do."""
_EPOCH = ("poch", "POCH", "rain: ", "] loss", "] train_loss")
_BEYOND_BARS = ("poch", "POCH", "tep", "TEP", "ter", "TER", "pdate", "oss", "OSS")
"""A bar without any of these has nothing but its count."""
_STEP = ("%|", "tep", "TEP", "ter", "TER", "pdate", "[batch=")


@dataclass(slots=True)
class _Found:
    losses_wanted: int
    epoch: float | None = None
    step: int | None = None
    epochs_total: float | None = None
    steps_total: int | None = None
    losses: list[float] = field(default_factory=list)
    where: str | None = None

    def state(self) -> tuple[float | None, int | None, float | None, int | None]:
        return self.epoch, self.step, self.epochs_total, self.steps_total

    def restore(self, state: tuple[float | None, int | None, float | None, int | None], losses: int) -> None:
        self.epoch, self.step, self.epochs_total, self.steps_total = state
        del self.losses[losses:]

    def wanted(self, vain: int) -> tuple[str, ...]:
        """Words of the lines that can still tell something."""
        tired = vain > VAIN_LINES
        hints: tuple[str, ...] = ()
        if self.epoch is None or (self.epochs_total is None and not tired):
            hints += _EPOCH
        if self.step is None:
            hints += ("%|",) if tired else _STEP
        if len(self.losses) < self.losses_wanted and not tired:
            hints += lines.LOSS
        return hints


def read_progress(log: LogText, losses_wanted: int = MAX_LOSSES) -> Progress:
    """The newest values in one part of one log, and at most so many of the last losses."""
    found = _Found(losses_wanted)
    bars = Bars()
    vain = 0
    hints = found.wanted(vain)
    for i in range(len(log.lines) - 1, -1, -1):
        line = log.lines[i]
        if not lines.has(line, hints):
            continue
        if found.step is None and "%|" in line:
            bars.add(line)
            if not lines.has(line, _BEYOND_BARS):
                continue
        if vain > VAIN_LINES and (found.epoch is not None or "poch" not in line):
            continue
        before, losses = found.state(), len(found.losses)
        _read_line(line, found)
        vain += 1
        if before != found.state() or losses != len(found.losses):
            if shapes.NOT_PROGRESS.search(line):
                found.restore(before, losses)
                continue
            found.where = found.where or log.where(i)
            vain = vain if before == found.state() else 0
        elif vain != VAIN_LINES + 1:
            continue
        hints = found.wanted(vain)
        if vain > VAIN_LINES and not bars.met:
            hints = tuple(hint for hint in hints if hint != "%|")
        if not hints:
            break
    if found.step is None and (bar := bars.over_all()):
        found.step, found.steps_total = bar
        found.where = found.where or log.path
    if found.epochs_total is None and found.steps_total is None:
        _read_beginning(log, found)
    losses_found = tuple(reversed(found.losses))
    return Progress(
        epoch=found.epoch,
        step=found.step,
        epochs_total=found.epochs_total,
        steps_total=found.steps_total,
        loss=losses_found[-1] if losses_found else None,
        losses=losses_found,
        where=found.where,
    )


def first_values(logs: Sequence[LogText]) -> Progress:
    """The first values that logs hold: where this stretch of training began."""
    for log in logs:
        length = 8
        while length < 2 * len(log.lines):
            found = read_progress(replace(log, lines=log.lines[:length], numbers=log.numbers[:length]), 0)
            if found.epoch is not None or found.step is not None:
                return found
            length *= 2
    return Progress()


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


def _read_beginning(log: LogText, found: _Found) -> None:
    """What the Hugging Face Trainer is about to do."""
    for line in reversed(log.lines[:FIRST_LINES]):
        if " = " in line and (match := shapes.BEGINS.search(line)):
            _take_total(match[1], lines.count(match[2]), found)


def _take_total(of: str, total: int | None, found: _Found) -> None:
    if of in {"epochs", "Epochs"}:
        found.epochs_total = found.epochs_total or (float(total) if total else None)
    else:
        found.steps_total = found.steps_total or total


def _read_line(line: str, found: _Found) -> None:
    """Take what is still missing from one line; lines come newest first."""
    losses = len(found.losses) < found.losses_wanted and lines.has(line, lines.LOSS)
    if "{" in line and not losses and found.epoch is not None and not (found.step is None and lines.has(line, _STEP)):
        return
    if (row := lines.row_in(line)) is not None:
        _read_row(row, found)
        return
    if "stopped: `max_" in line and (match := shapes.STOPPED.search(line)):
        _take_total(match[1], lines.count(match[2]), found)
        return
    if found.epoch is None or found.epochs_total is None:
        epoch, epochs_total = lines.epoch_in(line)
        found.epoch = epoch if found.epoch is None else found.epoch
        found.epochs_total = found.epochs_total or epochs_total
    if found.step is None:
        found.step, steps_total = lines.step_in(line)
        found.steps_total = steps_total or found.steps_total
    if losses and (loss := lines.training_loss_in(line)) is not None:
        found.losses.append(loss)


def _read_row(row: Mapping[str, Any], found: _Found) -> None:
    epoch = lines.number_in(row, lines.EPOCH_NAMES)
    step = lines.number_in(row, lines.STEP_NAMES)
    loss = lines.training_loss_in_row(row)
    if found.epoch is None and epoch is not None and math.isfinite(epoch):
        found.epoch = epoch
    if found.step is None and step is not None and math.isfinite(step):
        found.step = int(step)
    if loss is not None and len(found.losses) < found.losses_wanted:
        found.losses.append(loss)
