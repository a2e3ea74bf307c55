"""The world as an act sees it: the queue read this moment, and the look that shows what the jobs train."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.acts import Observation, Value
from tools.base import Context, Denied
from tools.data import Job
from tools.look import Seen
from tools.place import Place
from tools.sources import command, slurm
from tools.sources.log_paths import read_submit_line
from tools.status import RunRow, Status

LOOK_S = 5.0
"""How old a look may be that an act is judged by: half of what the rules allow, since reading the queue takes time."""


@dataclass(frozen=True, slots=True)
class World:
    at: float
    """Epoch seconds at which the queue was read; the look is a few seconds older."""
    queue: tuple[Job, ...]
    status: Status
    seen: Seen

    def job(self, job_id: str) -> Job | None:
        return next((job for job in self.queue if job.id == job_id), None)

    def rows(self, *, job: str | None = None, run: str | None = None) -> list[RunRow]:
        """The rows of the look for a job or a run, the standing ones first."""
        found = [row for row in self.status.runs if (job and row.job == job) or (run and row.run == run)]
        return sorted(found, key=lambda row: row.superseded)

    def carrying(self, run: str, submitted: Mapping[str, Sequence[str]]) -> list[Job]:
        """The jobs of the queue that have this run: by the look, by their own words, or since this program submitted
        them (``submitted``: run -> jobs)."""
        return [job for job in self.queue if self._carries(job, run, submitted.get(run, ()))]

    def _carries(self, job: Job, run: str, submitted: Sequence[str]) -> bool:
        words = (*read_submit_line(job.command).arguments, *job.command.replace("=", " ").split(), job.name)
        if run in words or {job.id, job.array_id} & set(submitted):
            return True
        return any(row.job == job.id and not row.superseded and (row.live or job.waiting) for row in self.rows(run=run))

    def saw(self, kind: str, subject: str, value: Value, source: str, text: str = "") -> Observation:
        """An observation of what was just read."""
        return Observation(kind, subject, value, self.at if source == "squeue" else self.seen.at, source, text)


def read_queue(context: Context) -> Sequence[Job]:
    """This user's queue, now. Raises Denied where it can't be read: nothing is done blindly."""

    def read() -> Sequence[Job]:
        squeue = command.find_program("squeue", folder=context.place.slurm_bin, workspace=context.place.workspace)
        return slurm.read_queue(squeue, context.place.user, context.place.layout.cluster).jobs

    try:
        return context.recent("queue", read)  # type: ignore[no-any-return]
    except (command.CommandError, slurm.SlurmError) as error:
        raise Denied(f"the queue can't be read ({error}), and nothing is changed without it. Try again later") from None


def read_world(context: Context) -> World:
    """The queue and a look that is at most five seconds old. Raises Denied."""
    status, seen = context.look(LOOK_S)
    at = context.clock()
    return World(at, tuple(read_queue(context)), status, seen)


def cluster_of(place: Place) -> str:
    """The cluster that is acted on: the one that the project file names, else as slurm.conf gives it; for a person."""
    if place.demo or place.layout.cluster:
        return place.layout.cluster or "demo"
    for path in filter(None, (place.environ.get("SLURM_CONF"), "/etc/slurm/slurm.conf", "/etc/slurm-llnl/slurm.conf")):
        try:
            text = Path(path).read_text(encoding="utf-8", errors="replace")[:1_000_000]
        except OSError:
            continue
        if match := re.search(r"(?mi)^\s{0,8}ClusterName\s{0,8}=\s{0,8}(\S{1,64})", text):
            return match[1]
    return "the default one"
