"""What the lines of a log have told of where the run stands, read from the last one back, and what one more adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.diagnosis import lines, shapes
from tools.diagnosis.gates import Gate
from tools.diagnosis.traits import BAR, EPOCH, LOSS, STEP

TOTAL_LINES = 12
"""Lines that name an epoch but no total before none is expected any more."""
STEP_LINES = 300
"""Lines before the newest epoch in which a step is looked for: one that stands further off is an old one."""
LOSS_LINES = 3000
"""Lines from the end in which losses are looked for."""
MOST_STEPS = 1e15
"""A number as large as this counts no steps."""


@dataclass(slots=True)
class Found:
    """What the lines that were read have told."""

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


def take_total(of: str, total: int | None, found: Found) -> None:
    if of in {"epochs", "Epochs"}:
        found.epochs_total = found.epochs_total or (float(total) if total else None)
    else:
        found.steps_total = found.steps_total or total


def take_line(line: str, trait: int, gate: Gate, found: Found) -> None:
    """Take what is still missing from one line; lines come newest first."""
    losses = bool(trait & LOSS) and len(found.losses) < found.losses_wanted
    if found.epoch is not None and found.epochs_total is None and trait & EPOCH:
        found.without_total += 1
    if "{" in line:
        if not losses and found.epoch is not None and not (found.step is None and trait & STEP):
            return
        if (row := lines.row_in(line)) is not None:
            _take_row(row, found)
            return
    if "stopped: `max_" in line and (match := shapes.STOPPED.search(line)):
        take_total(match[1], lines.count(match[2]), found)
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


def _take_row(row: Mapping[str, Any], found: Found) -> None:
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
