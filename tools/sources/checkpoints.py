"""Checkpoints: which is newest, and whether it would load.

Nothing is ever unpickled: safetensors headers, the zip directory of torch files and ``trainer_state.json``
tell whether a file is whole.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from tools.data import Checkpoint
from tools.sources.index import written
from tools.sources.wandb_settings import small_text
from tools.sources.weights import Largest, measured

_STEP = re.compile(r"(?:^|[^a-z])(?:global_step|step|steps|iter|checkpoint|ckpt|model|batch|ba)[-_=]?0{0,12}(\d{1,12})")
_EPOCH = re.compile(r"(?:^|[^a-z])(?:epoch|ep)[-_=]?0{0,12}(\d{1,12})")
_BARE = re.compile(r"0{0,12}(\d{1,12})(?:\.[a-z.]{1,12})?")
# Files whose number is the epoch: fairseq's (with the updates after it), timm's.
_EPOCH_FILE = re.compile(r"checkpoint(\d{1,9})\.pt|checkpoint_(\d{1,9})_(\d{1,12})\.pt|checkpoint-(\d{1,9})\.pth\.tar")
_LAST = re.compile(r"(?:^|[^a-z])(?:last|latest)(?:[^a-z]|$)")
SAME_SAVE_S = 60.0
"""Lightning and others write ``last`` right after the numbered file of the same save."""


def newest(paths: Iterable[str], trackers: Sequence[str] = ()) -> tuple[Checkpoint | None, tuple[Checkpoint, ...]]:
    """The newest checkpoint that would load (by number, then by time), and the newer ones that would not.

    Without a loadable one the first value is the newest of all, with ``loadable`` false.
    """
    best, _, torn = newest_measured(paths, trackers)
    return best, torn


def newest_measured(
    paths: Iterable[str], trackers: Sequence[str] = ()
) -> tuple[Checkpoint | None, Largest | None, tuple[Checkpoint, ...]]:
    """The same, with the largest file of the newest."""
    torn: list[Checkpoint] = []
    first: Largest | None = None
    for checkpoint, largest in _ranked(paths, trackers):
        if checkpoint.loadable:
            return checkpoint, largest, tuple(torn)
        first = first if torn else largest
        torn.append(checkpoint)
    return (torn[0] if torn else None), first, tuple(torn)


def ranked(paths: Iterable[str], trackers: Sequence[str] = ()) -> Iterator[Checkpoint]:
    """Checkpoints by number, newest first, each examined only when it is asked for.

    A ``last`` that was written well after the newest number comes before it. Folders that a tracker beside them
    (``latest``, ``latest_checkpointed_iteration.txt``) does not name yet are not finished.
    """
    return (checkpoint for checkpoint, _ in _ranked(paths, trackers))


def _ranked(paths: Iterable[str], trackers: Sequence[str]) -> Iterator[tuple[Checkpoint, Largest | None]]:
    told = {path: _named(path[path.rfind("/") + 1 :]) for path in paths}
    keys = {path: own[2] for path, own in told.items()}
    # the time decides only where numbers don't
    timed = len(set(keys.values())) < len(keys) or any(own[3] for own in told.values())
    if timed:
        times = {path: written(path) for path in keys}
        top = max(((keys[path], times[path]) for path in keys if keys[path][0] == _NUMBERED), default=None)
        for path in keys:
            if top and told[path][3] and times[path] > top[1] + SAME_SAVE_S:
                keys[path] = (_NUMBERED + 1, -1.0, -1.0)
        order = sorted(keys, key=lambda path: (keys[path], times[path]), reverse=True)
    else:
        order = sorted(keys, key=keys.__getitem__, reverse=True)
    finished = _finished({path: own[0] for path, own in told.items()}, trackers) if trackers else {}
    for path in order:
        step, epoch, _, _ = told[path]
        found, largest = measured(path, step, epoch)
        folder = os.path.dirname(path) if finished else ""
        if folder in finished and step is not None and step > finished[folder][0] and Path(path).is_dir():
            found = replace(found, loadable=False, problem=f"not finished: {finished[folder][1]}")
        yield found, largest


def times(paths: Iterable[str]) -> list[float]:
    """When each of those that are still there was written, in epoch seconds."""
    return [at for path in paths if (at := written(path))]


def by_time(path: str) -> bool:
    """Whether the time of this file has a say: ``last`` and ``latest`` are written over."""
    return _by_time(path[path.rfind("/") + 1 :])


@lru_cache(maxsize=4096)
def _by_time(name: str) -> bool:
    lower = name.lower()
    return ("last" in lower or "latest" in lower) and bool(_LAST.search(lower))


def _finished(numbered: dict[str, int | None], trackers: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Folder -> the step that its tracker names, where that one is there, and the tracker's words."""
    steps: dict[str, set[int]] = defaultdict(set)
    for path, step in numbered.items():
        if step is not None:
            steps[os.path.dirname(path)].add(step)
    found: dict[str, tuple[int, str]] = {}
    for tracker in trackers:
        folder, name = os.path.split(tracker)
        if folder not in steps:
            continue
        told = _told_by(tracker)
        step = numbers(told)[0]
        if step in steps[folder] and step is not None:
            found[folder] = (step, f"{name} names {told[:100]}")
    return found


def _told_by(tracker: str) -> str:
    """The checkpoint that a tracker names: the target of a link, or the first word of a file."""
    try:
        return str(Path(tracker).readlink())
    except OSError:
        words = small_text(tracker).split(maxsplit=1)
        return words[0] if words else ""


def numbers(path: str) -> tuple[int | None, float | None]:
    """Step and epoch as a checkpoint's name tells them."""
    return _numbers(path[path.rfind("/") + 1 :])


@lru_cache(maxsize=4096)
def _numbers(name: str) -> tuple[int | None, float | None]:
    """Remembered: the runs of a workspace save at the same steps."""
    name = name.lower()
    if told := _EPOCH_FILE.fullmatch(name):
        return (int(told[3]) if told[3] else None), float(told[1] or told[2] or told[4])
    step = _STEP.search(name)
    epoch = _EPOCH.search(name)
    number = step or (None if epoch else _BARE.fullmatch(name))
    return (int(number[1]) if number else None), (float(epoch[1]) if epoch else None)


_NUMBERED = 2


@lru_cache(maxsize=4096)
def _named(name: str) -> tuple[int | None, float | None, tuple[int, float, float], bool]:
    """Step and epoch; the rank by them: numbered before un-numbered, ``best`` last of all; whether its time has a
    say."""
    step, epoch = _numbers(name)
    kind = 0 if "best" in name else _NUMBERED if step is not None or epoch is not None else 1
    rank = kind, float(step if step is not None else -1), epoch if epoch is not None else -1.0
    return step, epoch, rank, _by_time(name)
