"""What the look tells of checkpoints that somebody wants to remove: whose they are, and what still needs them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property

from tools import disk_runs
from tools.actions.files import Stamp
from tools.actions.world import World
from tools.acts import Value
from tools.base import ToolError
from tools.kinds import unfinished
from tools.sources import checkpoints, links, pointers
from tools.sources.index import inside
from tools.sources.links import real_path

QUIET_S = 3600.0
"""What was written to within the last hour may still be written to."""


class Saves:
    """The workspace's checkpoints. ``paths`` are as the index names them; real paths are what is acted on."""

    def __init__(self, world: World, submitted: Mapping[str, Sequence[str]]) -> None:
        self.world, self._submitted = world, submitted
        seen = self.seen = world.seen
        self.workspace, self.roots = seen.index.workspace, seen.index.roots
        self._by_real = {real_path(path): path for path in seen.index.checkpoints}
        self._in_folder: dict[str, list[str]] = defaultdict(list)
        for path in seen.index.checkpoints:
            self._in_folder[os.path.dirname(path)].append(path)
        owners: dict[str, list[str]] = defaultdict(list)
        for run, own in seen.checkpoints.items():
            for path in own.paths:
                owners[path].append(run)
        self._owners = {path: tuple(sorted(runs)) for path, runs in owners.items()}
        self.standing = {row.run: row for row in world.status.runs if row.run and not row.superseded}
        self.open_runs = {row.run for row in world.status.runs if row.run and unfinished(row)}
        self._known = {link.run for link in seen.links if link.job or link.run_dirs or link.params}
        self._named = disk_runs.named_somewhere(seen)

    def owners(self, path: str) -> tuple[str, ...]:
        """The runs that a checkpoint belongs to; of none where nothing ties it to one."""
        return self._owners.get(path, ())

    def named(self, path: str) -> str:
        """The checkpoint that somebody named, as the index has it. Raises ToolError for what is none."""
        real = real_path(os.path.join(self.workspace, path))
        if real not in self._by_real:
            raise ToolError(f"{path} is no checkpoint that was seen here; list_checkpoints shows them")
        return self._by_real[real]

    def unneeded(self, runs: Sequence[str]) -> list[str]:
        """What the newest loadable one of a run has made unneeded: of these runs, else of all that have finished."""
        older, _ = disk_runs.older_ones(self.seen, disk_runs.saved_by_run(self.seen, {}), self._named)
        chosen = [run for run in older if run in runs or (not runs and run in self.standing)]
        return [one.path for run in chosen if runs or run not in self.open_runs for one in older[run]]

    def tied(self, runs: Sequence[str]) -> bool:
        """Whether something else than a folder's name shows that there is such a run."""
        return bool(runs) and set(runs) <= self._known

    def not_live(self, runs: Sequence[str]) -> tuple[Value, str]:
        live, why = self.world.not_live(runs, self._submitted)
        if isinstance(live, str) and runs and self.open_runs.isdisjoint(runs):
            return True, "no active job has it, and it has finished"
        return live, why

    def not_queued(self, runs: Sequence[str]) -> tuple[Value, str]:
        waiting = [job.id for run in runs for job in self.world.carrying(run, self._submitted) if job.waiting]
        return not waiting, f"job {waiting[0]} waits with it" if waiting else "no job waits with it"

    def not_newest(self, paths: Sequence[str]) -> tuple[Value, str]:
        """Whether each unfinished run keeps the checkpoint that it would go on from."""
        source = next(source for source in self.world.status.sources if source.name == "checkpoints")
        for run, own in self.seen.checkpoints.items():
            if run in self.open_runs and own.best and own.best.path in paths:
                return False, f"{os.path.basename(own.best.path)} is what {run} would go on from"
        return (True, "those stay") if source.ok else (None, source.error or "not all could be read")

    def not_best(self, paths: Sequence[str]) -> tuple[Value, str]:
        """Whether no trainer, tracker file or name calls one of them the best or the last."""
        called: set[str] = set()
        for reference in self._references(paths):
            names = pointers.pointed_at(reference)
            if names is None:
                return None, f"what {os.path.basename(reference)} and the files beside it name could not be read"
            called |= names
        for path in paths:
            name = os.path.basename(path)
            step = checkpoints.numbers(path)[0]
            if name in called or "best" in name.lower() or (step is not None and str(step) in called):
                return False, f"{name} is called the best or the last one"
        return True, "none is called so"

    def _references(self, paths: Sequence[str]) -> list[str]:
        """The newest that loads: of each run concerned, and of each folder."""
        runs = dict.fromkeys(run for path in paths for run in self.owners(path))
        found = [best.path for run in runs if (best := self.seen.checkpoints[run].best)]
        for folder in sorted({os.path.dirname(path) for path in paths}):
            best, _ = checkpoints.newest(self._in_folder[folder])
            found += [best.path] if best else []
        return list(dict.fromkeys(found))

    def not_shared(self, found: Mapping[str, Stamp]) -> tuple[Value, str]:
        """Whether no other place leads to one of them: a link, another name of the same file, a config, a command."""
        for path, stamp in found.items():
            name = os.path.basename(path)
            if stamp.shared:
                return False, f"a file of {name} has another name by a hard link"
            if "/".join(path.rsplit("/", 2)[1:]) in self._named:
                return False, f"a config or a job's command names {name}"
        if self._links is None:
            return None, "not all links of the workspace could be looked at"
        for path in found:
            if link := self._links.get(real_path(path)):
                return False, f"{self.short(link)} leads to {os.path.basename(path)}"
        return True, "nothing of the workspace leads there"

    @cached_property
    def _links(self) -> dict[str, str] | None:
        """Checkpoint -> a link that leads there."""
        return links.links_into(self.seen.index, self._by_real)

    def root_of(self, path: str) -> str | None:
        """The innermost root of the workspace that it really lies in."""
        real = real_path(path)
        return max((root for root in self.roots if inside(os.path.dirname(real), (root,))), key=len, default=None)

    def short(self, path: str) -> str:
        return path.removeprefix(f"{self.workspace}/")

    def words(self, runs: Sequence[str]) -> str:
        """Whose they are, for a person."""
        if not runs:
            return "of no known run"
        row = self.standing.get(runs[0])
        sweep = f" of sweep {row.sweep}" if row and row.sweep else ""
        died = row.cause.replace("_", " ") if row and row.cause != "none" else "open"
        state = died if runs[0] in self.open_runs else "finished"
        return f"{' and '.join(runs)}{sweep}, {state}"

    def kept(self, runs: Sequence[str], paths: Sequence[str]) -> str:
        """What stays of a run's checkpoints, for a person."""
        own = [self.seen.checkpoints[run] for run in runs]
        left = {path for one in own for path in one.paths} - set(paths)
        best = next((one.best for one in own if one.best and one.best.path in left), None)
        if best is None:
            return "keeps NONE that loads" if left else "keeps NONE"
        others = f" and {len(left) - 1} more" if len(left) > 1 else ""
        return f"keeps {os.path.basename(best.path)} ({'loads' if best.loadable else 'does not load'}){others}"
