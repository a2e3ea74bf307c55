"""Whether a checkpoint would load, told without loading it.

Nothing is ever unpickled: safetensors headers, the zip directory of torch files and ``trainer_state.json`` tell
whether a file is whole.
"""

from __future__ import annotations

import json
import re
import struct
import zipfile
from pathlib import Path

from tools.data import Checkpoint
from tools.sources.index import CHECKPOINT_SUFFIXES

JSON_BYTES = 4 << 20

HEADER_BYTES = 32 << 20

MAX_WEIGHT_FILES = 64

_WEIGHTS = (*CHECKPOINT_SUFFIXES, ".bin", ".h5", ".npz", ".msgpack", ".zip", ".distcp")


def examine(path: str, step: int | None = None, epoch: float | None = None, mtime: float = 0.0) -> Checkpoint:
    """One checkpoint looked at closely, without loading it."""
    place = Path(path)
    try:
        if place.is_dir():
            size, problem, state = _folder(place)
            saved_step, saved_epoch = state.get("global_step"), state.get("epoch")
            step = saved_step if isinstance(saved_step, int) else step
            epoch = float(saved_epoch) if isinstance(saved_epoch, int | float) else epoch
        else:
            size, problem = place.stat().st_size, weight_problem(place)
    except OSError as error:
        size, problem = 0, f"can't be read: {error.strerror}"
    return Checkpoint(path, step, epoch, mtime, size, problem is None, problem)


def weight_problem(path: Path) -> str | None:
    """Why a weights file would not load, or None."""
    size = path.stat().st_size
    if size == 0:
        return f"{path.name} is empty"
    if path.name.endswith(".safetensors"):
        return _safetensors_problem(path, size)
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(path) as archive:
                return None if archive.namelist() else f"{path.name} is an empty archive"
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error):
            return f"{path.name} is torn (no zip directory)"
    if magic.strip(b"\0") == b"":
        return f"{path.name} begins with zeros"
    return None


def _safetensors_problem(path: Path, size: int) -> str | None:
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(size - 8, HEADER_BYTES):
            return f"{path.name} is torn (header)"
        try:
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
            return f"{path.name} is torn (header)"
    if not all(isinstance(end, int) for end in ends) or 8 + length + max(ends, default=0) != size:
        return f"{path.name} is torn ({size:,} bytes)"
    return None


def _folder(place: Path) -> tuple[int, str | None, dict[str, object]]:
    """Size of what lies in it, why it would not load, and its trainer_state."""
    files = [path for path in listing(place) if path.is_file()]
    nested = [path for folder in listing(place) if folder.is_dir() for path in listing(folder) if path.is_file()]
    size = sum(path.stat().st_size for path in (*files, *nested))
    state, torn = _json(place / "trainer_state.json")
    if torn:
        return size, "trainer_state.json is torn", {}
    weights = [path for path in files if path.name.endswith(_WEIGHTS) and not path.name.startswith("rng_state")]
    # optimizer.pt and scheduler.pt alone are no model
    models = [
        path for path in weights if not path.name.startswith(("optimizer", "scheduler", "scaler", "training_args"))
    ]
    if not models:
        models = [path for path in nested if path.name.endswith(_WEIGHTS)]
        if not models and not nested:
            return size, "empty" if not files else "no weights in it", state or {}
    for table in place.glob("*.index.json"):
        shards, bad = _json(table)
        names = set((shards or {}).get("weight_map", {}).values()) if isinstance(shards, dict) else set()  # type: ignore[attr-defined]
        missing = sorted(str(name) for name in names if not (place / str(name)).is_file())
        if bad or missing:
            return size, f"{missing[0]} is missing" if missing else f"{table.name} is torn", state or {}
    for path in [*weights, *models][:MAX_WEIGHT_FILES]:
        if problem := weight_problem(path):
            return size, problem, state or {}
    return size, None, state or {}


def _json(path: Path) -> tuple[dict[str, object] | None, bool]:
    """(content, torn): a missing file is (None, False)."""
    try:
        with path.open("rb") as file:
            data = file.read(JSON_BYTES + 1)
    except OSError:
        return None, False
    if len(data) > JSON_BYTES:
        return _long_state(data), False
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None, True
    return (value, False) if isinstance(value, dict) else (None, True)


def _long_state(data: bytes) -> dict[str, object]:
    """``epoch`` and ``global_step`` stand before the long log history of a trainer_state."""
    head = data[: 64 << 10].decode("utf-8", "replace")
    found: dict[str, object] = {}
    if match := re.search(r'^  "epoch": ([0-9.]{1,20})', head, re.MULTILINE):
        found["epoch"] = float(match[1])
    if match := re.search(r'^  "global_step": ([0-9]{1,12})', head, re.MULTILINE):
        found["global_step"] = int(match[1])
    return found


def listing(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
