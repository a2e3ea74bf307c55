"""Where a run stands, as its log tells: epoch, step, totals and losses, from the shapes that real scripts print.

The newest line counts. Nothing is guessed: a value is one that stands in the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

from tools.data import Progress
from tools.data_log import LogText
from tools.diagnosis import bars, dumps, lines, shapes
from tools.diagnosis.gates import Gate, gate_of
from tools.diagnosis.traits import BAR, BEGINS, CONFIG, EPOCH, LOSS, STEP, traits_of

MAX_LOSSES = 20
TOTAL_LINES = 12
"""Lines that name an epoch but no total before none is expected any more."""
STEP_LINES = 300
"""Lines before the newest epoch in which a step is looked for: one that stands further off is an old one."""
LOSS_LINES = 3000
"""Lines from the end in which losses are looked for."""
MOST_STEPS = 1e15
"""A number as large as this counts no steps."""
FIRST_LINES = 400
"""Lines from the beginning in which a trainer says what it is about to do."""


TOLD = EPOCH | STEP | LOSS
"""Beside a bar one of these makes a line worth reading; bars alone are counted afterwards, where nothing else told."""


@dataclass(slots=True)
class _Found:
    losses_wanted: int
    epoch: float | None = None
    step: int | None = None
    epochs_total: float | None = None
    steps_total: int | None = None
    losses: list[float] = field(default_factory=list)
    where: str | None = None
    without_total: int = 0
    """Lines that might have told the epochs' total, and did not."""
    aside: bool = False
    """The epoch stands in a line without a step or a loss: it may be that of an event long past."""

    def state(self) -> tuple[float | None, int | None, float | None, int | None]:
        return self.epoch, self.step, self.epochs_total, self.steps_total

    def restore(self, state: tuple[float | None, int | None, float | None, int | None], losses: int) -> None:
        self.epoch, self.step, self.epochs_total, self.steps_total = state
        del self.losses[losses:]

    def wanted(self, read: int, after_epoch: int) -> int:
        """Traits of the lines that can still tell something, ``read`` lines from the end."""
        traits = 0
        if self.epoch is None or (self.epochs_total is None and self.without_total < TOTAL_LINES):
            traits |= EPOCH
        if self.step is None and after_epoch < STEP_LINES:
            traits |= STEP | BAR
        if len(self.losses) < self.losses_wanted and read < LOSS_LINES:
            traits |= LOSS
        return traits


def read_progress(log: LogText, losses_wanted: int = MAX_LOSSES) -> Progress:
    """The newest values in one part of one log, and at most so many of the last losses."""
    found = _Found(losses_wanted)
    traits = traits_of(log)
    encoded = log.encoded_lines()
    size = len(encoded)
    newest_epoch, look_again = 0, 0
    wanted = found.wanted(0, 0)
    telling, i = traits.having(wanted, beside=TOLD), size
    while (i := telling.rfind(1, 0, i)) >= 0:
        if i <= look_again:
            wanted = found.wanted(size - look_again, newest_epoch - look_again)
            telling, i, look_again = traits.having(wanted, beside=TOLD), look_again + 1, -1
            continue
        line = encoded[i].decode("utf-8", "surrogatepass")
        gate = gate_of(traits.shape(i))
        before, losses = found.state(), len(found.losses)
        _read_line(line, traits.of[i], gate, found)
        if before == found.state() and losses == len(found.losses):
            if found.without_total != TOTAL_LINES:
                continue
        elif gate.past and lines.is_no_progress(line):
            found.restore(before, losses)
            continue
        else:
            found.where = found.where or log.where(i)
        if before[0] is None and found.epoch is not None:
            newest_epoch = i
            look_again = max(0, i - STEP_LINES)
        before_wanted, wanted = wanted, found.wanted(size - i, newest_epoch - i)
        if not wanted:
            break
        if wanted != before_wanted:
            telling = traits.having(wanted, beside=TOLD)
    if found.step is None:
        # as far back as a step would have been looked for
        oldest = max(0, newest_epoch - STEP_LINES + 1) if found.epoch is not None else 0
        drawn = traits.having(BAR)
        if drawn.find(1, oldest) >= 0 and (bar := bars.over_all(_chosen(log, drawn, oldest)[::-1])):
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


