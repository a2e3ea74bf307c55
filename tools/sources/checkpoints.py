"""Checkpoints: which belong to a run, which is newest, and whether it would load.

Nothing is ever unpickled: safetensors headers, the zip directory of torch files and ``trainer_state.json``
tell whether a file is whole.
"""

from __future__ import annotations

import json
import os
import re
import struct
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tools.data import Checkpoint, RunDir
from tools.sources.index import CHECKPOINT_SUFFIXES, Index, inside

JSON_BYTES = 4 << 20
HEADER_BYTES = 32 << 20
MAX_WEIGHT_FILES = 64

_STEP = re.compile(
    r"(?:^|[^a-z])(?:global_step|step|steps|iter|checkpoint|ckpt|model|batch|ba)[-_=]?0{0,12}(\d{1,12})"
)
_EPOCH = re.compile(r"(?:^|[^a-z])(?:epoch|ep)[-_=]?0{0,12}(\d{1,12})")
_BARE = re.compile(r"0{0,12}(\d{1,12})(?:\.[a-z.]{1,12})?")
_WEIGHTS = (*CHECKPOINT_SUFFIXES, ".bin", ".h5", ".npz", ".msgpack", ".zip", ".distcp")


def of_run(
    run: str,
    index: Index,
    run_dirs: Iterable[RunDir] = (),
    patterns: Sequence[str] = (),
    jobs: Iterable[str] = (),
) -> list[str]:
    """Paths of the checkpoints that belong to one run.

    A path belongs to the run if a part of it below the workspace holds the run id (or, failing that, one of
    the run's Slurm job ids) as a whole word. A folder that nothing ties to the run is no evidence for it.
    ``patterns`` come from the project file (``{run}``, ``{job}``).
    """
    own = [path for path in index.checkpoints if _names(path, run, index)]
    if patterns:
        folders = [f for p in patterns for f in _expand(p, run, jobs, index)]
        own += [
            p for p in index.checkpoints if p not in own and p.startswith(tuple(f"{f}/" for f in folders))
        ]
    for folder in run_dirs:
        files = Path(folder.path, "files")
        own += [str(path) for path in _listing(files) if path.name.endswith(CHECKPOINT_SUFFIXES)]
    if not own:
        ids = [job for job in jobs if len(job) >= 3]
        own = [path for path in index.checkpoints if any(_names(path, job, index) for job in ids)]
    return own


def newest(paths: Iterable[str]) -> tuple[Checkpoint | None, tuple[Checkpoint, ...]]:
    """The newest checkpoint that would load (by number, then by time), and the newer ones that would not.

    Without a loadable one the first value is the newest of all, with ``loadable`` false.
    """
    torn: list[Checkpoint] = []
    for checkpoint in ranked(paths):
        if checkpoint.loadable:
            return checkpoint, tuple(torn)
        torn.append(checkpoint)
    return (torn[0] if torn else None), tuple(torn)


def ranked(paths: Iterable[str]) -> Iterator[Checkpoint]:
    """Checkpoints by number, newest first, each examined only when it is asked for."""
    for step, epoch, mtime, path in sorted((_facts(path) for path in paths), key=_rank, reverse=True):
        yield examine(path, step, epoch, mtime)


def examine(path: str, step: int | None = None, epoch: float | None = None, mtime: float = 0.0) -> Checkpoint:
    """One checkpoint looked at closely, without loading it."""
    place = Path(path)
    try:
        if place.is_dir():
            size, problem, state = _folder(place)
            if isinstance(state.get("global_step"), int):
                step = state["global_step"]
            if isinstance(state.get("epoch"), int | float):
                epoch = float(state["epoch"])
        else:
            size, problem = place.stat().st_size, weight_problem(place)
    except OSError as error:
        size, problem = 0, f"can't be read: {error.strerror}"
    return Checkpoint(path, step, epoch, mtime, size, problem is None, problem)


def trainer_state(path: str) -> dict[str, object]:
    """``trainer_state.json`` of a checkpoint folder; empty where there is none or it is torn."""
    state, _ = _json(Path(path, "trainer_state.json"))
    return state or {}


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
    files = [path for path in _listing(place) if path.is_file()]
    nested = [
        path for folder in _listing(place) if folder.is_dir() for path in _listing(folder) if path.is_file()
    ]
    size = sum(path.stat().st_size for path in (*files, *nested))
    state, torn = _json(place / "trainer_state.json")
    if torn:
        return size, "trainer_state.json is torn", {}
    weights = [
        path for path in files if path.name.endswith(_WEIGHTS) and not path.name.startswith("rng_state")
    ]
    # optimizer.pt and scheduler.pt alone are no model
    models = [
        path
        for path in weights
        if not path.name.startswith(("optimizer", "scheduler", "scaler", "training_args"))
    ]
    if not models:
        models = [path for path in nested if path.name.endswith(_WEIGHTS)]
        if not models and not nested:
            return size, "empty" if not files else "no weights in it", state or {}
    for listing in place.glob("*.index.json"):
        shards, bad = _json(listing)
        names = set((shards or {}).get("weight_map", {}).values()) if isinstance(shards, dict) else set()  # type: ignore[attr-defined]
        missing = sorted(str(name) for name in names if not (place / str(name)).is_file())
        if bad or missing:
            return size, f"{missing[0]} is missing" if missing else f"{listing.name} is torn", state or {}
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


def _facts(path: str) -> tuple[int | None, float | None, float, str]:
    name = os.path.basename(path).lower()
    step = _STEP.search(name)
    epoch = _EPOCH.search(name)
    bare = _BARE.fullmatch(name) if not step and not epoch else None
    try:
        mtime = os.stat(path).st_mtime
    except OSError:
        mtime = 0.0
    number = step or bare
    return (int(number[1]) if number else None), (float(epoch[1]) if epoch else None), mtime, path


def _rank(facts: tuple[int | None, float | None, float, str]) -> tuple[int, float, float, float]:
    """Numbered before un-numbered, ``best`` last of all; then step, epoch, time."""
    step, epoch, mtime, path = facts
    name = os.path.basename(path)
    kind = 0 if "best" in name else 2 if step is not None or epoch is not None else 1
    return kind, float(step if step is not None else -1), epoch if epoch is not None else -1.0, mtime


def _names(path: str, word: str, index: Index) -> bool:
    where = path.find(word, _shared_prefix(path, index))
    while where >= 0:
        before, after = path[where - 1 : where], path[where + len(word) : where + len(word) + 1]
        if not before.isalnum() and not after.isalnum():
            return True
        where = path.find(word, where + 1)
    return False


def _shared_prefix(path: str, index: Index) -> int:
    roots = (index.workspace, *index.roots)
    return max((len(root) for root in roots if path.startswith(root)), default=0)


def _expand(pattern: str, run: str, jobs: Iterable[str], index: Index) -> list[str]:
    names = [pattern.replace("{run}", run)]
    if "{job}" in pattern:
        names = [name.replace("{job}", job) for name in names for job in jobs]
    paths = [name if name.startswith("/") else f"{index.workspace}/{name}" for name in names]
    return [path.rstrip("/") for path in paths if inside(path, index.roots)]


def _listing(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
