"""The join: job, log, run, sweep and W&B folder, task by task.

Evidence in this order: W&B's own lines in the job's log, the agent's ``sweep-SWEEP/config-RUN.yaml``, the SLURM
values in a run's metadata, the job's own command line, and names last.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace

from tools.compact import compact
from tools.data import Evidence, Job
from tools.diagnosis.histories import History
from tools.diagnosis.markers import RunPart
from tools.diagnosis.ties import run_of, sweep_of
from tools.wandb_data import RunDir, ServerRun, SweepParams


@compact
class Link:
    """One pair of job and run (either may be missing)."""

    job: Job | None
    run: str | None
    sweep: str | None = None
    part: RunPart | None = None
    run_dirs: tuple[RunDir, ...] = ()
    params: SweepParams | None = None
    current: bool = False
    """The job is active and this is the run it is training now."""
    superseded_by: str | None = None
    """The later job that went on with this run; never of a live job."""
    also_live: tuple[str, ...] = ()
    """Other live jobs that train the same run."""
    queued_as: str | None = None
    """The waiting job that carries this run."""
    earlier: tuple[Job, ...] = ()
    """Earlier starts of the same job."""
    next_run: str | None = None
    """The run that the same job began after this one."""
    before: tuple[Job, ...] = ()
    """Earlier jobs that trained this run and no other."""
    evidence: tuple[Evidence, ...] = field(default=())


def join(
    jobs: Iterable[History],
    parts: Mapping[str, Sequence[RunPart]],
    run_dirs: Sequence[RunDir],
    sweep_params: Sequence[SweepParams],
    output_runs: Iterable[str] = (),
    script_sweeps: Mapping[str, str] | None = None,
    served: Mapping[str, ServerRun] | None = None,
) -> tuple[Link, ...]:
    """One link per pair of job and run, then the runs on disk that no job is known for.

    ``script_sweeps``: job id -> the sweep that its batch script starts an agent of. ``served``: run -> what the W&B
    service tells of it.
    """
    dirs: dict[str, list[RunDir]] = defaultdict(list)
    by_job: dict[str, list[RunDir | ServerRun]] = defaultdict(list)
    for folder in sorted(run_dirs, key=lambda entry: entry.started or 0.0):
        dirs[folder.run].append(folder)
        if folder.job:
            by_job[folder.job].append(folder)
    served = served or {}
    for told in sorted(served.values(), key=lambda entry: entry.created or 0.0):
        if told.job:
            by_job[told.job].append(told)
    params = {entry.run: entry for entry in sorted(sweep_params, key=lambda entry: entry.mtime)}
    # an output folder may be named after a run's display name: that is no other run
    shown = {folder.name for folder in run_dirs if folder.name}
    known_runs = {*dirs, *params, *served, *(name for name in output_runs if name not in shown)}
    sweeps = {entry.sweep for entry in sweep_params} | {folder.sweep for folder in run_dirs if folder.sweep}
    sweeps |= {entry.sweep for entry in served.values() if entry.sweep}
    told_parts = [part for group in parts.values() for part in group]
    sweeps |= {part.sweep for part in told_parts if part.sweep}
    # a run that only a log names can be carried on by a command, too
    spoken = known_runs | {part.run for part in told_parts if part.run}

    links: list[Link] = []
    for entry in jobs:
        job = entry.job
        shares = parts.get(job.id) or (RunPart(None),)
        if len(shares) == 1 and shares[0].run is None:
            run, why = run_of(job, shares[0], by_job, known_runs, spoken)
            shares = (replace(shares[0], run=run, found=why),) if run is not None or shares[0].found else shares
        active, last = job.active, len(shares) - 1
        for position, part in enumerate(shares):
            own = tuple(dirs.get(part.run, ())) if part.run else ()
            sweep = part.sweep or sweep_of(part, own, params, served, job, sweeps)
            links.append(
                Link(
                    job=job,
                    run=part.run,
                    sweep=sweep or (script_sweeps or {}).get(job.id),
                    part=part,
                    run_dirs=own,
                    params=params.get(part.run) if part.run else None,
                    current=active and (position == last or part.beside) and not part.ended,
                    earlier=entry.earlier,
                    next_run=shares[position + 1].run if position < last and not part.beside else None,
                    evidence=(part.found,) if part.found else (),
                )
            )
    links = _superseded(_sweeps_from_siblings(links))
    with_job = {link.run for link in links if link.run}
    for run in sorted(known_runs - with_job):
        own = tuple(dirs.get(run, ()))
        part = RunPart(run)
        seen = _seen(run, own, params, served)
        sweep = sweep_of(part, own, params, served, None, sweeps)
        links.append(Link(None, run, sweep, None, own, params.get(run), evidence=(seen,)))
    return tuple(links)


def _seen(
    run: str, dirs: Sequence[RunDir], params: Mapping[str, SweepParams], served: Mapping[str, ServerRun]
) -> Evidence:
    """Where a run without a job was seen."""
    if dirs or run in params:
        return Evidence("wandb_files", dirs[-1].path if dirs else params[run].path, "a run on disk, no job known")
    if run in served:
        return Evidence("wandb_api", run, "a run on W&B, no job known")
    return Evidence("checkpoints", run, "a run on disk, no job known")


def _sweeps_from_siblings(links: list[Link]) -> list[Link]:
    """A task that has said nothing yet belongs to the sweep that all speaking tasks of its array belong to."""
    silent = {link.job.array_id for link in links if link.sweep is None and link.job and link.job.task is not None}
    if not silent:
        return links
    of_array: dict[str, set[str]] = defaultdict(set)
    for link in links:
        if link.sweep and link.job and link.job.task is not None and link.job.array_id in silent:
            of_array[link.job.array_id].add(link.sweep)
    result = []
    for link in links:
        if link.sweep is None and link.job and link.job.task is not None:
            told = of_array.get(link.job.array_id, set())
            link = replace(link, sweep=next(iter(told))) if len(told) == 1 else link
        result.append(link)
    return result


def _superseded(links: list[Link]) -> list[Link]:
    """Which jobs share a run: a dead job's run that a later job went on with keeps one standing row, the latest.

    A live job is never superseded; a job that trains a run which another live job trains is told so.
    """
    times = Counter(link.run for link in links if link.run is not None and link.job is not None)
    of_run: dict[str, list[Link]] = {run: [] for run, count in times.items() if count > 1}
    if not of_run:
        return links
    for link in links:
        if link.run in of_run and link.job is not None:
            of_run[link.run].append(link)
    return [_beside(link, of_run[link.run]) if link.run in of_run and link.job else link for link in links]


def _beside(link: Link, same_run: Sequence[Link]) -> Link:
    job = link.job
    others = [(other.current, other.job) for other in same_run if other.job and job and other.job.id != job.id]
    if job is None or not others:
        return link
    live = tuple(other.id for current, other in others if current)
    begun = job.start if job.start is not None else math.inf
    alone = (other for other in same_run if other.part is None or other.part.alone)
    before = (other.job for other in alone if other.job and other.job.id != job.id)
    link = replace(link, before=tuple(one for one in before if one.start is not None and one.start < begun))
    if link.current or job.waiting:
        return replace(link, also_live=live)
    later = [other for _, other in others if other.start is not None and other.start > (job.start or 0.0)]
    if later and job.start is not None:
        return replace(link, superseded_by=max(later, key=lambda other: other.start or 0.0).id)
    queued = next((other.id for _, other in others if other.waiting), None)
    return replace(link, also_live=live, queued_as=queued)
