"""What one line of a training log says: a printed dict or JSON row, or epoch, step and losses in its words."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.data import real
from tools.diagnosis import shapes

SECONDS_SINCE_1970 = 1e9
"""A number as large as this is a Unix time, which is called epoch too."""
EPOCH_NAMES = ("epoch", "train/epoch", "Epoch")
STEP_NAMES = ("global_step", "train/global_step", "trainer/global_step", "step", "_step", "iteration", "num_updates")
LOSS_NAMES = ("loss", "train_loss", "train/loss", "train/train_loss", "Loss")
GRAD_NORM_NAMES = ("grad_norm", "train/grad_norm", "train_gnorm", "gnorm", "gradient_norm")
RATE_NAMES = ("learning_rate", "train/learning_rate", "lr", "train/lr", "train_lr")
VALIDATION_LOSS_NAMES = (
    *("eval_loss", "eval/loss", "val_loss", "val/loss", "valid_loss", "valid/loss", "validation_loss"),
    *("validation/loss", "val/val_loss"),
)
TEST_LOSS_NAMES = ("test_loss", "test/loss")
# Parts of words without which a line can't hold a loss; a norm or rate; the loss of an evaluation. Cheap, before any
# pattern is tried.
LOSS = ("oss", "OSS")
OTHERS = ("orm", "lr", "LR", "earning")
_JSON = json.JSONDecoder()
HELD_OUT = ("val", "Val", "VAL", "est", "EST", "Acc@1")


def has(line: str, words: tuple[str, ...]) -> bool:
    """Whether any of the words stands in the line; a plain loop, twice as fast as any other way for so few words."""
    for word in words:  # noqa: SIM110
        if word in line:
            return True
    return False


def _first(line: str, words: tuple[str, ...]) -> int:
    """Where the first of the words begins; -1 where none stands in the line."""
    first = -1
    for word in words:
        at = line.find(word)
        if at >= 0 and (at < first or first < 0):
            first = at
    return first


def is_no_progress(line: str) -> bool:
    """W&B's closing summary, a traceback, a configuration, a word about the best epoch: only looks like progress."""
    if shapes.NOT_PROGRESS.match(line):
        return True
    if has(line, shapes.CONFIGURATION_WORDS) and shapes.CONFIGURATION.search(line):
        return True
    record = shapes.RECORD.search(line) if has(line, shapes.RECORD_WORDS) else None
    return record is not None and not shapes.COUNTED.search(line, 0, record.start())


def row_in(line: str) -> dict[str, Any] | None:
    """A JSON line or a printed Python dict as names and numbers; None if it holds neither."""
    start = line.find("{")
    if start < 0:
        return None
    text = line[start:].rstrip()
    if text[:2] in ("{'", '{"') and text.endswith("}"):
        # a dict of plain words and numbers, as Python prints it, is JSON but for its quotes
        row = _json(text if text[1] == '"' else text.replace("'", '"'))
        if row is not None:
            return row
    if text[:2] in ("{'", '{"'):
        # what is nested belongs to something else: {'train': {'loss': …}, 'val': {'loss': …}}
        flat = shapes.NESTED.sub("", text[1:])
        return {name: float(number) for name, number in shapes.PAIR.findall(flat)} or None
    return None


def _json(text: str) -> dict[str, Any] | None:
    """An object that is all of the text; ``json.loads`` looks for more than its parser does, which takes as long."""
    try:
        value, end = _JSON.raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return value if end == len(text) else None


def number_in(row: Mapping[str, Any], names: Sequence[str]) -> float | None:
    """The first of these names that holds a number; transformers 5 quotes its numbers."""
    for name in names:
        value = row.get(name)
        if value is None:
            continue
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                continue
        if isinstance(value, int | float) and not isinstance(value, bool) and (number := real(value)) is not None:
            return number
    return None


def training_loss_in_row(row: Mapping[str, Any]) -> float | None:
    """The training loss of a printed dict or JSON row."""
    # the Trainer's closing words are a mean over the whole training
    return None if "train_runtime" in row else number_in(row, LOSS_NAMES)


