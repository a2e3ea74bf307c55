"""Sizes of a run's checkpoints beside one another, and how their names sort them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence

from tools.data import Checkpoint
from tools.sources.checkpoints import numbers
from tools.sources.index import CHECKPOINT_SUFFIXES
from tools.sources.weights import Largest, examine

COMPARED = 3
"""Other checkpoints of a run whose size is looked at."""


def compared(path: str, largest: Largest | None, paths: Sequence[str]) -> tuple[int | None, tuple[int, ...]]:
    """Bytes of a checkpoint's largest file, and of the same file in up to ``COMPARED`` others beside it.

    A few stats: a whole folder's size would take as many as it has files. Only checkpoints with a number count, and
    only those of the same kind (folder or suffix): ``best.pt`` may hold the weights alone.
    """
    if largest is None or not numbered(path):
        return None, ()
    inside, size = largest
    others: list[int] = []
    own_kind = kind(path)
    for other in reversed(paths):
        if len(others) == COMPARED:
            break
        if other == path or kind(other) != own_kind or not numbered(other):
            continue
        try:
            others.append(os.stat(other + inside).st_size)
        except OSError:
            continue
    return (size, tuple(others)) if others else (None, ())


def numbered(path: str) -> bool:
    """Whether its name has a step or epoch, and is not that of the best or last one."""
    step, epoch = numbers(path)
    name = path[path.rfind("/") + 1 :].lower()
    return (step is not None or epoch is not None) and "best" not in name and "last" not in name


def kind(path: str) -> tuple[str, str]:
    """The folder it lies in, and its suffix (empty for a folder)."""
    folder, name = os.path.split(path)
    if not name.endswith(CHECKPOINT_SUFFIXES):
        return folder, ""
    return folder, next(suffix for suffix in CHECKPOINT_SUFFIXES if name.endswith(suffix))


def examined(paths: Iterable[str], seconds: float) -> list[Checkpoint]:
    """As many of the paths as can be looked at closely in ``seconds``, in their order."""
    deadline = time.monotonic() + seconds
    found: list[Checkpoint] = []
    for path in paths:
        if time.monotonic() > deadline:
            break
        found.append(examine(path))
    return found
