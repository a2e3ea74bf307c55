"""Which checkpoint belongs to which run: by what its path, the run's own config, W&B's and Hydra's folders tell."""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby

from tools.sources.index import Index, inside, written
from tools.sources.run_folders import folders_in, hydra_folder, hydra_job
from tools.wandb_data import RunDir

_WORD = re.compile(r"[^\W_]+")

_Group = tuple[str, int, Sequence[str]]
"""A folder with the slash behind it, where its part below the workspace or root begins, and the checkpoints in it."""


class Owners:
    """The workspace's checkpoints, looked up for one run after the other.

    ``runs`` are all that are known and ``run_dirs`` theirs: what several of them have in common ties nothing to one.
    """

    def __init__(self, index: Index, runs: Iterable[str], run_dirs: Iterable[RunDir]) -> None:
        self._index = index
        self._paths = index.checkpoints  # sorted
        self._roots = sorted({index.workspace, *index.roots}, key=len, reverse=True)
        self._expanded: dict[str, str | None] = {}
        self._runs, self._run_dirs = tuple(runs), tuple(run_dirs)
        self._groups = tuple(self._in_folders())
        self._first_words = {first[0] for run in self._runs if (first := _WORD.search(run))}
        self._by_word: dict[str, list[_Group]] = defaultdict(list)
        self._index_words()

    def _in_folders(self) -> Iterator[_Group]:
        """Neighbours in one folder; without the folder and alone where a root's path ends within the name."""
        for folder, group in groupby(self._paths, lambda path: path[: path.rfind("/") + 1]):
            paths = tuple(group)
            if not any(root.startswith(folder) for root in self._roots):
                yield folder, self._start(folder), paths
                continue
            for path in paths:
                start = self._start(path)
                yield folder if start <= len(folder) else "", start, (path,)

    def _index_words(self) -> None:
        """By each word of a folder, and by the words of a name that a run's id begins with."""
        of_name: dict[str, set[str]] = {}
        for group in self._groups:
            folder, start, paths = group
            words = set(_WORD.findall(folder, start))
            for word in words:
                self._by_word[word].append(group)
            for path in paths:
                name = path[len(folder) or start :]
                told = of_name.get(name)
                if told is None:
                    told = of_name[name] = self._first_words.intersection(_WORD.findall(name))
                for word in told:
                    if word not in words:
                        self._by_word[word].append((folder, start, (path,)))

    def of_run(
        self,
        run: str,
        run_dirs: Sequence[RunDir],
        patterns: Sequence[str],
        jobs: Sequence[str],
    ) -> list[str]:
        """Paths of the checkpoints that belong to one run.

        A path belongs to the run if a part of it below the workspace holds the run id as a whole word; failing that,
        if it lies where the run's config says that it saves, in the Hydra folder of the run, or in one with its display
        name; failing that, in a folder named after one of ``jobs``, Slurm jobs that trained no other run, or in the
        Hydra folder of one. ``patterns`` come from the project file (``{run}``, ``{job}``). A folder that nothing ties
        to the run is no evidence for it, nor is one that two runs have in common.
        """
        own = self._named(run)
        for folder in (folder for pattern in patterns for folder in self._folders(pattern, run, jobs)):
            own += self._below(folder)
        own += [path for entry in run_dirs for path in entry.checkpoints]
        if not own:
            own = next(filter(None, self._weaker_ties(run, run_dirs, jobs)), [])
        return list(dict.fromkeys(own))

    def _weaker_ties(self, run: str, run_dirs: Sequence[RunDir], jobs: Sequence[str]) -> Iterator[list[str]]:
        """What else ties paths to the run, the best first; a path with another run's id in it is that run's."""

        def free(paths: Iterable[str]) -> list[str]:
            return [path for path in paths if path not in self._keyed]

        yield free(path for folder in self._own_folders(run, run_dirs) for path in self._saved_in(folder))
        yield free(path for entry in run_dirs if entry.name for path in self._under_name(entry, run_dirs))
        yield free(path for job in jobs for path in self._named(job))
        yield free(path for job in jobs for folder in self._hydra_jobs.get(job, ()) for path in self._below(folder))

    @cached_property
    def _keyed(self) -> frozenset[str]:
        return frozenset(path for run in self._runs for path in self._named(run))

    @cached_property
    def _hydra(self) -> frozenset[str]:
        return frozenset(map(hydra_folder, self._index.hydra_configs))

    @cached_property
    def _saving_to(self) -> Mapping[str, set[str]]:
        """Folder -> the runs that say that they save there."""
        return _grouped((folder, entry.run) for entry in self._run_dirs for folder in self._said(entry))

    @cached_property
    def _named_so(self) -> Mapping[str, set[str]]:
        """Display name -> runs."""
        return _grouped((entry.name, entry.run) for entry in self._run_dirs if entry.name)

    def _own_folders(self, run: str, run_dirs: Sequence[RunDir]) -> list[str]:
        said = dict.fromkeys(folder for entry in run_dirs for folder in self._said(entry))
        return [folder for folder in said if self._saving_to.get(folder) == {run}]

    def _said(self, entry: RunDir) -> Iterator[str]:
        """Where the run's config says that it saves, and the Hydra folder that holds its W&B folder."""
        holder, kind = os.path.split(os.path.dirname(entry.path))
        if kind == "wandb" and holder in self._hydra and holder not in self._roots:
            yield holder
        for value in folders_in(entry.config):
            path = os.path.normpath(os.path.join(self._index.workspace, value))
            if path not in self._roots and self._start(path):
                yield path

    def _saved_in(self, folder: str) -> list[str]:
        """What lies below, without what lies in a folder deeper down that a config names as well."""
        return [path for path in self._below(folder) if self._nearest(path) == folder]

    def _nearest(self, path: str) -> str:
        while path not in self._saving_to and len(path) > 1:
            path = os.path.dirname(path)
        return path

    def _under_name(self, entry: RunDir, run_dirs: Sequence[RunDir]) -> list[str]:
        """In a folder called as the run is shown, and written since it began: a downloaded model may have that name."""
        name = entry.name or ""
        began = min((folder.started for folder in run_dirs if folder.started is not None), default=None)
        first = _WORD.search(name)
        if self._named_so.get(name) != {entry.run} or began is None or not first:
            return []
        groups = self._by_word.get(first[0], ())
        paths = [path for _, start, group in groups for path in group if f"/{name}/" in path[start:]]
        return [path for path in paths if written(path) >= began]

    @cached_property
    def _hydra_jobs(self) -> Mapping[str, list[str]]:
        """Slurm job -> the Hydra folders with checkpoints that say they are its own."""
        found: dict[str, list[str]] = defaultdict(list)
        for path in self._index.hydra_configs:
            if not path.endswith("/.hydra/config.yaml"):
                continue  # Hydra itself did not write it, and so not the file beside it that names the job either
            folder = hydra_folder(path)
            if self._below(folder) and (job := hydra_job(folder)):
                found[job].append(folder)
        return found

    def _named(self, word: str) -> list[str]:
        """Paths of which a part holds the word whole. A number must be a folder's name, or stand alone in it:
        ``checkpoint-100`` is step 100 and no job, and ``48213_3`` is not job 48213.
        """
        first = _WORD.search(word)
        if first is None:
            return []
        numeric = word.replace("_", "").isdigit()
        indexed = numeric or first[0] in self._first_words
        found: list[str] = []
        for folder, start, paths in self._by_word.get(first[0], ()) if indexed else self._groups:
            if folder and _holds(folder, start, word, numeric):
                found += paths
            elif not numeric:
                where = start if "/" in word or not folder else len(folder)
                found += [path for path in paths if _holds(path, where, word, numeric)]
        return found

    def _below(self, folder: str) -> Sequence[str]:
        paths, prefix = self._paths, f"{folder}/"
        start = end = bisect_left(paths, prefix)
        while end < len(paths) and paths[end].startswith(prefix):
            end += 1
        return paths[start:end]

    def _start(self, path: str) -> int:
        """Where the part below the workspace or root begins; 0 for a path outside."""
        return next((len(root) for root in self._roots if path.startswith(root)), 0)

    def _folders(self, pattern: str, run: str, jobs: Sequence[str]) -> Iterator[str]:
        """The folders that a pattern stands for, only inside the workspace and its roots."""
        for job in jobs if "{job}" in pattern else ("",):
            name = pattern.replace("{run}", run).replace("{job}", job).rstrip("/")
            path = name if name.startswith("/") else f"{self._index.workspace}/{name}"
            parent = os.path.dirname(path)
            if parent not in self._expanded:
                self._expanded[parent] = parent if inside(parent, self._index.roots) else None
            if self._expanded[parent] and (".." not in path or ".." not in path.split("/")):
                yield path


def _holds(text: str, start: int, word: str, numeric: bool) -> bool:
    """Whether the word stands whole in a part of a path, from ``start`` on."""
    if len(word) < 4:
        return word in text[start:].split("/")
    where = text.find(word, start)
    while where >= 0:
        before, after = text[where - 1 : where], text[where + len(word) : where + len(word) + 1]
        if not (before.isalnum() or after.isalnum() or (numeric and "_" in (before, after))):
            return True
        where = text.find(word, where + 1)
    return False


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for key, value in pairs:
        found[key].add(value)
    return dict(found)
