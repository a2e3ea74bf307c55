"""The batch sizes of a run: per device, accumulation, GPUs and what they come to, each with where it stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tools.compact import compact
from tools.diagnosis import gpus
from tools.diagnosis.leaves import leaves, name_of, positive

# The names of Transformers, DeepSpeed, Megatron, litgpt and torchtitan, most telling first.
PER_DEVICE = (
    "per_device_train_batch_size", "per_gpu_train_batch_size", "train_micro_batch_size_per_gpu",
    "per_device_batch_size", "batch_size_per_gpu", "batch_size_per_device", "device_batch_size", "micro_batch_size",
    "local_batch_size",
)  # fmt: skip
ACCUMULATION = (
    "gradient_accumulation_steps", "accumulate_grad_batches", "grad_accumulation_steps", "gradient_accumulation",
    "grad_accum_steps", "grad_accum", "accumulation_steps", "accum_steps", "accum_iter", "accum_freq", "update_freq",
)  # fmt: skip
GLOBAL = ("global_batch_size", "global_train_batch_size", "effective_batch_size", "total_batch_size")
# DeepSpeed's and verl's global batch; Diffusers' scripts mean the one per device.
EITHER = "train_batch_size"
PLAIN = "batch_size"
DEEPSPEED = frozenset({"zero_optimization", "train_micro_batch_size_per_gpu"})
_OTHER_USES = frozenset(
    {"eval", "evaluation", "val", "valid", "validation", "test", "testing", "inference", "predict", "prediction",
     "generation", "sampling"}
)  # fmt: skip
MAX_BATCH = 10_000_000
"""A larger number counts tokens or is no batch size."""
_WANTED = frozenset({*PER_DEVICE, *ACCUMULATION, *GLOBAL, EITHER, PLAIN})
KEYS = frozenset({*_WANTED, *DEEPSPEED, "deepspeed", *gpus.IN_ALL, *gpus.PER_NODE, *gpus.NODES})
"""Every key of a configuration that has a say."""


@compact
class Number:
    value: int
    where: str
    """Configuration and key, or in words how it comes about."""
    key: str | None = None
    """As the configuration writes it; None: no configuration sets it."""
    derived: bool = False
    """It follows from the others, as the trainer itself computes it."""


@compact
class Batch:
    per_device: Number | None = None
    accumulation: Number | None = None
    gpus: Number | None = None
    whole: Number | None = None
    """The global batch, where a configuration fixes it."""
    effective: int | None = None
    """Samples in one optimizer step."""
    notes: tuple[str, ...] = ()
    """Why a value is null, what is assumed, what contradicts what."""


def components(configs: Mapping[str, Mapping[str, Any]], gpus_allocated: int | None) -> Batch:
    """The batch sizes of one run.

    ``configs`` are its configurations by where they stand, the most telling first; ``gpus_allocated`` is what Slurm
    gave the job (None: not known).
    """
    notes: list[str] = []
    reading = _Reading(configs, notes)
    per_device, whole = reading.number(PER_DEVICE), reading.number(GLOBAL)
    accumulation = reading.number(ACCUMULATION)
    either, plain = reading.number((EITHER,)), reading.number((PLAIN,))
    found, gpu_notes = gpus.count(configs, gpus_allocated)
    notes += gpu_notes
    gpu = Number(*found) if found else None
    if either and per_device and either.value != per_device.value:
        whole = whole or either
    elif either and not per_device and reading.deepspeed:
        whole = whole or replace(either, where=f"{either.where} (DeepSpeed: the global batch, not multiplied again)")
    elif either and not per_device:
        notes.append(
            f"{EITHER} {either.value} ({either.where}) may be the global batch or the one per device: not multiplied"
        )
        return Batch(None, accumulation, gpu, None, None, tuple(notes))
    elif plain and not per_device and PLAIN not in reading.unclear:
        per_device = plain
    if accumulation is None and not reading.unclear.intersection(ACCUMULATION):
        if whole and per_device and gpu:
            accumulation = _rest(whole, per_device, gpu, notes)
        elif whole is None and per_device and not (plain and plain.value > per_device.value):
            accumulation = Number(1, "assumed: no configuration names it")
            notes.append("accumulation: no configuration names it, 1 is assumed")
        elif whole is None and plain:
            notes.append(f"accumulation: unknown; {plain.where} {plain.value} may be the global batch")
    elif whole and accumulation and gpu and not per_device:
        per_device = _rest(whole, accumulation, gpu, notes)
    effective = _effective(per_device, accumulation, gpu, whole, notes)
    return Batch(per_device, accumulation, gpu, whole, effective, tuple(dict.fromkeys(notes)))


def _rest(whole: Number, known: Number, gpu: Number, notes: list[str]) -> Number | None:
    rest, left = divmod(whole.value, known.value * gpu.value)
    words = f"{whole.where} {whole.value} / ({known.value} × {gpu.value} GPUs)"
    if left:
        notes.append(f"{words} is no whole number")
        return None
    return Number(rest, words, derived=True)


def _effective(
    per_device: Number | None, accumulation: Number | None, gpu: Number | None, whole: Number | None, notes: list[str]
) -> int | None:
    for name, part in {"per device": per_device, "accumulation": accumulation, "GPUs": gpu}.items():
        if part is None and not any(note.startswith(f"{name}:") for note in notes):
            notes.append(f"{name}: no configuration names it")
    product = per_device.value * accumulation.value * gpu.value if per_device and accumulation and gpu else None
    if whole and product not in (None, whole.value):
        notes.append(f"effective: the parts come to {product}, but {whole.where} says {whole.value}")
        return None
    return whole.value if whole else product


class _Reading:
    """What the configurations say of batches, told apart by name."""

    def __init__(self, configs: Mapping[str, Mapping[str, Any]], notes: list[str]) -> None:
        self.notes = notes
        self.unclear: set[str] = set()
        """Names that stand there in a way that can't be read as one number."""
        self.deepspeed = False
        self._found: dict[str, dict[str, list[tuple[str, int]]]] = {}
        for where, config in configs.items():
            group: dict[str, list[tuple[str, int]]] = defaultdict(list)
            for path, value in leaves(config):
                self._take(path, value, group)
            self._found[where] = group

    def _take(self, path: str, value: object, group: dict[str, list[tuple[str, int]]]) -> None:
        above = path.split(".")[:-1]
        name = name_of(path)
        self.deepspeed |= not DEEPSPEED.isdisjoint((name, *above)) or "deepspeed" in above
        # accumulate_grad_batches: {0: 8, 4: 4} changes while it trains
        unclear = {segment for segment in above if segment in ACCUMULATION}
        if name not in _WANTED and not unclear:
            return
        if any(not _OTHER_USES.isdisjoint(segment.lower().split("_")) for segment in above):
            return
        self.unclear |= unclear
        if isinstance(value, list) and len(value) == 1:
            value = value[0]  # fairseq's update_freq
        number = positive(value)
        if name in _WANTED and number is not None and number == int(number) and number <= MAX_BATCH:
            group[name].append((path, int(number)))

    def number(self, names: Sequence[str]) -> Number | None:
        """The first of ``names`` in the first configuration that has one; None with a note where it is unclear."""
        for name in self.unclear.intersection(names):
            self.notes.append(f"accumulation: {name} is not one number")
            return None
        for where, group in self._found.items():
            for name in names:
                if places := group.get(name):
                    return self._one(name, places, where)
        return None

    def _one(self, name: str, places: list[tuple[str, int]], where: str) -> Number | None:
        training = [place for place in places if any(part.startswith("train") for part in place[0].split(".")[:-1])]
        for chosen in (places, training):
            if len({value for _, value in chosen}) == 1:
                path, value = chosen[0]
                return Number(value, f"{where} {path}", path)
        said = ", ".join(f"{path} {value}" for path, value in places[:4])
        self.notes.append(f"{'per device' if name in (*PER_DEVICE, PLAIN) else name}: several values ({said})")
        self.unclear.add(name)
        return None
