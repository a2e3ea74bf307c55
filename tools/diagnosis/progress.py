"""Where a run stands, as its log tells: epoch, step, totals and losses, from the shapes that real scripts print.

The newest line counts. Nothing is guessed: a value is one that stands in the log.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tools.data import LogText, Progress
from tools.diagnosis import shapes
from tools.diagnosis.bars import Bars

MAX_LOSSES = 20
SECONDS_SINCE_1970 = 1e9
"""A number as large as this is a Unix time, which is called epoch too."""
IDLE_LINES = 200
"""Lines read in vain before only an epoch, if there was none yet, and a bar are still looked for."""


@dataclass(slots=True)
class _Found:
    epoch: float | None = None
    step: int | None = None
    epochs_total: float | None = None
    steps_total: int | None = None
    losses: list[float] = field(default_factory=list)
    losses_wanted: int = MAX_LOSSES
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
    if len(found.losses) < found.losses_wanted and not tired:
        hints += ("oss", "OSS")
    return hints


def read_progress(log: LogText, losses_wanted: int = MAX_LOSSES) -> Progress:
    """The newest values in one part of one log, and at most so many of the last losses."""
    found = _Found(losses_wanted=losses_wanted)
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


def first_values(logs: Sequence[LogText]) -> Progress:
    """The first values that logs hold: where this stretch of training began."""
    for log in logs:
        length = 8
        while length < 2 * len(log.lines):
            found = read_progress(replace(log, lines=log.lines[:length], numbers=log.numbers[:length]))
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


def _read_line(line: str, found: _Found) -> None:
    """Take what is still missing from one line; lines come newest first."""
    if (start := line.find("{")) >= 0 and (row := _row(line[start:])) is not None:
        _read_row(row, found)
        return
    if match := shapes.STOPPED.search(line) or shapes.BEGINS.search(line):
        total = _count(match[2])
        if match[1] in {"epochs", "Epochs"}:
            found.epochs_total = found.epochs_total or (float(total) if total else None)
        else:
            found.steps_total = found.steps_total or total
        return
    if found.epoch is None or found.epochs_total is None:
        _read_epoch(line, found)
    if found.step is None and not shapes.METRIC_LOGGER.search(line):
        for pattern in shapes.STEP_SHAPES:
            if match := pattern.search(line):
                found.step = _count(match[1])
                found.steps_total = (_count(match[2]) if match[2] else None) or found.steps_total
                break
    if (
        len(found.losses) < found.losses_wanted
        and (match := shapes.LOSS.search(line))
        and not shapes.OTHER_LOSS.search(line, 0, match.end())
    ):
        found.losses.append(float(match[1]))


def _read_epoch(line: str, found: _Found) -> None:
    for pattern in shapes.EPOCH_SHAPES:
        if match := pattern.search(line):
            total = float(match[2]) if match.re.groups > 1 and match[2] else None
            if total is not None and shapes.RICH_BAR.search(line):
                total += 1
            if found.epoch is None and 0 <= float(match[1]) < SECONDS_SINCE_1970:
                found.epoch = float(match[1])
            found.epochs_total = found.epochs_total or total
            return


def _count(text: str) -> int | None:
    """``1200`` and ``1,200``; None for anything else between the digits."""
    digits = text.replace(",", "")
    return int(digits) if digits.isdigit() and digits.isascii() else None


def _row(text: str) -> dict[str, Any] | None:
    """A JSON line or a printed Python dict as names and numbers; None if it is neither."""
    if text.startswith('{"'):
        try:
            value = json.loads(text)
            return value if isinstance(value, dict) else None
        except (ValueError, RecursionError):
            pass
    if text[:2] in ("{'", '{"'):
        # what is nested belongs to something else: {'train': {'loss': …}, 'val': {'loss': …}}
        flat = shapes.NESTED.sub("", text[1:])
        return {name: float(number) for name, number in shapes.PAIR.findall(flat)} or None
    return None


def _read_row(row: dict[str, Any], found: _Found) -> None:
    def number(*names: str) -> float | None:
        for name in names:
            value = row.get(name)
            if isinstance(value, str):
                try:
                    value = float(value)
                except ValueError:
                    continue
            if isinstance(value, int | float) and not isinstance(value, bool):
                return float(value)
        return None

    epoch = number("epoch", "train/epoch", "Epoch")
    step = number(
        "global_step", "train/global_step", "trainer/global_step", "step", "_step", "iteration", "num_updates"
    )
    # the Trainer's closing words: a mean over the whole training
    loss = None if "train_runtime" in row else number("loss", "train_loss", "train/loss", "train/train_loss", "Loss")
    if found.epoch is None and epoch is not None and math.isfinite(epoch):
        found.epoch = epoch
    if found.step is None and step is not None and math.isfinite(step):
        found.step = int(step)
    if loss is not None and len(found.losses) < found.losses_wanted:
        found.losses.append(loss)
