"""What the look tells of log files: which are known, which a job still writes, which an unfinished run needs."""

from __future__ import annotations

import os
import re

from tools.actions.world import World
from tools.base import ToolError
from tools.kinds import unfinished
from tools.sources.index import inside
from tools.sources.run_folders import hydra_folder

ARCHIVE = "archive"
_WORD = re.compile(r"[A-Za-z0-9]+")


class Logs:
    """The workspace's log files, by their real paths."""

    def __init__(self, world: World) -> None:
        self.world = world
        seen = world.seen
        self.workspace, self.roots = seen.index.workspace, seen.index.roots
        folders = {os.path.dirname(path) for path in seen.index.checkpoints} | set(
            map(hydra_folder, seen.index.hydra_configs)
        )
        self._outputs = {_real(folder) for folder in folders} - {self.workspace}
        self.of_jobs = {job: [_real(file.path) for file in found] for job, found in seen.log_files.items()}
        told = {path for paths in self.of_jobs.values() for path in paths if inside(path, self.roots)}
        # a .txt may be anything: only where Slurm or its name says that it is a job's
        found = {_real(path) for path in seen.index.logs if not path.endswith(".txt")}
        self.all = told | {_real(path) for path in seen.index.logs}
        self.logs = {path for path in told | {one for one in found if not self._of_outputs(one)} if not archived(path)}
        self.live = self._of_live()
        rows = world.status.runs
        open_rows = [row for row in rows if unfinished(row)]
        self._runs = {row.run for row in open_rows if row.run}
        jobs = {row.job for row in rows if row.job and (row.run in self._runs or row in open_rows)}
        self._needed = {path: job for job in sorted(jobs) for path in self.of_jobs.get(job, ())}

    def _of_live(self) -> dict[str, str]:
        """Log -> the job in the queue that writes to it, or will."""
        found: dict[str, str] = {}
        for job in self.world.queue:
            if job.active or job.waiting:
                own = [*self.of_jobs.get(job.id, ()), *(_real(path) for path in (job.stdout, job.stderr) if path)]
                found |= dict.fromkeys(own, job.id)
        return found

    def _of_outputs(self, path: str) -> bool:
        """Whether it lies with a run's own files, and is no log of Slurm's."""
        folder = os.path.dirname(path)
        while len(folder) > 1:
            if folder in self._outputs:
                return True
            folder = os.path.dirname(folder)
        return False

    def named(self, path: str) -> str:
        """The real path of a log that somebody named. Raises ToolError for what is no log seen here."""
        real = _real(os.path.join(self.workspace, path))
        if real not in self.all:
            raise ToolError(f"{path} is no log file that was seen here; find_logs lists them")
        return real

    def needed(self, path: str) -> str | None:
        """Which unfinished run its words may still explain."""
        if path in self.live:
            return None  # that says it all
        if path in self._needed:
            return f"{os.path.basename(path)} is the log of {self._needed[path]}, whose run is not finished"
        run = next((word for word in _WORD.findall(os.path.basename(path)) if word in self._runs), None)
        return f"{os.path.basename(path)} is named after {run}, which is not finished" if run else None

    def why_kept(self, path: str) -> str | None:
        if path in self.live:
            return f"{os.path.basename(path)} is written by {self.live[path]}"
        taken = os.path.lexists(os.path.join(os.path.dirname(path), ARCHIVE, os.path.basename(path)))
        return self.needed(path) or ("its name is taken there" if taken else None)

    def short(self, path: str) -> str:
        return path.removeprefix(f"{self.workspace}/")


def _real(path: str) -> str:
    """Its folder's real path, and its own name: a link is never the thing itself."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def archived(path: str) -> bool:
    return os.path.basename(os.path.dirname(path)) == ARCHIVE
