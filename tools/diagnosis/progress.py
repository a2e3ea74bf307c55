"""Where a run stands, as its log tells: epoch, step, totals and losses, from the shapes that real scripts print.

The newest line counts. Nothing is guessed: a value is one that stands in the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

from tools.data import Progress
from tools.data_log import LogText
from tools.diagnosis import bars, dumps, lines, shapes
from tools.diagnosis.gates import gate_of
from tools.diagnosis.taken import STEP_LINES, TOTAL_LINES, Found, take_line, take_total
from tools.diagnosis.traits import BAR, BEGINS, CONFIG, EPOCH, LOSS, STEP, traits_of

MAX_LOSSES = 20
FIRST_LINES = 400
"""Lines from the beginning in which a trainer says what it is about to do."""


TOLD = EPOCH | STEP | LOSS
"""Beside a bar one of these makes a line worth reading; bars alone are counted afterwards, where nothing else told."""


def read_progress(log: LogText, losses_wanted: int = MAX_LOSSES) -> Progress:
    """The newest values in one part of one log, and at most so many of the last losses."""
    found = Found(losses_wanted)
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
        take_line(line, traits.of[i], gate, found)
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


def _read_beginning(log: LogText, found: Found) -> None:
    """What the Hugging Face Trainer is about to do; else the configuration that the script prints."""
    traits = traits_of(log)
    for i in traits.opening(BEGINS, FIRST_LINES):
        if match := shapes.BEGINS.search(log.lines[i]):
            take_total(match[1], lines.count(match[2]), found)
    if found.epochs_total is None and found.steps_total is None:
        first = (i for i in traits.opening(CONFIG, FIRST_LINES) if traits.of[i] & (EPOCH | STEP))
        target = next(filter(None, (dumps.target_in(log.lines[i]) for i in first)), None)
        if target:
            found.epochs_total, found.steps_total = target.epochs, target.steps
