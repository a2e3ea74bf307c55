"""What of the room on disk could be given back, and what looks wrong: figures only, nothing is deleted.

A checkpoint is called superseded only where nothing can still want it: never of a live run, never the newest
that loads, never one that anything names.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from tools.compact import compact
from tools.diagnosis.join import Link
from tools.wandb_data import RunDir

SMALL = 0.1
"""A checkpoint under this share of its siblings' median is too small to be whole. Without the optimizer's state
one is still about a third, in half the precision a sixth."""
DAY_S = 86_400.0
# Lightning and others keep the k best by a score that stands in the name.
_SCORE = re.compile(r"(?:loss|acc|val|metric|score|auc|f1|bleu|ppl|reward)", re.I)
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


@compact
class Saved:
    """One checkpoint as the walk measured it."""

    path: str
    step: int | None
    epoch: float | None
    numbered: bool
    """Its name has a step or epoch, and is not that of the best or last one."""
    kind: tuple[str, str]
    """Folder it lies in, and suffix: only those of one kind are compared."""
    allocated: int
    """Bytes on disk."""
    apparent: int
    whole: bool = True
    """False: the walk stopped first, the bytes are a lower bound."""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def words(size: float) -> str:
    """Bytes as ``480.0 MB``; powers of 1000."""
    for unit in _UNITS:
        if abs(size) < 999.95 or unit == _UNITS[-1]:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError


def usual_size(size: int, others: Sequence[int]) -> int | None:
    """The median of the others (bytes) where this one is too small beside it, else None."""
    if not others or size >= SMALL * max(others):
        return None  # the median is no more than the largest
    usual = int(median(others))
    return usual if size < SMALL * usual else None


def small_ones(saved: Sequence[Saved]) -> list[tuple[Saved, int]]:
    """The numbered checkpoints of one run that are too small to be whole, each with the usual bytes."""
    kinds: dict[tuple[str, str], list[Saved]] = defaultdict(list)
    for one in saved:
        if one.numbered and one.whole:
            kinds[one.kind].append(one)
    found = []
    for group in kinds.values():
        for one in group:
            usual = usual_size(one.apparent, [other.apparent for other in group if other is not one])
            if usual is not None:
                found.append((one, usual))
    return found


def superseded(
    saved: Sequence[Saved], best: str | None, *, live: bool, pointed_at: Collection[str] | None, named: Collection[str]
) -> tuple[list[Saved], str | None]:
    """The older checkpoints of one run that its newest loadable one (path ``best``) has made unneeded, or why
    nothing is said.

    ``pointed_at``: names beside it that a trainer state, tracker or link holds (None: could not be read);
    ``named``: ``folder/name`` of paths in configs and command lines (a run may start from another's checkpoint).
    """
    newest = next((one for one in saved if one.path == best), None)
    if live:
        return [], "it trains now"
    if newest is None:
        return [], "none of its checkpoints loads"
    if pointed_at is None:
        return [], "which one its trainer calls the best could not be read"
    wanted = {number for name in pointed_at if (number := _bare(name)) is not None}
    older = []
    for one in saved:
        held = one.name in pointed_at or (one.step is not None and one.step in wanted)
        held = held or "/".join(one.path.rsplit("/", 2)[1:]) in named or bool(_SCORE.search(one.name))
        if one.numbered and newest.numbered and one.kind == newest.kind and not held and _before(one, newest):
            older.append(one)
    return older, None


def _before(one: Saved, newest: Saved) -> bool:
    if one.step is not None and newest.step is not None:
        return one.step < newest.step
    return one.epoch is not None and newest.epoch is not None and one.epoch < newest.epoch


def _bare(name: str) -> int | None:
    return int(name) if name.isdecimal() and len(name) <= 12 else None


def named_paths(values: Iterable[Any]) -> set[str]:
    """``folder/name`` of everything that looks like a path in configs (nested) and command lines."""
    found: set[str] = set()
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
        elif isinstance(value, str) and "/" in value:
            for word in value.split():
                for path in (word, word.partition("=")[2]):
                    parts = path.strip("'\",").rstrip("/").split("/")
                    found.update("/".join(parts[at - 1 : at + 1]) for at in range(1, len(parts)))
    return found


def unknown_runs(links: Iterable[Link], folders: Collection[str]) -> list[str]:
    """Runs that have checkpoints and nothing else: no job, no W&B folder (``folders``: run ids), no sweep."""
    return sorted(
        link.run
        for link in links
        if link.run and not link.job and not link.run_dirs and not link.params and link.run not in folders
    )


def long_done(run_dirs: Iterable[RunDir], live: Collection[str], now: float, days: int) -> list[RunDir]:
    """Offline W&B folders that are marked as synced, have their exit record and are older than ``days``."""
    return [
        folder
        for folder in run_dirs
        if folder.offline
        and folder.synced
        and folder.exit_code is not None
        and folder.run not in live
        and folder.written is not None
        and now - folder.written > days * DAY_S
    ]
