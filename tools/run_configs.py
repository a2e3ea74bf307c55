"""The resolved config of each run that the join has named, and what it says of the run's target."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tools.diagnosis import targets
from tools.diagnosis.join import Link
from tools.layout import Layout
from tools.run_files import Newest, jobs_of_runs
from tools.sources import index, kept
from tools.sources.log_paths import read_submit_line
from tools.sources.run_folders import folders_in, holder, hydra_folder, hydra_job, overrides_in, overrides_of
from tools.sources.yaml_files import load_keys
from tools.text import words_of


def configs_of_runs(
    links: Sequence[Link], newest: Mapping[str, Newest], tree: index.Index, layout: Layout
) -> dict[str, str]:
    """Run -> its resolved config: beside or above its newest checkpoint, in its output folder, else in the one Hydra
    folder that something ties to this run and to no other."""
    by_folder: dict[str, str] = {}
    for path in tree.hydra_configs:
        by_folder.setdefault(hydra_folder(path), path)
    found: dict[str, str] = {}
    patterns = [pattern for pattern in layout.outputs if "{job}" not in pattern]
    of_run: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        if link.run:
            of_run[link.run].append(link)
    free = {folder: path for folder, path in by_folder.items() if path.endswith("/.hydra/config.yaml")}
    for run in of_run:
        best, _ = newest.get(run, (None, ()))
        places = _places(run, best.path if best else None, patterns, tree.workspace)
        if place := next((folder for folder in places if folder in by_folder), None):
            found[run] = by_folder[place]
            free.pop(place, None)
    for folder in tree.roots:
        free.pop(folder, None)  # what lies at the root of all belongs to no single run
    if not free:
        return found
    waiting = {run: own for run, own in of_run.items() if run not in found}
    return {**found, **_tied(waiting, free, jobs_of_runs(links), tree.workspace)}


def _places(run: str, checkpoint: str | None, patterns: Sequence[str], workspace: str) -> Iterator[str]:
    """Where the resolved config of a run may lie, the best place first."""
    if checkpoint is not None:
        above = os.path.dirname(checkpoint)
        yield os.path.dirname(above)
        yield above
    for pattern in reversed(patterns):
        folder = pattern.replace("{run}", run)
        yield folder if folder.startswith("/") else f"{workspace}/{folder}"


def _tied(
    runs: Mapping[str, Sequence[Link]], free: Mapping[str, str], jobs: Mapping[str, Sequence[str]], workspace: str
) -> dict[str, str]:
    """By the first of these that names one folder: where the run's W&B folder lies, or its config or command says that
    it saves; the Slurm job that Hydra noted; the overrides of its command, written while its job ran. A folder that
    two runs are tied to in the same way is neither's."""

    def said(run: str) -> Iterator[str]:
        """The newest that is a Hydra folder: a run that was resumed may have one for each start."""
        places: list[str] = []
        for entry in reversed(runs[run][0].run_dirs):
            places += [holder(entry.path) or "", *(_below(workspace, value) for value in folders_in(entry.config))]
        for link in reversed(runs[run]):
            told = (word.partition("=") for word in _words(link) if word.startswith("hydra.run.dir="))
            places += [_below(link.job.workdir if link.job else workspace, value) for _, _, value in told]
        yield from [folder for folder in places if folder in free][:1]

    by_job: dict[str, list[str]] = defaultdict(list)
    by_overrides: dict[frozenset[str], list[tuple[str, float]]] = defaultdict(list)

    def noted(run: str) -> Iterator[str]:
        if not by_job:
            by_job[""] = []
            for folder in free:
                by_job[hydra_job(folder) or ""].append(folder)
        for job in jobs.get(run, ()):
            yield from by_job.get(job, ())

    def overridden(run: str) -> Iterator[str]:
        if not by_overrides:
            by_overrides[frozenset()] = []
            for folder in free:
                told, written = overrides_in(folder)
                if told and written is not None:
                    by_overrides[told].append((folder, written))
        for link in runs[run]:
            job = link.job
            if job and job.start is not None:
                ours = by_overrides.get(overrides_of(_words(link)), ())
                yield from (folder for folder, at in ours if job.start <= at and (job.end is None or at <= job.end))

    found: dict[str, str] = {}
    ways: tuple[Callable[[str], Iterator[str]], ...] = (said, noted, overridden)
    for way in ways:
        claims: dict[str, set[str]] = defaultdict(set)
        for run in runs:
            if run not in found:
                folders = {folder for folder in way(run) if folder in free}
                for folder in folders if len(folders) == 1 else ():
                    claims[folder].add(run)
        found.update({next(iter(group)): free[folder] for folder, group in claims.items() if len(group) == 1})
    return found


def _words(link: Link) -> list[str]:
    """The words of the command that trained this run: what the agent was told, else the job's own arguments."""
    if link.part and link.part.command:
        return words_of(link.part.command)
    return list(read_submit_line(link.job.command).arguments) if link.job else []


def _below(folder: str, path: str) -> str:
    return os.path.normpath(os.path.join(folder, path))


def targets_in(paths: Mapping[str, str], links: Sequence[Link], memory: kept.Kept) -> dict[str, Mapping[str, Any]]:
    """Run -> the part of its resolved config that may name its target; read only where the log names none."""
    told = {link.run for link in links if link.part and link.part.reading and link.part.reading.progress.has_total}
    runs = [run for run in paths if run not in told]

    def one(path: str) -> Mapping[str, Any]:
        return load_keys(path, targets.KEYS) or {}

    read, _ = memory.begin("config", [paths[run] for run in runs], one, lambda path, _: (path,), many=kept.LIGHT)()
    return {run: content for run, content in zip(runs, read, strict=True) if content}
