"""Checkpoints: which belong to a run, which is newest, and whether it would load.

Nothing is ever unpickled: safetensors headers, the zip directory of torch files and ``trainer_state.json``
tell whether a file is whole.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tools.data import Checkpoint, RunDir
from tools.sources.index import CHECKPOINT_SUFFIXES, Index, inside
from tools.sources.weights import examine, listing

_STEP = re.compile(r"(?:^|[^a-z])(?:global_step|step|steps|iter|checkpoint|ckpt|model|batch|ba)[-_=]?0{0,12}(\d{1,12})")
_EPOCH = re.compile(r"(?:^|[^a-z])(?:epoch|ep)[-_=]?0{0,12}(\d{1,12})")
COMPARED = 3
"""Other checkpoints of a run whose size is looked at."""
_BARE = re.compile(r"0{0,12}(\d{1,12})(?:\.[a-z.]{1,12})?")


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
        own += [p for p in index.checkpoints if p not in own and p.startswith(tuple(f"{f}/" for f in folders))]
    for folder in run_dirs:
        files = Path(folder.path, "files")
        own += [str(path) for path in listing(files) if path.name.endswith(CHECKPOINT_SUFFIXES)]
    if not own:
        own = [path for path in index.checkpoints if any(_names(path, job, index) for job in jobs)]
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


def compared(path: str, paths: Sequence[str]) -> tuple[int | None, tuple[int, ...]]:
    """Bytes of a checkpoint's largest file, and of the same file in up to ``COMPARED`` others beside it.

    One listing and a few stats: a whole folder's size would take as many as it has files. Only checkpoints with a
    number count, and only those of the same kind (folder or suffix): ``best.pt`` may hold the weights alone.
    """
    if not numbered(path):
        return None, ()
    largest = ""
    size = -1
    try:
        if Path(path).is_dir():
            with os.scandir(path) as listing:
                for entry in listing:
                    if entry.is_file() and (own := entry.stat().st_size) > size:
                        largest, size = f"/{entry.name}", own
        else:
            size = os.stat(path).st_size
    except OSError:
        return None, ()
    others: list[int] = []
    own_kind = kind(path)
    for other in reversed(paths):
        if len(others) == COMPARED:
            break
        if other == path or kind(other) != own_kind or not numbered(other):
            continue
        try:
            others.append(os.stat(other + largest).st_size)
        except OSError:
            continue
    return (size, tuple(others)) if size >= 0 and others else (None, ())


def numbered(path: str) -> bool:
    """Whether its name has a step or epoch, and is not that of the best or last one."""
    step, epoch = numbers(path)
    name = os.path.basename(path).lower()
    return (step is not None or epoch is not None) and "best" not in name and "last" not in name


def kind(path: str) -> tuple[str, str]:
    """The folder it lies in, and its suffix (empty for a folder)."""
    folder, name = os.path.split(path)
    return folder, next((suffix for suffix in CHECKPOINT_SUFFIXES if name.endswith(suffix)), "")


def examined(paths: Iterable[str], seconds: float) -> list[Checkpoint]:
    """As many of the paths as can be looked at closely in ``seconds``, in their order."""
    deadline = time.monotonic() + seconds
    found: list[Checkpoint] = []
    for path in paths:
        if time.monotonic() > deadline:
            break
        found.append(examine(path))
    return found


def _facts(path: str) -> tuple[int | None, float | None, float, str]:
    step, epoch = numbers(path)
    try:
        mtime = os.stat(path).st_mtime
    except OSError:
        mtime = 0.0
    return step, epoch, mtime, path


def numbers(path: str) -> tuple[int | None, float | None]:
    """Step and epoch as a checkpoint's name tells them."""
    name = os.path.basename(path).lower()
    step = _STEP.search(name)
    epoch = _EPOCH.search(name)
    number = step or (None if epoch else _BARE.fullmatch(name))
    return (int(number[1]) if number else None), (float(epoch[1]) if epoch else None)


def _rank(facts: tuple[int | None, float | None, float, str]) -> tuple[int, float, float, float]:
    """Numbered before un-numbered, ``best`` last of all; then step, epoch, time."""
    step, epoch, mtime, path = facts
    name = os.path.basename(path)
    kind = 0 if "best" in name else 2 if step is not None or epoch is not None else 1
    return kind, float(step if step is not None else -1), epoch if epoch is not None else -1.0, mtime


def _names(path: str, word: str, index: Index) -> bool:
    """Whether a part of the path holds the word whole. A number must be a folder's name, or stand alone in it:
    ``checkpoint-100`` is step 100 and no job, and ``48213_3`` is not job 48213.
    """
    start = _shared_prefix(path, index)
    numeric = word.replace("_", "").isdigit()
    text = os.path.dirname(path) if numeric else path
    if len(word) < 4:
        return word in text[start:].split("/")
    where = text.find(word, start)
    while where >= 0:
        around = text[where - 1 : where], text[where + len(word) : where + len(word) + 1]
        if not any(side.isalnum() or (numeric and side == "_") for side in around):
            return True
        where = text.find(word, where + 1)
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
