"""Which checkpoint belongs to which run: by what its path, the run's own config, W&B's and Hydra's folders tell."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from tools.sources.index import Index, inside, written
from tools.sources.path_words import PathWords, start_below
from tools.sources.run_folders import folders_in, hydra_folder, hydra_job
from tools.wandb_data import RunDir


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
        self._words = PathWords(self._paths, self._roots, self._runs)

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
        own = self._words.naming(run)
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
        yield free(path for job in jobs for path in self._words.naming(job))
        yield free(path for job in jobs for folder in self._hydra_jobs.get(job, ()) for path in self._below(folder))

    @cached_property
    def _keyed(self) -> frozenset[str]:
        return frozenset(path for run in self._runs for path in self._words.naming(run))

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
            if path not in self._roots and start_below(path, self._roots):
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
        if self._named_so.get(name) != {entry.run} or began is None:
            return []
        return [path for path in self._words.under(name) if written(path) >= began]

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

    def _below(self, folder: str) -> Sequence[str]:
        paths, prefix = self._paths, f"{folder}/"
        start = end = bisect_left(paths, prefix)
        while end < len(paths) and paths[end].startswith(prefix):
            end += 1
        return paths[start:end]

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


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for key, value in pairs:
        found[key].add(value)
    return dict(found)