def epoch_in(line: str, among: Sequence[shapes.Shape] = shapes.EPOCH_SHAPES) -> tuple[float | None, float | None]:
    """Epoch and total; None where the line doesn't say."""
    for needles, before, pattern in among:
        if has(line, needles) and (match := pattern.search(line, max(0, _first(line, needles) - before))):
            total = float(match[2]) if match.re.groups > 1 and match[2] else None
            if total is not None and "Epoch " in line and shapes.RICH_BAR.search(line):
                total += 1
            epoch = float(match[1])
            return (epoch if 0 <= epoch < SECONDS_SINCE_1970 else None), total
    return None, None


def step_in(line: str, among: Sequence[shapes.Shape] = shapes.STEP_SHAPES) -> tuple[int | None, int | None]:
    """Step of the whole run and total; None where the line doesn't say."""
    if not among or ("Epoch: [" in line and shapes.METRIC_LOGGER.search(line)):
        return None, None
    for needles, before, pattern in among:
        if has(line, needles) and (match := pattern.search(line, max(0, _first(line, needles) - before))):
            return count(match[1]), count(match[2]) if match[2] else None
    return None, None


def training_loss_in(line: str) -> float | None:
    """The first loss of a line, unless it is an evaluation's."""
    match = _loss_in(line)
    if not match:
        return None
    told = line[: match.end()].lower()
    if has(told, ("val", "test", "acc@1")) and (
        shapes.OTHER_LOSS.search(line, 0, match.end()) or shapes.EVALUATION.search(line, 0, match.end())
    ):
        return None
    return float(match[1])


def _loss_in(line: str) -> re.Match[str] | None:
    at = _first(line, LOSS) if "OSS" in line else line.find("oss")
    if at < 0:
        return None
    # nearly always the word begins the name: then no place before it need be tried
    match = shapes.LOSS.match(line, at - 2) if at > 1 else None
    return match or shapes.LOSS.search(line, max(0, at - shapes.LOSS_BEFORE))


def held_out_loss_in(line: str) -> tuple[str, float] | None:
    """The loss of an evaluation, and what it was called: ``val``, ``eval``, ``test``, …"""
    if match := shapes.HELD_OUT_LOSS.search(line):
        return match[1].lower(), float(match[2])
    if shapes.EVALUATED.search(line) and (match := shapes.LOSS.search(line)):
        return "val", float(match[1])
    return None


def count(text: str) -> int | None:
    """``1200`` and ``1,200``; None for anything else between the digits."""
    digits = text.replace(",", "")
    return int(digits) if digits.isdigit() and digits.isascii() else None


@dataclass(slots=True)
class Values:
    """What one line says."""

    epoch: float | None = None
    step: int | None = None
    training: float | None = None
    validation: float | None = None
    test: float | None = None
    grad_norm: float | None = None
    learning_rate: float | None = None


_NOTHING = Values()


def read_line(line: str) -> Values | None:
    """The numbers of one line; a norm or rate alone counts only beside a loss, epoch or step: not in a config."""
    found = Values()
    if (row := row_in(line)) is not None:
        epoch, step = number_in(row, EPOCH_NAMES), number_in(row, STEP_NAMES)
        found.epoch = epoch if epoch is not None and math.isfinite(epoch) else None
        found.step = int(step) if step is not None and math.isfinite(step) else None
        found.training = training_loss_in_row(row)
        found.validation = number_in(row, VALIDATION_LOSS_NAMES)
        found.test = number_in(row, TEST_LOSS_NAMES)
        found.grad_norm = number_in(row, GRAD_NORM_NAMES)
        found.learning_rate = number_in(row, RATE_NAMES)
    else:
        if has(line, LOSS):
            found.training = training_loss_in(line)
            if has(line, HELD_OUT) and (held_out := held_out_loss_in(line)):
                setattr(found, "test" if held_out[0] == "test" else "validation", held_out[1])
        if "orm" in line and (match := shapes.GRAD_NORM.search(line)):
            found.grad_norm = float(match[1])
        if has(line, OTHERS) and (match := shapes.LEARNING_RATE.search(line)):
            found.learning_rate = float(match[1])
        if found == _NOTHING or is_no_progress(line):
            return None
        found.epoch, found.step = epoch_in(line)[0], step_in(line)[0]
    losses = (found.training, found.validation, found.test)
    return None if (*losses, found.epoch, found.step) == (None,) * 5 else found
