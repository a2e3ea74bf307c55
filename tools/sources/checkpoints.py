"""Checkpoints: which belong to a run, which is newest, and whether it would load.

Nothing is ever unpickled: safetensors headers, the zip directory of torch files and ``trainer_state.json``
tell whether a file is whole.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from tools.data import Checkpoint, RunDir
from tools.sources.index import Index, inside
from tools.sources.weights import examine

_STEP = re.compile(r"(?:^|[^a-z])(?:global_step|step|steps|iter|checkpoint|ckpt|model|batch|ba)[-_=]?0{0,12}(\d{1,12})")
_EPOCH = re.compile(r"(?:^|[^a-z])(?:epoch|ep)[-_=]?0{0,12}(\d{1,12})")
_BARE = re.compile(r"0{0,12}(\d{1,12})(?:\.[a-z.]{1,12})?")
_WORD = re.compile(r"[^\W_]+")


class Owners:
    """Which of the workspace's checkpoints belong to which run, looked up by the words of their paths."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._paths = index.checkpoints  # sorted
        self._roots = sorted({index.workspace, *index.roots}, key=len, reverse=True)
        self._by_word: dict[str, list[str]] = defaultdict(list)
        self._expanded: dict[str, str | None] = {}
        for path in self._paths:
            for word in set(_WORD.findall(path, self._start(path))):
                self._by_word[word].append(path)

    def of_run(
        self,
        run: str,
        run_dirs: Iterable[RunDir] = (),
        patterns: Sequence[str] = (),
        jobs: Sequence[str] = (),
    ) -> list[str]:
        """Paths of the checkpoints that belong to one run.

        A path belongs to the run if a part of it below the workspace holds the run id (or, failing that, one of
        the run's Slurm job ids) as a whole word. A folder that nothing ties to the run is no evidence for it.
        ``patterns`` come from the project file (``{run}``, ``{job}``).
        """
        own = self._named(run)
        for folder in (folder for pattern in patterns for folder in self._folders(pattern, run, jobs)):
            own += self._below(folder)
        own += [path for folder in run_dirs for path in folder.checkpoints]
        if not own:
            own = [path for job in jobs for path in self._named(job)]
        return list(dict.fromkeys(own))

    def _named(self, word: str) -> list[str]:
        first = _WORD.search(word)
        return [path for path in self._by_word.get(first[0], ()) if self._names(path, word)] if first else []

    def _below(self, folder: str) -> list[str]:
        prefix = f"{folder}/"
        found = []
        for path in self._paths[bisect_left(self._paths, prefix) :]:
            if not path.startswith(prefix):
                break
            found.append(path)
        return found

    def _names(self, path: str, word: str) -> bool:
        """Whether a part of the path holds the word whole. A number must be a folder's name, or stand alone in it:
        ``checkpoint-100`` is step 100 and no job, and ``48213_3`` is not job 48213.
        """
        start = self._start(path)
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

    def _start(self, path: str) -> int:
        """Where the part below the workspace or root begins."""
        return next((len(root) for root in self._roots if path.startswith(root)), 0)

    def _folders(self, pattern: str, run: str, jobs: Sequence[str]) -> Iterator[str]:
        """The folders that a pattern stands for, only inside the workspace and its roots."""
        for job in jobs if "{job}" in pattern else ("",):
            name = pattern.replace("{run}", run).replace("{job}", job).rstrip("/")
            path = name if name.startswith("/") else f"{self._index.workspace}/{name}"
            parent = os.path.dirname(path)
            if parent not in self._expanded:
                self._expanded[parent] = parent if inside(parent, self._index.roots) else None
            if self._expanded[parent] and ".." not in path.split("/"):
                yield path


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
    numbered = {path: numbers(path) for path in paths}
    keys = {path: _rank(path, *numbers) for path, numbers in numbered.items()}
    tied = len(set(keys.values())) < len(keys)  # the time decides only where numbers don't
    order = sorted(keys, key=lambda path: (keys[path], _mtime(path) if tied else 0.0), reverse=True)
    for path in order:
        yield examine(path, *numbered[path])


def numbers(path: str) -> tuple[int | None, float | None]:
    """Step and epoch as a checkpoint's name tells them."""
    name = os.path.basename(path).lower()
    step = _STEP.search(name)
    epoch = _EPOCH.search(name)
    number = step or (None if epoch else _BARE.fullmatch(name))
    return (int(number[1]) if number else None), (float(epoch[1]) if epoch else None)


def _rank(path: str, step: int | None, epoch: float | None) -> tuple[int, float, float]:
    """Numbered before un-numbered, ``best`` last of all; then step, then epoch."""
    kind = 0 if "best" in os.path.basename(path) else 2 if step is not None or epoch is not None else 1
    return kind, float(step if step is not None else -1), epoch if epoch is not None else -1.0


def _mtime(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
