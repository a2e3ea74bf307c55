"""What to do about a batch that doesn't fit, and the rules' sizes for a model of this size."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tools.compact import compact
from tools.diagnosis.batch import Batch
from tools.diagnosis.leaves import leaves, name_of, positive

COUNT_KEYS = ("num_parameters", "num_params", "n_params", "total_params", "model_size", "model_params")
NAME_KEYS = ("model_name_or_path", "pretrained_model_name_or_path", "_name_or_path", "model_name", "base_model",
             "model_id", "model_path", "model", "pretrained", "checkpoint_name", "arch")  # fmt: skip
# 7b, 0.6B, 160M; no part of a word, of another number or of 8x7b, whose size is neither
_SIZE = re.compile(r"(?<![A-Za-z0-9.])(\d{1,4}(?:\.\d{1,3})?)\s?([bBmM])(?![A-Za-z0-9])")


@compact
class Pair:
    """A batch size per device with an accumulation, and what they come to on the same GPUs."""

    per_device: int
    accumulation: int
    effective: int | None


@compact
class Recovery:
    words: str
    """The change in one line."""
    rules: Pair | None = None
    """By the rules' formula: near the effective batch, rarely equal to it."""
    exact: Pair | None = None
    """The largest smaller batch that keeps the effective one."""
    overrides: tuple[str, ...] = ()
    """The preferred change under the configuration's own keys; empty where they aren't known."""
    changed: bool = False
    """The run's own config was changed after it died: what it holds now is no longer what did not fit."""


@compact
class ModelSize:
    parameters: float
    where: str
    hint: bool
    """Read from a name, which may lie."""


@compact
class Recommendation:
    """Inclusive ranges; ``effective`` is batch × accumulation on one GPU, as in the rules' table."""

    model: str
    per_device: tuple[int, int]
    accumulation: tuple[int, int]
    effective: tuple[int, int]


# The rules, "Batch Size Recommendations": parameters below which a row holds (in billions), and the row.
_TABLE = (
    (1.0, Recommendation("< 1B", (16, 32), (4, 8), (64, 256))),
    (4.0, Recommendation("1-4B", (4, 8), (8, 16), (32, 128))),
    (8.0, Recommendation("4-8B", (2, 4), (16, 32), (32, 128))),
    (float("inf"), Recommendation("> 8B", (1, 2), (32, 64), (32, 128))),
)


def recovery(batch: Batch) -> Recovery:
    """A smaller batch after the GPU ran out of memory, with the effective batch it really gives.

    The rules: new_batch = floor(old × 0.75), new_accum = ceil(old × 1.33). Preferred is the largest batch up to
    0.75 × old that divides batch × accumulation, for only that keeps the effective batch.
    """
    if batch.per_device is None or batch.accumulation is None:
        return Recovery("reduce the batch size (its parts are not all known)")
    old, steps = batch.per_device.value, batch.accumulation.value
    if old == 1:
        return Recovery("batch 1 can't shrink, use gradient checkpointing or shard the model over more GPUs")
    most = old * 3 // 4
    rules = _pair(batch, most, -(steps * -133 // 100))  # rounded up, in whole numbers
    size = next(size for size in range(most, 0, -1) if old * steps % size == 0)
    exact = _pair(batch, size, old * steps // size)
    stays = f"effective stays {batch.effective}" if batch.effective else f"batch × accumulation stays {old * steps}"
    known = batch.accumulation.key or batch.accumulation.derived
    now = f"{steps}" if known else f"{steps} (assumed)"
    words = f"batch {old} → {size}, accumulation {now} → {exact.accumulation} ({stays}"
    if rules != exact:
        words += f"; the rules' {rules.per_device} × {rules.accumulation} would make it {_against(batch, rules)}"
    return Recovery(f"{words})", rules, exact, _overrides(batch, exact))


def changed(batch: Batch, config: str) -> Recovery:
    """What stands in a config that was changed after its run died of it: nothing is advised against that."""
    now = f"batch {batch.per_device.value}" if batch.per_device else "its batch"
    now += f" × accumulation {batch.accumulation.value}" if batch.accumulation else ""
    now += f", effective {batch.effective}" if batch.effective else ""
    return Recovery(f"{now} ({config} was changed since)", changed=True)


def recommendation(model_params: float) -> Recommendation:
    """The rules' row for a model of so many parameters."""
    billions = model_params / 1e9
    return next(row for below, row in _TABLE if billions < below or (below == 8.0 and billions == below))


def model_size(configs: Mapping[str, Mapping[str, Any]]) -> ModelSize | None:
    """How many parameters the model has: a number in a configuration, else the size in its model's name."""
    named: ModelSize | None = None
    for where, config in configs.items():
        for path, value in leaves(config):
            name = name_of(path).rpartition("/")[2]  # W&B's own callback writes model/num_parameters
            number = positive(value)
            if name in COUNT_KEYS and number is not None and number >= 1e5:
                return ModelSize(number, f"{where} {path}", hint=False)
            is_name = name in NAME_KEYS or path.split(".")[-2:] == ["model", "name"]
            if named is None and (is_name or name in COUNT_KEYS) and isinstance(value, str):
                match = _SIZE.search(value[:300])
                if match and float(match[1]):
                    scale = 1e9 if match[2] in "bB" else 1e6
                    named = ModelSize(float(match[1]) * scale, f"{where} {path} {match[0]}", hint=True)
    return named


def _pair(batch: Batch, size: int, steps: int) -> Pair:
    return Pair(size, steps, size * steps * batch.gpus.value if batch.gpus else None)


def _against(batch: Batch, pair: Pair) -> str:
    assert batch.per_device and batch.accumulation
    old, new = batch.per_device.value * batch.accumulation.value, pair.per_device * pair.accumulation
    return f"{pair.effective or f'{new} per GPU'}, {100 * (new - old) / old:+.1f} %"


def _overrides(batch: Batch, pair: Pair) -> tuple[str, ...]:
    """``key=value`` words; a value that follows from the other is left to the trainer."""
    words = []
    for number, value in ((batch.per_device, pair.per_device), (batch.accumulation, pair.accumulation)):
        assert number
        if number.key:
            words.append(f"{number.key}={value}")
        elif not number.derived and value != number.value:
            return ()
    return tuple(words)