def _chosen(log: LogText, chosen: bytes, first: int) -> list[bytes]:
    """The lines from ``first`` that are marked with a 1."""
    return list(compress(log.encoded_lines()[first:], chosen[first:]))


def first_values(logs: Sequence[LogText]) -> Progress:
    """The first values that logs hold: where this stretch of training began."""
    for log in logs:
        length = 8
        while length < 2 * len(log.lines):
            found = read_progress(log.part(0, length), 0)
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
    """What the Hugging Face Trainer is about to do; else the configuration that the script prints."""
    traits = traits_of(log)
    for i in traits.opening(BEGINS, FIRST_LINES):
        if match := shapes.BEGINS.search(log.lines[i]):
            _take_total(match[1], lines.count(match[2]), found)
    if found.epochs_total is None and found.steps_total is None:
        first = (i for i in traits.opening(CONFIG, FIRST_LINES) if traits.of[i] & (EPOCH | STEP))
        target = next(filter(None, (dumps.target_in(log.lines[i]) for i in first)), None)
        if target:
            found.epochs_total, found.steps_total = target.epochs, target.steps


def _take_total(of: str, total: int | None, found: _Found) -> None:
    if of in {"epochs", "Epochs"}:
        found.epochs_total = found.epochs_total or (float(total) if total else None)
    else:
        found.steps_total = found.steps_total or total


def _read_line(line: str, trait: int, gate: Gate, found: _Found) -> None:
    """Take what is still missing from one line; lines come newest first."""
    losses = bool(trait & LOSS) and len(found.losses) < found.losses_wanted
    if found.epoch is not None and found.epochs_total is None and trait & EPOCH:
        found.without_total += 1
    if "{" in line:
        if not losses and found.epoch is not None and not (found.step is None and trait & STEP):
            return
        if (row := lines.row_in(line)) is not None:
            _read_row(row, found)
            return
    if "stopped: `max_" in line and (match := shapes.STOPPED.search(line)):
        _take_total(match[1], lines.count(match[2]), found)
        if found.epoch is None and match[1] == "epochs":
            found.epoch = found.epochs_total  # "reached": done with the last one, which its bar counts one lower
        return
    if trait & (EPOCH | BAR) and (found.epoch is None or found.epochs_total is None):
        epoch, epochs_total = lines.epoch_in(line, gate.epochs)
        if found.epoch is None and epoch is not None:
            found.epoch = epoch
            found.aside = not (trait & (STEP | LOSS) and _counts(line, gate)) and not shapes.TAKEN_UP.search(line)
        elif epoch is not None and epochs_total is not None and found.aside and epoch > (found.epoch or 0):
            found.epoch = epoch  # a line of its own kind, with the total, is further on: the newer one spoke of an old
        found.epochs_total = found.epochs_total or epochs_total
    if found.step is None and trait & STEP:
        found.step, steps_total = lines.step_in(line, gate.steps)
        found.steps_total = steps_total or found.steps_total
    if losses and (loss := lines.training_loss_in(line)) is not None:
        found.losses.append(loss)


def _counts(line: str, gate: Gate) -> bool:
    return lines.training_loss_in(line) is not None or lines.step_in(line, gate.steps)[0] is not None


def _read_row(row: Mapping[str, Any], found: _Found) -> None:
    if found.epoch is None:
        epoch = lines.number_in(row, lines.EPOCH_NAMES)
        if epoch is not None and 0 <= epoch < lines.SECONDS_SINCE_1970:
            found.epoch = epoch
    if found.step is None:
        step = lines.number_in(row, lines.STEP_NAMES)
        if step is not None and 0 <= step < MOST_STEPS:
            found.step = int(step)
    if len(found.losses) < found.losses_wanted and (loss := lines.training_loss_in_row(row)) is not None:
        found.losses.append(loss)
