"""Where a run stands, as its log tells: epoch, step, totals and losses, from the shapes that real scripts print.

The newest line counts. Nothing is computed: a value is one that stands in the log.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

from tools.data import LogText, Progress

MAX_LOSSES = 20
_NUMBER = r"[-+]?(?:\d{1,15}(?:\.\d{0,12})?|\.\d{1,12})(?:[eE][-+]?\d{1,3})?"
_LOSS_NUMBER = rf"(?:{_NUMBER}|[-+]?(?i:nan|inf(?:inity)?))"

# `epoch` as a word of its own: not `num_epochs`, `max_epochs=8`, `warmup_epochs` or `epochs: 100`.
_EPOCH = re.compile(
    r"(?:^|[^A-Za-z0-9_/.-]|(?<=train/)|(?<=trainer/))(?:[Ee]poch|EPOCH)(?:['\"]?\s{0,3}[:=]\s{0,3}|\s{1,3}|\s?[#\[]\s?)"
    rf"['\"]?[\[(]?\s{{0,6}}({_NUMBER})['\"]?(?:\s{{0,3}}(?:/|of)\s{{0,3}}(\d{{1,9}}))?[\])]?"
)
_STEP = re.compile(
    r"(?:^|[^A-Za-z0-9_/.-]|(?<=train/)|(?<=trainer/))"
    r"(?:[Gg]lobal[_ ]?[Ss]tep|[Ss]tep|STEP|[Ii]teration|ITERATION|[Ii]ter|[Uu]pdate)"
    r"(?:['\"]?\s{0,3}[:=]\s{0,3}|\s{1,12}|\s?[#\[]\s?)"
    r"['\"]?[\[(]?\s{0,12}(\d{1,15})(?![\d.]*[KkMm]\b)['\"]?(?:\s{0,3}(?:/|of)\s{0,6}(\d{1,15}))?[\])]?"
)
_LOSS = re.compile(
    r"(?:^|[^A-Za-z0-9_/.-])(?:train(?:ing)?[_/ ])?(?:[Ll]oss|LOSS|lm loss)['\"]?\s{0,3}[:=]?\s{0,3}['\"]?"
    rf"({_LOSS_NUMBER})(?![\w%])"
)
_OTHER_LOSS = re.compile(r"(?i)(?:val|valid|validation|eval|test)[a-z]{0,6}[_/ ]{1,2}(?:lm )?loss")
_BAR = re.compile(r"(\d{1,3})%\|.{0,200}?\|\s{0,3}(\d{1,12})/(\d{1,12})\s{1,3}\[")
_EPOCH_BAR = re.compile(r"(?i)epoch\s?[:#]?\s?\[?(\d{1,9})(?:/(\d{1,9}))?\]?[^\n]{0,40}\d{1,3}%\|")
_METRIC_LOGGER = re.compile(r"Epoch: \[(\d{1,9})\]\s{1,3}\[\s{0,9}\d{1,9}/\d{1,9}\]")
_FAIRSEQ = re.compile(r"epoch (\d{1,6}):\s{1,6}\d{1,9} / \d{1,9} ")
# Lines that only look like progress: W&B's closing summary, tracebacks, configuration.
_NOT_PROGRESS = re.compile(r"^\s{0,3}wandb:|^\s{0,4}File \"|(?:warmup|eval|save|logging)_(?:steps|epochs)|^\s{0,40}#")
_HINTS = ("poch", "POCH", "tep", "TEP", "ter", "TER", "oss", "OSS", "%|", "pdate")


@dataclass(slots=True)
class _Found:
    epoch: float | None = None
    step: int | None = None
    epochs_total: float | None = None
    steps_total: int | None = None
    losses: list[float] = field(default_factory=list)
    where: str | None = None


def read_progress(log: LogText) -> Progress:
    """The newest values in one part of one log."""
    found = _Found()
    bars: list[tuple[int, int]] = []
    for i in range(len(log.lines) - 1, -1, -1):
        line = log.lines[i]
        if not any(hint in line for hint in _HINTS) or _NOT_PROGRESS.search(line):
            continue
        before = (found.epoch, found.step, len(found.losses))
        if bar := _BAR.search(line):
            if not _EPOCH_BAR.search(line):
                bars.append((int(bar[2]), int(bar[3])))
        _read_line(line, found)
        if found.where is None and before != (found.epoch, found.step, len(found.losses)):
            found.where = f"{log.path}:{log.numbers[i]}"
        full = found.epoch is not None and found.step is not None and len(found.losses) >= MAX_LOSSES
        if full or len(bars) > 4000:
            break
    if found.step is None and (step := _global_bar(bars)):
        found.step, found.steps_total = step
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
    if (start := line.find("{")) >= 0 and (row := _row(line[start:])) is not None:
        _read_row(row, found)
        return
    if found.epoch is None:
        for pattern in (_EPOCH_BAR, _METRIC_LOGGER, _FAIRSEQ, _EPOCH):
            if match := pattern.search(line):
                value = float(match[1])
                total = match[2] if match.re.groups > 1 else None
                if math.isfinite(value) and value >= 0:
                    found.epoch = value
                    found.epochs_total = found.epochs_total or (float(total) if total else None)
                    break
    elif found.epochs_total is None and (match := _EPOCH.search(line)) and match[2]:
        found.epochs_total = float(match[2])
    if found.step is None and (match := _STEP.search(line)) and not _METRIC_LOGGER.search(line):
        found.step = int(match[1])
        found.steps_total = int(match[2]) if match[2] else found.steps_total
    if len(found.losses) < MAX_LOSSES and (match := _LOSS.search(line)) and not _OTHER_LOSS.search(line[: match.end()]):
        found.losses.append(float(match[1]))


_PAIR = re.compile(rf"['\"]([A-Za-z_/ .-]{{1,60}})['\"]\s?:\s?['\"]?({_LOSS_NUMBER})['\"]?(?=[,}}\s])")


def _row(text: str) -> dict[str, Any] | None:
    """A JSON line or a printed Python dict as names and numbers; None if it is neither."""
    if text.startswith('{"'):
        try:
            value = json.loads(text)
            return value if isinstance(value, dict) else None
        except (ValueError, RecursionError):
            pass
    if text[:2] in ("{'", '{"'):
        return {name: float(number) for name, number in _PAIR.findall(text)} or None
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
    step = number("global_step", "train/global_step", "trainer/global_step", "step", "_step", "iteration")
    loss = number("loss", "train_loss", "train/loss", "train/train_loss", "Loss")
    if found.epoch is None and epoch is not None and math.isfinite(epoch):
        found.epoch = epoch
    if found.step is None and step is not None and math.isfinite(step):
        found.step = int(step)
    if loss is not None and len(found.losses) < MAX_LOSSES:
        found.losses.append(loss)


def _global_bar(bars: list[tuple[int, int]]) -> tuple[int, int] | None:
    """The newest bar as a global step, unless bars start over: then they count within an epoch.

    ``bars`` come newest first. Small totals are model downloads, data shards and the like.
    """
    if not bars:
        return None
    total = bars[0][1]
    same = [count for count, of in bars if of == total]
    if total < 20 or len(same) < 2 or any(later < earlier for later, earlier in zip(same, same[1:], strict=False)):
        return None
    return bars[0][0], total
