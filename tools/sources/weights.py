"""Whether a checkpoint would load, told without loading it.

Nothing is ever unpickled: safetensors headers, the zip directory of torch files and ``trainer_state.json`` tell
whether a file is whole. Plain paths and descriptors: a look examines one checkpoint a run, thousands of them.
"""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import zipfile
from collections.abc import Mapping, Sequence
from functools import lru_cache

from tools.data import Checkpoint, real
from tools.sources.index import CHECKPOINT_SUFFIXES, STATE_FILES
from tools.sources.trainer_state import JSON_BYTES, parsed, read_state

HEADER_BYTES = 32 << 20
FIRST_BYTES = 64 << 10
"""Enough for the header of most safetensors files."""
MAX_WEIGHT_FILES = 64
Largest = tuple[str, int]
"""What follows the checkpoint's path in that of its largest file, and that file's bytes."""
_WEIGHTS = (*CHECKPOINT_SUFFIXES, ".bin", ".h5", ".npz", ".msgpack", ".zip", ".distcp")


def examine(path: str, step: int | None = None, epoch: float | None = None) -> Checkpoint:
    """One checkpoint looked at closely, without loading it; step and epoch are what its name says."""
    return measured(path, step, epoch)[0]


def measured(path: str, step: int | None, epoch: float | None) -> tuple[Checkpoint, Largest | None]:
    """The same, and its largest file; None where that is not known."""
    mtime, size = 0.0, 0
    problem: str | None
    looked_at: tuple[str, ...] = ()
    largest: Largest | None = None
    try:
        info = os.stat(path)
        mtime, size = info.st_mtime, info.st_size
        if stat.S_ISDIR(info.st_mode):
            files, folders = _sizes(path)
            if files:
                name = max(files, key=files.__getitem__)
                largest = f"/{name}", files[name]
            size, problem, state, looked_at = _folder(path, files, folders)
            saved_step, saved_epoch = state.get("global_step"), state.get("epoch")
            step = saved_step if isinstance(saved_step, int) and not isinstance(saved_step, bool) else step
            epoch = real(saved_epoch) if isinstance(saved_epoch, int | float) else epoch
        else:
            largest = "", size
            problem = weight_problem(path)
    except OSError as error:
        problem = f"can't be read: {error.strerror}"
    return Checkpoint(path, step, epoch, mtime, size, problem is None, problem, looked_at), largest


def weight_problem(path: str | os.PathLike[str]) -> str | None:
    """Why a weights file would not load, or None. Raises OSError."""
    name = os.path.basename(path)
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        size = os.fstat(handle).st_size
        if size == 0:
            return f"{name} is empty"
        if name.endswith(".safetensors"):
            return _safetensors_problem(handle, name, size)
        magic = os.pread(handle, 4, 0)
        if magic == b"PK\x03\x04":
            return _zip_problem(handle, name)
        return f"{name} begins with zeros" if magic.strip(b"\0") == b"" else None
    finally:
        os.close(handle)


def _zip_problem(handle: int, name: str) -> str | None:
    try:
        with io.FileIO(os.dup(handle)) as file, zipfile.ZipFile(file) as archive:
            return None if archive.namelist() else f"{name} is an empty archive"
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error):
        # all that zipfile raises over a directory cut short or overwritten
        return f"{name} is torn (no zip directory)"


def _safetensors_problem(handle: int, name: str, size: int) -> str | None:
    start = os.pread(handle, min(size, FIRST_BYTES), 0)
    length = struct.unpack_from("<Q", start)[0] if len(start) >= 8 else 0
    if not 2 <= length <= min(size - 8, HEADER_BYTES):
        return f"{name} is torn (header)"
    text = start[8 : 8 + length] if 8 + length <= len(start) else os.pread(handle, length, 8)
    end = (_same_end if length <= FIRST_BYTES else _data_end)(text)
    if end is None:
        return f"{name} is torn (header)"
    return None if 8 + length + end == size else f"{name} is torn ({size:,} bytes)"


def _data_end(header: bytes) -> int | None:
    """Where the last tensor of a safetensors file ends; None for what is no such header, -1 for ends that are none."""
    try:
        told = json.loads(header)
        ends = [entry["data_offsets"][1] for tensor, entry in told.items() if tensor != "__metadata__"]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return None
    return max(ends, default=0) if all(isinstance(end, int) for end in ends) else -1


_same_end = lru_cache(maxsize=32)(_data_end)
"""The runs of a sweep save the same tensors: their headers are the same."""


def _sizes(folder: str) -> tuple[dict[str, int], list[str]]:
    """Files with their sizes, and the folders in it."""
    files: dict[str, int] = {}
    folders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.is_file():
                files[entry.name] = entry.stat().st_size
    return files, folders


def _folder(
    place: str, files: Mapping[str, int], folders: Sequence[str]
) -> tuple[int, str | None, dict[str, object], tuple[str, ...]]:
    """Size of what lies in it (bytes), why it would not load, its trainer_state, and the files that tell."""
    nested = {f"{folder}/{name}": size for folder in folders for name, size in _sizes(f"{place}/{folder}")[0].items()}
    size = sum(files.values()) + sum(nested.values())
    state: dict[str, object] = {}
    weights = {name for name in files if name.endswith(_WEIGHTS) and not name.startswith("rng_state")}
    if not any(not name.startswith(STATE_FILES) for name in weights):  # an optimizer.pt alone is no model
        models = {name for name in nested if name.endswith(_WEIGHTS)}
        if not models and not nested:
            return size, "no weights in it" if files else "empty", state, ()
        weights |= models
    looked_at = tuple(f"{place}/{name}" for name in sorted(weights)[:MAX_WEIGHT_FILES])
    if "trainer_state.json" in files:
        looked_at += (f"{place}/trainer_state.json",)
        state, torn = read_state(looked_at[-1])
        if torn:
            return size, "trainer_state.json is torn", {}, looked_at
    for name in files:
        if name.endswith(".index.json") and (problem := _shard_problem(place, name, files)):
            return size, problem, state, looked_at
    for path in looked_at[:MAX_WEIGHT_FILES]:
        if path.endswith(_WEIGHTS) and (problem := weight_problem(path)):
            return size, problem, state, looked_at
    return size, None, state, looked_at


def _shard_problem(place: str, table: str, files: Mapping[str, int]) -> str | None:
    content, torn = _json(f"{place}/{table}")
    shards = content.get("weight_map") if content else None
    names = {str(name) for name in shards.values()} if isinstance(shards, dict) else set()
    missing = sorted(name for name in names if name not in files)
    return f"{missing[0]} is missing" if missing else f"{table} is torn" if torn else None


def _json(path: str) -> tuple[dict[str, object] | None, bool]:
    """(content, torn): a file that can't be opened is (None, False)."""
    data = _bytes(path)
    content = parsed(data) if data is not None else None
    return content, data is not None and content is None


def _bytes(path: str) -> bytes | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.pread(handle, min(os.fstat(handle).st_size, JSON_BYTES + 1), 0)
    except OSError:
        return None
    finally:
        os.close(handle)
