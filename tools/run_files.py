"""The files of each run that the join has named: checkpoints, resolved config, its own console."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.data import Checkpoint, Job, LogText, RunDir, SourceState
from tools.diagnosis import join
from tools.layout import Layout
from tools.sources import checkpoints, configs, index, logs


@dataclass(frozen=True, slots=True)
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


def _ids(job: Job | None) -> list[str]:
    """A job's own ids; the array's number, which its last-started task has as raw id, is no task's own."""
    return [] if job is None else list(dict.fromkeys([job.id, *([job.raw_id] if job.raw_id != job.array_id else [])]))


def newest_checkpoints(
    links: Sequence[join.Link],
    tree: index.Index,
    layout: Layout,
    now: Callable[[], float],
    pool: ThreadPoolExecutor,
) -> tuple[dict[str, RunCheckpoints], SourceState]:
    jobs: dict[str, list[str]] = {}
    dirs: dict[str, Sequence[RunDir]] = {}
    for link in links:
        if link.run:
            jobs.setdefault(link.run, []).extend(_ids(link.job))
            dirs[link.run] = link.run_dirs

    def one(run: str) -> tuple[str, RunCheckpoints]:
        paths = checkpoints.of_run(run, tree, dirs[run], layout.outputs, jobs[run])
        best, torn = checkpoints.newest(paths)
        size, usual = checkpoints.compared(best.path, paths) if best else (None, ())
        return run, RunCheckpoints(tuple(paths), best, torn, size, usual)

    found = dict(pool.map(one, jobs))
    failed = next((line for line in tree.unreadable), None)
    error = tree.stopped or (f"could not be read: {failed}" if failed else None)
    have = sum(1 for own in found.values() if own.best)
    detail = f"{counted(len(tree.checkpoints), 'checkpoint')}, {counted(have, 'run')} with one"
    return found, SourceState("checkpoints", error is None, now(), error=error, detail=detail)


def hydra_configs(
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


def run_logs(links: Sequence[join.Link], tree: index.Index) -> dict[str, LogText]:
    found: dict[str, LogText] = {}
    for link in links:
        if link.run and not (link.part and link.part.logs):
            path = next((folder.output_log for folder in reversed(link.run_dirs) if folder.output_log), None)
            if path and index.inside(path, tree.roots) and (text := logs.read(path)):
                found[link.run] = text
    return found


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
