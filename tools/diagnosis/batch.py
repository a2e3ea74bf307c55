"""Batch sizes: per device × accumulation × GPUs, and what to change after running out of memory.

The names are those of the rules and of the frameworks' own options; the formula and the table by model size are the
rules'.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tools.diagnosis.leaves import leaves, positive

PER_DEVICE = (
    "per_device_train_batch_size",
    "per_gpu_train_batch_size",
    "train_micro_batch_size_per_gpu",
    "micro_batch_size",
    "device_batch_size",
    "batch_size",
    "train_batch_size",
    "bs",
)
# A batch of all devices together: not to be multiplied again.
GLOBAL = ("global_batch_size", "total_batch_size", "effective_batch_size")
ACCUMULATION = (
    "gradient_accumulation_steps",
    "accumulate_grad_batches",
    "grad_accumulation_steps",
    "grad_accum_steps",
    "accumulation_steps",
    "accum_iter",
    "update_freq",
)
GPUS = ("n_gpu", "num_gpus", "gpus", "devices", "n_gpus", "ngpus", "world_size")
KEYS = frozenset((*PER_DEVICE, *GLOBAL, *ACCUMULATION, *GPUS))
SHRINK, GROW = 0.75, 1.33
"""The rules' OOM recovery: batch × 0.75 rounded down, accumulation × 1.33 rounded up."""
# The rules' table: parameters below (billions), batch, accumulation, effective.
_BY_SIZE = (
    (1.0, "16-32", "4-8", "64-256"),
    (4.0, "4-8", "8-16", "32-128"),
    (8.0, "2-4", "16-32", "32-128"),
    (math.inf, "1-2", "32-64", "32-128"),
)
_SIZE_IN_NAME = re.compile(r"(?i)(?<![a-z0-9.])(\d{1,3}(?:\.\d{1,2})?)(b|m)(?![a-z0-9])")
_MODEL_KEYS = frozenset("model model_name model_name_or_path name_or_path pretrained backbone model_size".split())


@dataclass(frozen=True, slots=True)
class Batch:
    """None where nothing names it; ``notes`` say what was assumed and where values come from."""

    per_device: int | None
    accumulation: int | None
    gpus: int | None
    effective: int | None
    batch_key: str | None = None
    """Dotted path in the config."""
    accumulation_key: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A smaller batch after running out of memory."""

    per_device: int
    accumulation: int
    effective: int | None
    """Exactly what it gives; None where the GPUs are not known."""
    overrides: str
    """In the config's own names, as Hydra takes them."""
    words: str


def components(config: Mapping[str, Any], gpus_allocated: int | None) -> Batch:
    """The batch of one run by its resolved config; ``gpus_allocated`` is Slurm's, where the config names none."""
    found: dict[str, tuple[str, int]] = {}
    for path, value in leaves(config):
        last = path.rpartition(".")[2]
        number = positive(value)
        if last in KEYS and last not in found and number is not None and number.is_integer():
            found[last] = (path, int(number))
    notes: list[str] = []
    batch = next((found[key] for key in PER_DEVICE if key in found), None)
    accumulation = next((found[key] for key in ACCUMULATION if key in found), None)
    told = next((found[key] for key in GPUS if key in found), None)
    whole = next((found[key] for key in GLOBAL if key in found), None)
    gpus = told[1] if told else gpus_allocated
    if told is None and gpus_allocated is not None:
        notes.append("GPUs: Slurm's allocation")
    if gpus == 0:
        gpus = None
    if batch and accumulation is None:
        notes.append("accumulation: not in the config, taken as 1")
    steps = accumulation[1] if accumulation else 1 if batch else None
    effective = batch[1] * steps * gpus if batch and steps and gpus else None
    if whole:
        effective = whole[1]
        notes.append(f"effective: the config's {whole[0]}")
    elif effective is None:
        notes.append("effective: unknown without " + ("GPUs" if batch else "a batch size"))
    return Batch(
        batch[1] if batch else None,
        steps,
        gpus,
        effective,
        batch[0] if batch else None,
        accumulation[0] if accumulation else None,
        tuple(notes),
    )


def recovery(batch: Batch) -> tuple[Change, ...]:
    """What to try after running out of memory: a pair that keeps the effective batch exactly, then the rules' formula.

    Empty where the batch is not known or can't shrink.
    """
    old, steps = batch.per_device, batch.accumulation or 1
    if old is None or old < 2:
        return ()
    smaller = math.floor(old * SHRINK)
    exact = next((size for size in range(smaller, 0, -1) if (old * steps) % size == 0), None)
    pairs = [(smaller, math.ceil(steps * GROW))]
    if exact is not None and exact >= old // 4:
        pairs.insert(0, (exact, old * steps // exact))
    return tuple(_change(batch, old, steps, *pair) for pair in dict.fromkeys(pairs))


def _change(batch: Batch, old: int, steps: int, new: int, more: int) -> Change:
    effective = new * more * batch.gpus if batch.gpus else None
    before = old * steps * batch.gpus if batch.gpus else None
    same = "the same" if new * more == old * steps else f"{before} → {effective}" if effective else "other"
    accumulation_key = batch.accumulation_key or "gradient_accumulation_steps"
    return Change(
        new,
        more,
        effective,
        f"{batch.batch_key}={new} {accumulation_key}={more}",
        f"batch {old} → {new}, accumulation {steps} → {more}, effective batch {same}",
    )


def recommendation(parameters: float) -> dict[str, str]:
    """The rules' batch, accumulation and effective batch for a model of so many billion parameters."""
    _, batch, accumulation, effective = next(row for row in _BY_SIZE if parameters < row[0])
    return {"batch": batch, "accumulation": accumulation, "effective": effective}


def model_size(config: Mapping[str, Any]) -> tuple[float, str] | None:
    """Billions of parameters and where that stands: a hint only, read from a model's name such as ``qwen-0.6b``."""
    for path, value in leaves(config):
        last = path.rpartition(".")[2]
        if last in {"num_parameters", "n_params", "total_params"} and (number := positive(value)):
            return number / 1e9, path
        if last in _MODEL_KEYS and isinstance(value, str) and (match := _SIZE_IN_NAME.search(value[:200])):
            size = float(match[1]) * (1.0 if match[2].lower() == "b" else 1e-3)
            return size, f"{path}: {value[:80]}"
    return None
