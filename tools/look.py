"""One look at everything: Slurm, logs, W&B's files, checkpoints and configs, read in parallel and once.

What could not be read is a source with an error, never an exception.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tools import readers, service, sweep_yaml
from tools.compact import compact
from tools.data import ACTIVE_STATES, Checkpoint, SourceState
from tools.diagnosis import join
from tools.diagnosis.histories import History, histories
from tools.diagnosis.reading import Reading
from tools.outset import Outset
from tools.place import Place
from tools.run_configs import configs_of_runs, targets_in
from tools.run_files import RunCheckpoints, newest_checkpoints, output_runs, run_logs, unclaimed
from tools.sources import configs, freed, index, kept, log_files, log_paths, wandb_settings
from tools.text import counted
from tools.wandb_data import RunDir, SweepParams, WandbSettings

DETAILED_LIVE = 200
"""Of so many live jobs the whole course of the losses is read; of more, the last ones tell the trend."""


@compact
class Seen:
    """What one look read, joined but not yet judged."""

    at: float
    sources: tuple[SourceState, ...]
    index: index.Index
    settings: WandbSettings
    links: tuple[join.Link, ...]
    other_jobs: int | None
    newest: Mapping[str, tuple[Checkpoint | None, tuple[Checkpoint, ...]]]
    """Run -> (newest checkpoint that loads, newer ones that don't)."""
    checkpoints: Mapping[str, RunCheckpoints]
    """Run -> all that belong to it."""
    unclaimed: tuple[tuple[str, float], ...]
    """Checkpoints that nothing ties to a run, with their times."""
    hydra_paths: Mapping[str, str]
    """Run -> the file with its resolved config."""
    hydra: Mapping[str, Mapping[str, Any]]
    """Run -> what its resolved config says of its target, where the log doesn't."""
    sweep_yamls: sweep_yaml.SweepYamls
    launchers: configs.Launchers
    script_sweeps: Mapping[str, str]
    """Job id -> the sweep that its batch script starts an agent of."""
    run_logs: Mapping[str, Reading]
    """Run -> what its own console, as W&B saved it, tells; where no job log is known."""
    courses: Mapping[str, Reading]
    """Job and run (``readers.course_of``) -> its whole course, of runs that are over and worth comparing."""
    log_files: Mapping[str, tuple[log_files.LogFile, ...]]
    """Job id -> its log files."""
    run_dirs: tuple[RunDir, ...]
    served: service.Served | None
    """What the W&B service told; None: it was not asked, or did not answer."""


def look(place: Place, outset: Outset, now: Callable[[], float] = time.time) -> tuple[Seen, Callable[[], object]]:
    """Read every source once, with what was begun at the outset; last comes what waits until all that is kept for the
    next look. Where nothing answers, squeue and sacct take 10 s each, in parallel, and the walk ``index.WITHIN_S``.
    """
    memory = kept.Kept(kept.file_of(place.state, place.workspace)).load()
    try:
        settings = wandb_settings.read_settings(place.workspace, place.environ)
        asking = service.Asking(place, settings, now)
        tree, walked = outset.tree(), now()
        configs_read = readers.sweep_configs(tree, memory)
        params_read = readers.sweep_params(tree, memory)
        dirs_read = readers.run_dirs(tree, memory)
        (queue, queue_state), (accounting, accounting_state) = outset.listings()
        mine, others, found = _in_scope(histories(queue, accounting), tree, place)
        sweep_configs, params, run_dirs = configs_read(), params_read(), dirs_read()
        freed.give_back(len(mine))
        states = {entry.job.id: entry.job.state for entry in mine}
        detailed = sum(state in ACTIVE_STATES for state in states.values()) <= DETAILED_LIVE
        parts = readers.parts(found, states, memory, detailed=detailed)
        logs_at = now()
        named = output_runs(tree, place.layout)
        script_sweeps = log_paths.script_sweeps(entry.job for entry in mine)
        all_parts = [part for own in parts.values() for part in own]
        served, service_state = asking.served(run_dirs, all_parts, params, script_sweeps.values())
        on_service = served.runs if served else {}
        links = join.join(mine, parts, run_dirs, params, named, script_sweeps, on_service)
        own_checkpoints, checkpoint_state = newest_checkpoints(links, tree, place.layout, now, memory)
        newest = {run: (own.best, own.torn) for run, own in own_checkpoints.items()}
        hydra_paths = configs_of_runs(links, newest, tree, place.layout)
        hydra = targets_in(hydra_paths, links, memory)
        own_logs = run_logs(links, tree)
        courses = readers.courses(links, found, memory)
    finally:
        memory.abandon()
    freed.give_back(len(links))
    sources = (
        queue_state,
        accounting_state,
        _log_state(tree, mine, found, logs_at),
        checkpoint_state,
        sweep_yaml.source_state(sweep_configs, tree, walked, settings.told),
        _wandb_files_state(tree, run_dirs, params, walked),
        service_state,
    )
    seen = Seen(
        at=now(),
        sources=sources,
        index=tree,
        settings=settings,
        links=links,
        other_jobs=others if queue is not None else None,
        newest=newest,
        checkpoints=own_checkpoints,
        unclaimed=unclaimed(tree, own_checkpoints),
        hydra_paths=hydra_paths,
        hydra=hydra,
        sweep_yamls=sweep_yaml.SweepYamls({config.path: config for config in sweep_configs}, links),
        launchers=configs.read_launchers(place.workspace),
        script_sweeps=script_sweeps,
        run_logs=own_logs,
        courses=courses,
        log_files=found,
        run_dirs=tuple(run_dirs),
        served=served,
    )
    return seen, memory.save()


def _in_scope(
    known: Sequence[History], tree: index.Index, place: Place
) -> tuple[list[History], int, dict[str, tuple[log_files.LogFile, ...]]]:
    """The jobs whose working folder or log lies in the workspace, and how many of the user's don't."""
    folders: dict[str, bool] = {"": False}

    def belongs(folder: str) -> bool:
        if folder not in folders:
            folders[folder] = index.inside(folder, tree.roots)
        return folders[folder]

    mine, others = [], 0
    for entry in known:
        job = entry.job
        if belongs(job.workdir) or any(belongs(os.path.dirname(path)) for path in (job.stdout, job.stderr) if path):
            mine.append(entry)
        elif job.active or job.waiting:
            others += 1
    return mine, others, log_files.find([entry.job for entry in mine], tree, place.layout.logs)


def _log_state(
    tree: index.Index, mine: Sequence[History], found: Mapping[str, Sequence[log_files.LogFile]], at: float
) -> SourceState:
    started = [entry.job.id for entry in mine if entry.job.start is not None]
    without = [job for job in started if job not in found]
    bad = [(job, file) for job, files in found.items() for file in files if file.problem]
    if bad:
        path, why = bad[0][1].path, bad[0][1].problem
        return SourceState("logs", False, at, error=f"{counted(len(bad), 'file')} not read: {path} {why}")
    detail = f"logs of {len(started) - len(without)} of {counted(len(started), 'job')}"
    if started and len(without) == len(started):
        return SourceState("logs", False, at, error=f"no log file was found for any of {len(started)} jobs")
    if not started and not tree.logs:
        return SourceState("logs", False, at, error="no log files in this workspace")
    return SourceState("logs", True, at, detail=detail)


def _wandb_files_state(
    tree: index.Index, run_dirs: Sequence[RunDir], params: Sequence[SweepParams], at: float
) -> SourceState:
    if not run_dirs and not params:
        return SourceState("wandb_files", False, at, error="no W&B run folders in this workspace")
    silent = len(tree.run_dirs) - len(run_dirs)
    error = f"{counted(silent, 'run folder')} did not answer" if silent else None
    offline = [folder for folder in run_dirs if folder.offline]
    waiting = sum(not folder.synced for folder in offline)
    more = f", {len(offline):,} offline ({waiting:,} of them not synced)" if offline else ""
    return SourceState(
        "wandb_files", not silent, at, error=error, detail=f"{counted(len(run_dirs), 'run folder')}{more}"
    )
