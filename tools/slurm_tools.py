"""The queue and accounting as tools of their own, for questions beyond the status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Annotated

from pydantic import Field, StringConstraints

from tools.base import Args, Context, Output, Tool, ToolError, cut, more, to_text
from tools.data import Job
from tools.sources import command, slurm
from tools.text import when

JobId = Annotated[str, StringConstraints(pattern=r"^[0-9]+(_[0-9]+)?$")]
MAX_ROWS = 80


class SqueueArgs(Args):
    state: str | None = None
    """Only this state, such as RUNNING or PENDING."""
    limit: int = Field(40, ge=1, le=MAX_ROWS)
    """At most this many jobs."""


class SacctArgs(Args):
    job_id: JobId | None = None
    """Only this job or array task; leave out for all."""
    state: str | None = None
    """Only this state, such as PREEMPTED or FAILED."""
    days: int = Field(14, ge=1, le=90)
    """How many days back."""
    limit: int = Field(40, ge=1, le=MAX_ROWS)
    """At most this many rows, newest first."""


def squeue(context: Context, args: SqueueArgs) -> Output:
    """This user's jobs in the Slurm queue now, all folders: id, name, state, reason, nodes, elapsed and limit seconds.
    For the state of sweeps and runs use check_sweeps instead."""
    listing = _read(context, "squeue", slurm.read_queue)
    jobs = [job for job in listing.jobs if args.state in (None, job.state)]
    return _answer(context, jobs, args.limit, listing.unreadable)


def sacct(context: Context, args: SacctArgs) -> Output:
    """What Slurm's accounting says of this user's jobs, every incarnation of requeued ones: state, exit code
    (codes above 128 have lost 128), start, end, nodes, elapsed seconds."""
    listing = _read(context, "sacct", partial(slurm.read_accounting, days=args.days))
    jobs = [
        job for job in listing.jobs if args.job_id in (None, job.id, job.array_id) and args.state in (None, job.state)
    ]
    jobs.sort(key=lambda job: job.start or job.submit or 0.0, reverse=True)
    return _answer(context, jobs, args.limit, listing.unreadable)


SQUEUE = Tool("squeue", SqueueArgs, squeue)
SACCT = Tool("sacct", SacctArgs, sacct)


def _read(context: Context, name: str, read: Callable[..., slurm.Listing]) -> slurm.Listing:
    place = context.place
    try:
        program = command.find_program(name, folder=place.slurm_bin, workspace=place.workspace)
        return read(program, place.user, cluster=place.layout.cluster)
    except (command.CommandError, slurm.SlurmError) as error:
        raise ToolError(str(error)) from error


_SHOWN = (
    "id",
    "name",
    "state",
    "reason",
    "nodes",
    "partition",
    "exit_code",
    "start",
    "end",
    "elapsed_s",
    "limit_s",
    "restarts",
    "workdir",
)


def _answer(context: Context, jobs: list[Job], limit: int, unreadable: int) -> Output:
    rows = [{name: value for name, value in asdict(job).items() if name in _SHOWN and value} for job in jobs[:limit]]
    for row in rows:
        row |= {name: when(row[name], context.clock()) for name in ("start", "end") if name in row}
    payload = {
        "jobs": rows,
        "total": len(jobs),
        "left_out": more(len(jobs) - len(rows), f"state=… or a limit of up to {MAX_ROWS}"),
        "unreadable_records": unreadable or None,
    }
    return Output(cut(to_text(context, payload)), facts=tuple(("seen", job.id, job.state) for job in jobs))
