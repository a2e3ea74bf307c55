"""How many GPUs a run trains on: what its configuration says, else what Slurm gave the job."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tools.diagnosis.leaves import leaves, name_of, positive

# Most telling first. ``n_gpu`` is the rules' own name; Transformers' ``_n_gpu`` counts those of one process: left out.
IN_ALL = ("world_size", "n_gpu", "n_gpus", "num_gpus", "ngpus", "total_gpus")
PER_NODE = (
    "gpus_per_node",
    "num_gpus_per_node",
    "n_gpus_per_node",
    "gpu_per_node",
    "nproc_per_node",
    "gpus",
    "devices",
)
NODES = ("num_nodes", "nnodes", "n_nodes", "nodes")
MAX_GPUS = 100_000
_LIST = re.compile(r"\[?\d{1,3}(?:,\s?\d{1,3}){0,63},?\]?")


def count(
    configs: Mapping[str, Mapping[str, Any]], allocated: int | None
) -> tuple[tuple[int, str, str | None] | None, list[str]]:
    """(GPUs, where it stands, its key) and notes; the configuration counts before Slurm's allocation."""
    for where, config in configs.items():
        found = _in_config(config)
        if found:
            number, key = found
            notes = []
            if allocated is not None and allocated != number:
                notes.append(f"GPUs: {where} says {number} ({key}), Slurm allocated {allocated}")
            return (number, f"{where} {key}", key), notes
    if allocated is not None:
        return (allocated, "Slurm's allocation", None), []
    return None, ["GPUs: no configuration names them, and Slurm's accounting doesn't tell"]


def _in_config(config: Mapping[str, Any]) -> tuple[int, str] | None:
    found: dict[str, tuple[str, int]] = {}
    nodes: dict[str, int] = {}
    for path, value in leaves(config):
        name = name_of(path)
        above = path.rpartition(".")[0]
        number = _number(value)
        if name in NODES and number:
            nodes.setdefault(above, number)
        if name in (*IN_ALL, *PER_NODE) and number:
            found.setdefault(name, (path, number))
    for name in (*IN_ALL, *PER_NODE):
        if name in found:
            path, number = found[name]
            # only beside it: elsewhere num_nodes may be the size of a graph
            times = nodes.get(path.rpartition(".")[0], 1) if name in PER_NODE else 1
            if number * times <= MAX_GPUS:
                return number * times, path if times == 1 else f"{path} × {times} nodes"
    return None


def _number(value: object) -> int | None:
    """A count, or how many are in a list of device numbers (``[0, 1]``, ``"0,1"``); ``auto`` and -1 are None."""
    if isinstance(value, list):
        return len(value) if value and all(isinstance(item, int) for item in value) else None
    if isinstance(value, str) and ("," in value or value.startswith("[")) and _LIST.fullmatch(value.strip()):
        return len(re.findall(r"\d+", value))
    number = positive(value)
    return int(number) if number is not None and number == int(number) else None
