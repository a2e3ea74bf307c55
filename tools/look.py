"""One look at everything: Slurm, logs, W&B's files, checkpoints and configs, read in parallel and once.

What could not be read is a source with an error, never an exception.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.data import Checkpoint, Job, LogText, RunDir, SourceState, SweepConfig, SweepParams, WandbSettings
from tools.diagnosis import join, markers
from tools.layout import Layout
from tools.sources import checkpoints, command, configs, index, logs, slurm, wandb_files
from tools.text import Redactor

MAX_RUN_DIRS = 2000
MAX_SWEEP_PARAMS = 2000


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look, and as whom."""

    workspace: Path
    layout: Layout
    user: str
    redactor: Redactor
    slurm_bin: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    demo: bool = False


@dataclass(frozen=True, slots=True)
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
    hydra: Mapping[str, Mapping[str, Any]]
    """Run -> its resolved config."""
    sweep_yaml: Mapping[str, Mapping[str, Any]]
    sweep_configs: tuple[SweepConfig, ...]
    launchers: configs.Launchers
    run_logs: Mapping[str, LogText]
    """Run -> its own console as W&B saved it, where no job log is known."""
    log_files: Mapping[str, tuple[logs.LogFile, ...]]
    """Job id -> its log files."""
    run_dirs: tuple[RunDir, ...]


