"""The rooms of the walk joined with what is known of runs: whose checkpoints they are, and what follows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from tools.compact import compact
from tools.data import Checkpoint
from tools.diagnosis import disk
from tools.diagnosis.disk import Saved
from tools.look import Seen
from tools.sources import checkpoint_sizes, checkpoints, pointers
from tools.sources.index import RUN_DIR
from tools.sources.room import Room, Usage
from tools.sources.wandb_settings import small_text
from tools.status import Status
from tools.wandb_data import RunDir

EXAMINE_S = 3.0
"""For looking whether checkpoints load; the smallest first, since a torn one is small."""


@compact
class Claims:
    """What the figures say of each run. Runs by their checkpoints' bytes, the most first."""

    saved: dict[str, tuple[Saved, ...]]
    live: frozenset[str]
    older: dict[str, list[Saved]]
    why_not: dict[str, str]
    """Run -> why nothing is said about its older checkpoints."""
    small: list[tuple[str, Saved, int]]
    broken: list[tuple[str, Checkpoint]]
    not_examined: int
    orphans: list[str]
    why_no_orphans: str | None
    nobodys: list[tuple[str, int]]
    """(folder, bytes) of checkpoints that nothing ties to a run."""
    saved_nothing: list[str]
    done: list[tuple[RunDir, int]]

    def runs(self) -> list[str]:
        return [*self.saved, *self.saved_nothing, *dict.fromkeys(folder.run for folder, _ in self.done)]


def claims(status: Status, seen: Seen, used: Usage, days: int) -> Claims:
    live = live_runs(seen)
    saved = saved_by_run(seen, used.units)
    saved = dict(sorted(saved.items(), key=lambda item: -sum(one.allocated for one in item[1])))
    older, why_not = older_ones(seen, saved, named_somewhere(seen))
    ranked = sorted(((one.apparent, one.path, run) for run, group in saved.items() for one in group))
    looked = checkpoint_sizes.examined((path for _, path, _ in ranked), EXAMINE_S)
    of = {path: run for _, path, run in ranked}
    orphans, why_no_orphans = _orphans(seen, saved, used)
    claimed = set(of)
    nobodys: dict[str, int] = defaultdict(int)
    for path in seen.index.checkpoints:
        if path not in claimed:
            nobodys[path.rpartition("/")[0]] += used.units.get(path, Room()).allocated
    trained = [row for row in status.runs if row.run and not row.live and not row.superseded and row.checkpoint is None]
    return Claims(
        saved=saved,
        live=live,
        older=older,
        why_not=why_not,
        small=[(run, one, usual) for run, group in saved.items() for one, usual in disk.small_ones(group)],
        broken=[(of[one.path], one) for one in looked if not one.loadable],
        not_examined=len(ranked) - len(looked),
        orphans=orphans,
        why_no_orphans=why_no_orphans,
        nobodys=list(nobodys.items()),
        saved_nothing=list(dict.fromkeys(row.run for row in trained if row.run and (row.epoch or row.step))),
        done=[
            (folder, used.units.get(folder.path, Room()).allocated)
            for folder in disk.long_done(seen.run_dirs, live, seen.at, days)
        ],
    )


def live_runs(seen: Seen) -> frozenset[str]:
    return frozenset(link.run for link in seen.links if link.current and link.run)


def named_somewhere(seen: Seen) -> set[str]:
    """``folder/name`` of every path that a config or a job's command names: a run may start from another's
    checkpoint."""
    return disk.named_paths(
        [
            *(folder.config for folder in seen.run_dirs),
            *map(small_text, seen.hydra_paths.values()),
            *(link.params.params for link in seen.links if link.params),
            *(config.parameters for config in seen.sweep_yamls.configs.values()),
            *(link.job.command for link in seen.links if link.job),
        ]
    )


def older_ones(
    seen: Seen, saved: Mapping[str, tuple[Saved, ...]], named: set[str]
) -> tuple[dict[str, list[Saved]], dict[str, str]]:
    """Run -> its superseded checkpoints, and run -> why nothing is said about them."""
    live = live_runs(seen)
    queue_read = next(source.ok for source in seen.sources if source.name == "squeue")
    ended = {link.run for link in seen.links if link.job and not link.job.active and not link.job.waiting}
    # two runs may share a folder: what one of them needs is not the other's to give
    needed = {one.path for run in live for one in saved.get(run, ())}
    needed |= {own.best.path for own in seen.checkpoints.values() if own.best}
    older: dict[str, list[Saved]] = {}
    why_not: dict[str, str] = {}
    for run, group in saved.items():
        best = seen.checkpoints[run].best
        loads = best.path if best and best.loadable else None
        fresh = best is not None and seen.at - best.mtime < disk.DAY_S
        if not queue_read:
            why_not[run] = "the queue could not be read: it may be training"
        elif fresh and run not in live and run not in ended:
            why_not[run] = "written within a day, and no job of it is known to have ended"
        else:
            pointed = pointers.pointed_at(loads) if loads and run not in live else frozenset[str]()
            found, why = disk.superseded(group, loads, live=run in live, pointed_at=pointed, named=named)
            if why:
                why_not[run] = why
            elif found := [one for one in found if one.path not in needed]:
                older[run] = found
    return older, why_not


def saved_by_run(seen: Seen, rooms: Mapping[str, Room]) -> dict[str, tuple[Saved, ...]]:
    """The checkpoints of each run that has some, with their room on disk where it was measured."""
    return {run: _saved(own.paths, rooms) for run, own in seen.checkpoints.items() if own.paths}


def _saved(paths: Iterable[str], rooms: Mapping[str, Room]) -> tuple[Saved, ...]:
    found = []
    for path in paths:
        room = rooms.get(path, Room(whole=False))
        step, epoch = checkpoints.numbers(path)
        found.append(
            Saved(
                path,
                step,
                epoch,
                checkpoint_sizes.numbered(path),
                checkpoint_sizes.kind(path),
                room.allocated,
                room.apparent,
                room.whole,
            )
        )
    return tuple(found)


def _orphans(seen: Seen, saved: dict[str, tuple[Saved, ...]], used: Usage) -> tuple[list[str], str | None]:
    for source in seen.sources:
        if source.name in ("squeue", "sacct") and not source.ok:
            return [], f"not told: {source.name} could not be read"
    folders = {match[1] for path in seen.index.run_dirs if (match := RUN_DIR.fullmatch(path.rpartition("/")[2]))}
    found = [run for run in disk.unknown_runs(seen.links, folders) if run in saved]
    newest = {run: max(used.units.get(one.path, Room()).newest for one in saved[run]) for run in found}
    # what is younger may be written right now, outside Slurm or by a job whose run is not known
    return [run for run in found if seen.at - newest[run] > disk.DAY_S], None
