"""What the look tells of log files: which are known, which a job still writes, which an unfinished run needs."""

from __future__ import annotations

import os
import re

from tools.actions.world import World
from tools.base import ToolError
from tools.kinds import unfinished
from tools.sources.index import inside
from tools.sources.links import real_path
from tools.sources.run_folders import hydra_folder

ARCHIVE = "archive"
_LOGS = re.compile(r"(?:^|[/_.-])(?:logs?|slurm)(?:[/_.-]|$)", re.I)
_JOB_ID = re.compile(r"(?<!\d)\d{3,12}(?!\d)")
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
        self._outputs = {real_path(folder) for folder in folders} - {self.workspace}
        self.of_jobs = {job: [real_path(file.path) for file in found] for job, found in seen.log_files.items()}
        told = {path for paths in self.of_jobs.values() for path in paths if inside(path, self.roots)}
        # a .txt may be anything: only where Slurm or its name says that it is a job's
        found = {real_path(path) for path in seen.index.logs if not path.endswith(".txt")}
        self.all = told | {real_path(path) for path in seen.index.logs}
        self._folders = {os.path.dirname(path) for path in told}
        found = {path for path in found if self._is_log(path)}
        self.logs = {path for path in told | found if not archived(path)}
        self.live = self._of_live()
        rows = world.status.runs
        self._runs = {row.run for row in rows if row.run and unfinished(row)}
        jobs = {row.job for row in rows if row.job and (row.run in self._runs or unfinished(row))}
        self._needed = {path: job for job in sorted(jobs) for path in self.of_jobs.get(job, ())}

    def _of_live(self) -> dict[str, str]:
        """Log -> the job in the queue that writes to it, or will."""
        found: dict[str, str] = {}
        for job in self.world.queue:
            if job.active or job.waiting:
                own = [*self.of_jobs.get(job.id, ()), *(real_path(path) for path in (job.stdout, job.stderr) if path)]
                found |= dict.fromkeys(own, job.id)
        return found

    def _is_log(self, path: str) -> bool:
        """Whether its place or its name says that it is a log, and it does not lie with a run's own files: data may end
        in ``.out`` too."""
        folder = os.path.dirname(path)
        named = _LOGS.search(folder.removeprefix(self.workspace)) or _JOB_ID.search(os.path.basename(path))
        return bool(folder in self._folders or named) and not self._of_outputs(folder)

    def _of_outputs(self, folder: str) -> bool:
        while len(folder) > 1:
            if folder in self._outputs:
                return True
            folder = os.path.dirname(folder)
        return False

    def named(self, path: str) -> str:
        """The real path of a log that somebody named. Raises ToolError for what is no log seen here."""
        real = real_path(os.path.join(self.workspace, path))
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


def archived(path: str) -> bool:
    return os.path.basename(os.path.dirname(path)) == ARCHIVE
