"""The files of each run that the join has named: checkpoints and its own console."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from tools.compact import compact
from tools.data import Checkpoint, Job, SourceState
from tools.diagnosis import join
from tools.diagnosis.reading import Reading, read
from tools.layout import Layout
from tools.sources import checkpoint_sizes, checkpoints, index, kept, logs
from tools.sources.owners import Owners
from tools.text import counted
from tools.wandb_data import RunDir

Newest = tuple[Checkpoint | None, tuple[Checkpoint, ...]]
"""The newest checkpoint that loads, and newer ones that don't."""


@compact
class RunCheckpoints:
    """The checkpoints that belong to one run."""

    paths: tuple[str, ...]
    best: Checkpoint | None
    """The newest that loads."""
    torn: tuple[Checkpoint, ...]
    """Newer ones that don't."""
    size: int | None
    """Bytes of the newest one's largest file; None where there is nothing to compare it with."""
    usual: tuple[int, ...]
    """Bytes of the same file in the run's other checkpoints."""


_Examined = tuple[tuple[str, ...], Checkpoint | None, tuple[Checkpoint, ...], int | None, tuple[int, ...]]
"""The same as plain data."""


def output_runs(tree: index.Index, layout: Layout) -> list[str]:
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


def job_ids(job: Job) -> list[str]:
    """A job's own ids; the array's number, which its last-started task has as raw id, is no task's own."""
    return [job.id] if job.raw_id in (job.id, job.array_id) else [job.id, job.raw_id]


def jobs_of_runs(links: Sequence[join.Link]) -> dict[str, list[str]]:
    """Run -> the ids of the jobs that trained it and no other: what is named after such a job is the run's own."""
    run_of: dict[str, str] = {}
    shared: set[str] = set()
    tied = [(link.run, link.job) for link in links if link.run and link.job]
    for run, job in tied:
        if run_of.setdefault(job.id, run) != run:
            shared.add(job.id)
    jobs: dict[str, list[str]] = {link.run: [] for link in links if link.run}
    for run, job in tied:
        if job.id not in shared:
            jobs[run] += job_ids(job)
    return jobs


def newest_checkpoints(
    links: Sequence[join.Link], tree: index.Index, layout: Layout, now: Callable[[], float], memory: kept.Kept
) -> tuple[dict[str, RunCheckpoints], SourceState]:
    """Run -> its checkpoints, the newest that loads and the newer ones that don't."""
    jobs = jobs_of_runs(links)
    dirs: dict[str, Sequence[RunDir]] = {link.run: link.run_dirs for link in links if link.run}
    runs = list(jobs)
    owners = Owners(tree, runs, (entry for group in dirs.values() for entry in group))
    beside: dict[str, list[str]] = {}
    for tracker in tree.trackers:
        beside.setdefault(os.path.dirname(tracker), []).append(tracker)

    known: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}

    def own(run: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Its checkpoints, and what lies beside them and names one."""
        if run not in known:
            paths = owners.of_run(run, dirs[run], layout.outputs, jobs[run])
            folders = dict.fromkeys(map(os.path.dirname, paths)) if beside else ()
            known[run] = tuple(paths), tuple(tracker for folder in folders for tracker in beside.get(folder, ()))
        return known[run]

    def one(run: str) -> _Examined:
        paths, trackers = own(run)
        best, largest, torn = checkpoints.newest_measured(paths, trackers)
        return paths, best, torn, *(checkpoint_sizes.compared(best.path, largest, paths) if best else (None, ()))

    def watched(run: str, found: _Examined) -> list[str]:
        paths, trackers = own(run)
        return [*_looked_at(found[1], found[2]), *filter(checkpoints.by_time, paths), *trackers]

    results, stalled = memory.begin("checkpoints", runs, one, watched, lambda run: own(run)[0] + own(run)[1])()
    found = {run: RunCheckpoints(*told) for run, told in zip(runs, results, strict=True) if told}
    failed = next((line for line in tree.unreadable), f"{stalled[0]}: does not answer" if stalled else None)
    error = tree.stopped or (f"could not be read: {failed}" if failed else None)
    have = sum(1 for own in found.values() if own.best)
    detail = f"{counted(len(tree.checkpoints), 'checkpoint')}, {counted(have, 'run')} with one"
    return found, SourceState("checkpoints", error is None, now(), error=error, detail=detail)


MAX_UNCLAIMED = 500


def unclaimed(tree: index.Index, owned: Mapping[str, RunCheckpoints]) -> tuple[tuple[str, float], ...]:
    """Checkpoints that nothing ties to a run (``checkpoints/model.pt``), with their times; at most so many."""
    claimed = {path for own in owned.values() for path in own.paths}
    found: list[tuple[str, float]] = []
    for path in tree.checkpoints:
        if path not in claimed and len(found) < MAX_UNCLAIMED:
            try:
                found.append((path, os.stat(path).st_mtime))
            except OSError:
                continue
    return tuple(found)


def _looked_at(best: Checkpoint | None, torn: Sequence[Checkpoint]) -> list[str]:
    paths = [best.path, *best.looked_at] if best else []
    for one in torn:
        paths += (one.path, *one.looked_at)
    return paths


def run_logs(links: Sequence[join.Link], tree: index.Index) -> dict[str, Reading]:
    found: dict[str, Reading] = {}
    for link in links:
        if link.run and not (link.part and link.part.reading):
            path = next((folder.output_log for folder in reversed(link.run_dirs) if folder.output_log), None)
            if (
                path
                and index.inside(path, tree.roots)
                and (text := logs.read(path))
                and (reading := read([text], "RUNNING"))
            ):
                found[link.run] = reading
    return found
