"""Sizes of a run's checkpoints beside one another, and how their names sort them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache

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
    start = path.rfind("/") + 1
    folder, (counts, own_kind) = path[:start], _named(path[start:])
    if largest is None or not counts:
        return None, ()
    inside, size = largest
    others: list[int] = []
    for other in reversed(paths):
        if len(others) == COMPARED:
            break
        if other == path or not other.startswith(folder) or "/" in (name := other[start:]):
            continue
        if _named(name) != (True, own_kind):
            continue
        try:
            others.append(os.stat(other + inside).st_size)
        except OSError:
            continue
    return (size, tuple(others)) if others else (None, ())


def numbered(path: str) -> bool:
    """Whether its name has a step or epoch, and is not that of the best or last one."""
    return _named(path[path.rfind("/") + 1 :])[0]


def kind(path: str) -> tuple[str, str]:
    """The folder it lies in, and its suffix (empty for a folder)."""
    folder, name = os.path.split(path)
    return folder, _named(name)[1]


@lru_cache(maxsize=4096)
def _named(name: str) -> tuple[bool, str]:
    """Whether it counts as numbered, and its suffix. Remembered: the runs of a workspace save at the same steps."""
    step, epoch = numbers(name)
    lower = name.lower()
    counts = (step is not None or epoch is not None) and "best" not in lower and "last" not in lower
    return counts, next((suffix for suffix in CHECKPOINT_SUFFIXES if name.endswith(suffix)), "")


def examined(paths: Iterable[str], seconds: float) -> list[Checkpoint]:
    """As many of the paths as can be looked at closely in ``seconds``, in their order."""
    deadline = time.monotonic() + seconds
    found: list[Checkpoint] = []
    for path in paths:
        if time.monotonic() > deadline:
            break
        found.append(examine(path))
    return found
