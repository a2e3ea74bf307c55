"""The world as an act sees it: the queue read this moment, and the look that shows what the jobs train."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.acts import Observation, Value
from tools.base import Context, Denied
from tools.compact import compact
from tools.data import Job
from tools.diagnosis.unnamed import may_train, unnamed
from tools.look import Seen
from tools.place import Place
from tools.run_values import page
from tools.sources import command, slurm
from tools.sources.index import inside
from tools.sources.log_paths import read_submit_line
from tools.status import RunRow, Status
from tools.text import some

LOOK_S = 5.0
"""How old a look may be that an act is judged by: half of what the rules allow, since reading the queue takes time."""


@compact
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

    def pages(self, run: str | None, sweep: str | None) -> tuple[str, ...]:
        """W&B's page of a run, then that of its sweep, as far as they are known."""
        links = [link for link in self.seen.links if run and link.run == run]
        own = page(links, self.seen, "runs", run) if run and links else None
        of_sweep = next((row.url for row in self.status.sweeps if row.id == sweep), None)
        return tuple(filter(None, (own, of_sweep)))

    def carrying(self, run: str, submitted: Mapping[str, Sequence[str]]) -> list[Job]:
        """The jobs of the queue that have this run: by the look, by their own words, or since this program submitted
        them (``submitted``: run -> jobs)."""
        return [job for job in self.queue if self._carries(job, run, submitted.get(run, ()))]

    def _carries(self, job: Job, run: str, submitted: Sequence[str]) -> bool:
        if run in _words(job) or {job.id, job.array_id} & set(submitted):
            return True
        return any(row.job == job.id and not row.superseded and (row.live or job.waiting) for row in self.rows(run=run))

    def not_live(self, runs: Sequence[str], submitted: Mapping[str, Sequence[str]]) -> tuple[Value, str]:
        """Whether no job trains any of these runs now, and what was seen. Where a live job may train one and nobody can
        say, the value is the ids of those jobs: a person who types them has seen that they train something else."""
        for run in runs:
            carrying = [job.id for job in self.carrying(run, submitted) if job.active]
            if live := carrying or [row.job for row in self.rows(run=run) if row.live and row.job]:
                return False, f"job {live[0]} trains it"
        found = sorted({job.id for run in runs or (None,) for job in self._in_doubt(run, submitted)})
        if not found:
            return True, "no active job has it"
        which = "which run it trains" if len(found) == 1 else "which runs they train"
        return " ".join(found), f"job {some(found)} runs, and {which} is not known"

    def _in_doubt(self, run: str | None, submitted: Mapping[str, Sequence[str]]) -> list[Job]:
        """The jobs of the queue that may train the run (None: one that nobody knows), for all that is known."""
        sweep = next((link.sweep for link in self.seen.links if run and link.run == run and link.sweep), None)
        silent = {link.job.id for link in unnamed(self.seen.links) if link.job and may_train(link, sweep)}
        silent -= self._before(run)
        known = {link.job.id for link in self.seen.links if link.job}
        # of a run whose sweep is not known no sweep's agent can be ruled out
        names = ((link.run, link.sweep if sweep else None) for link in self.seen.links)
        others = {name for pair in names for name in pair if name} - {run, sweep}
        found = []
        for job in self.queue:
            # the look is some seconds older than the queue
            if job.active and (job.id in silent or (job.id not in known and self._is_here(job))):
                of = {name for name, jobs in submitted.items() if {job.id, job.array_id} & set(jobs)}
                found += [] if (of or _words(job)) & others else [job]
        return found

    def _before(self, run: str | None) -> set[str]:
        """Jobs that had begun while another one still trained the run, and are no sweep's agents, which take up one run
        after the other: what they train they have trained from their start."""
        ends = [link.job.end for link in self.seen.links if run and link.run == run and link.job and link.job.end]
        alone = [link.job for link in self.seen.links if link.job and link.run is None and link.sweep is None]
        return {job.id for job in alone if ends and job.start and job.start < max(ends)}

    def _is_here(self, job: Job) -> bool:
        places = (job.workdir, *(str(Path(log).parent) for log in (job.stdout, job.stderr) if log))
        return any(inside(place, self.seen.index.roots) for place in places if place)

    def saw(self, kind: str, subject: str, value: Value, source: str, text: str = "") -> Observation:
        """An observation of what was just read."""
        return Observation(kind, subject, value, self.at if source == "squeue" else self.seen.at, source, text)


def _words(job: Job) -> set[str]:
    """What a job's own command and name name."""
    return {*read_submit_line(job.command).arguments, *job.command.replace("=", " ").split(), job.name}


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