def look(place: Place, now: Callable[[], float] = time.time) -> Seen:
    """Read every source once. Takes at most the time-outs of squeue and sacct (10 s each, in parallel)."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        queue_read = pool.submit(_slurm, "squeue", place, now, slurm.read_queue)
        accounting_read = pool.submit(_slurm, "sacct", place, now, slurm.read_accounting)
        settings_read = pool.submit(wandb_files.read_settings, place.workspace, place.environ)
        tree = index.walk(place.workspace, place.layout.roots)
        walked = now()
        raw_configs, sweep_configs = configs.read_sweep_configs(tree)
        run_dirs = list(pool.map(wandb_files.read_run_dir, map(Path, _newest(tree.run_dirs, MAX_RUN_DIRS))))
        params = [
            entry
            for entry in pool.map(
                wandb_files.read_sweep_params, map(Path, _newest(tree.sweep_params, MAX_SWEEP_PARAMS))
            )
            if entry
        ]
        (queue, queue_state), (accounting, accounting_state) = queue_read.result(), accounting_read.result()
        histories = join.histories(queue, accounting)
        mine, others, found = _in_scope(histories, tree, place)
        texts = dict(pool.map(lambda item: (item[0], _texts(item[1])), found.items()))
        logs_at = now()
        parts = {job_id: markers.parts(group) for job_id, group in texts.items() if group}
        output_runs = _output_runs(tree, place.layout)
        links = join.join(mine, parts, run_dirs, params, output_runs)
        newest, checkpoint_state = _checkpoints(links, tree, place, now, pool)
        hydra = _hydra(links, newest, tree, place.layout)
        run_logs = _run_logs(links)
    sources = (
        queue_state,
        accounting_state,
        _log_state(tree, mine, found, logs_at),
        checkpoint_state,
        SourceState("configs", True, walked, detail=_count(len(sweep_configs), "sweep config")),
        _wandb_files_state(tree, run_dirs, params, walked),
        SourceState(
            "wandb_api", False, now(), error="the W&B service is not asked: states come from files on disk"
        ),
    )
    return Seen(
        at=now(),
        sources=sources,
        index=tree,
        settings=settings_read.result(),
        links=links,
        other_jobs=others if queue is not None else None,
        newest=newest,
        hydra=hydra,
        sweep_yaml=raw_configs,
        sweep_configs=sweep_configs,
        launchers=configs.read_launchers(place.workspace),
        run_logs=run_logs,
        log_files=found,
        run_dirs=tuple(run_dirs),
    )


def _slurm(
    name: str, place: Place, now: Callable[[], float], read: Callable[[Path, str], slurm.Listing]
) -> tuple[tuple[Job, ...] | None, SourceState]:
    try:
        program = command.find_program(name, folder=place.slurm_bin, workspace=place.workspace)
        listing = read(program, place.user)
    except (command.CommandError, slurm.SlurmError) as error:
        return None, SourceState(name, False, now(), error=str(error))
    bad = f"{_count(listing.unreadable, 'record')} could not be read" if listing.unreadable else None
    return listing.jobs, SourceState(name, True, now(), detail=bad)


def _in_scope(
    histories: Sequence[join.History], tree: index.Index, place: Place
) -> tuple[list[join.History], int, dict[str, tuple[logs.LogFile, ...]]]:
    """The jobs whose working folder or log lies in the workspace, and how many of the user's don't."""
    folders: dict[str, bool] = {}

    def belongs(path: str | None) -> bool:
        if not path:
            return False
        if path not in folders:
            folders[path] = index.inside(path, tree.roots)
        return folders[path]

    mine, others = [], 0
    for entry in histories:
        job = entry.job
        logs_here = any(belongs(os.path.dirname(path)) for path in (job.stdout, job.stderr) if path)
        if belongs(job.workdir) or logs_here:
            mine.append(entry)
        elif job.active or job.waiting:
            others += 1
    return mine, others, logs.find([entry.job for entry in mine], tree, place.layout.logs)


def _texts(files: Iterable[logs.LogFile]) -> tuple[LogText, ...]:
    # a file that all tasks of an array write to tells nothing about one of them
    return tuple(text for file in files if not file.shared and (text := logs.read(file.path, file.stream)))


def _output_runs(tree: index.Index, layout: Layout) -> list[str]:
    """Runs that have checkpoints right below an output folder named after them (``outputs/RUN/checkpoint-N``)."""
    runs = set()
    for pattern in layout.outputs:
        before, _, after = pattern.partition("{run}")
        if after.strip("/") or "{" in before:
            continue
        base = before if before.startswith("/") else f"{tree.workspace}/{before}"
        for path in tree.checkpoints:
            name, _, rest = path.removeprefix(base).partition("/")
            if path.startswith(base) and rest and "/" not in rest and not name[:4].isdigit():
                runs.add(name)
    return sorted(runs)


def _checkpoints(
    links: Sequence[join.Link],
    tree: index.Index,
    place: Place,
    now: Callable[[], float],
    pool: ThreadPoolExecutor,
) -> tuple[dict[str, tuple[Checkpoint | None, tuple[Checkpoint, ...]]], SourceState]:
    jobs: dict[str, list[str]] = {}
    dirs: dict[str, Sequence[RunDir]] = {}
    for link in links:
        if link.run:
            jobs.setdefault(link.run, []).extend([link.job.id, link.job.raw_id] if link.job else [])
            dirs[link.run] = link.run_dirs

    def one(run: str) -> tuple[str, tuple[Checkpoint | None, tuple[Checkpoint, ...]]]:
        paths = checkpoints.of_run(run, tree, dirs[run], place.layout.outputs, jobs[run])
        return run, checkpoints.newest(paths)

    found = dict(pool.map(one, jobs))
    failed = next((line for line in tree.unreadable), None)
    error = tree.stopped or (f"could not be read: {failed}" if failed else None)
    have = sum(1 for best, _ in found.values() if best)
    detail = f"{_count(len(tree.checkpoints), 'checkpoint')}, {_count(have, 'run')} with one"
    return found, SourceState("checkpoints", error is None, now(), error=error, detail=detail)


def _hydra(
    links: Sequence[join.Link],
    newest: Mapping[str, tuple[Checkpoint | None, tuple[Checkpoint, ...]]],
    tree: index.Index,
    layout: Layout,
) -> dict[str, Mapping[str, Any]]:
    """Run -> resolved config: in its output folder, or beside or above its newest checkpoint."""
    candidates: dict[str, list[str]] = {}
    for run in {link.run for link in links if link.run}:
        folders = [pattern.replace("{run}", run) for pattern in layout.outputs if "{job}" not in pattern]
        places = [folder if folder.startswith("/") else f"{tree.workspace}/{folder}" for folder in folders]
        best, _ = newest.get(run, (None, ()))
        if best:
            above = Path(best.path).parent
            places += [str(above), str(above.parent)]
        candidates[run] = places
    configs_found = configs.read_hydra_configs((p for group in candidates.values() for p in group), tree)
    return {
        run: configs_found[place]
        for run, group in candidates.items()
        for place in reversed(group)
        if place in configs_found
    }


def _run_logs(links: Sequence[join.Link]) -> dict[str, LogText]:
    found: dict[str, LogText] = {}
    for link in links:
        if link.run and not (link.part and link.part.logs):
            path = next((folder.output_log for folder in reversed(link.run_dirs) if folder.output_log), None)
            if path and (text := logs.read(path)):
                found[link.run] = text
    return found


def _newest(paths: Sequence[str], limit: int) -> list[str]:
    """Run folders carry their time in their name; the last ``limit`` by name."""
    return sorted(paths, key=lambda path: os.path.basename(path).removeprefix("offline-"))[-limit:]


def _log_state(
    tree: index.Index, mine: Sequence[join.History], found: Mapping[str, Sequence[logs.LogFile]], at: float
) -> SourceState:
    started = [entry.job.id for entry in mine if entry.job.start is not None]
    without = [job for job in started if job not in found]
    detail = f"logs of {len(started) - len(without)} of {_count(len(started), 'job')}"
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
    cut = len(tree.run_dirs) - len(run_dirs)
    detail = _count(len(run_dirs), "run folder") + (f", {cut} older ones left out" if cut else "")
    return SourceState("wandb_files", True, at, detail=detail)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
