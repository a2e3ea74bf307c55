"""One job's or run's whole story: why it is as it is, with all the evidence."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from tools.base import Args, Context, Output, Tool, ToolError, cut, more, to_text
from tools.look import Seen
from tools.row_told import facts, whole
from tools.status import RunRow, Status

MAX_ROWS = 6


class JobOrRun(Args):
    """A job or a run; where both are named, the job's part in that run."""

    job_id: str | None = Field(None, max_length=128)
    """Job, array task such as 48213_7, whole array, or Slurm's raw id of a task."""
    run: str | None = Field(None, max_length=128)
    """W&B run id."""

    @property
    def name(self) -> str | None:
        return self.job_id or self.run


class ExplainJobArgs(JobOrRun):
    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.name is None:
            raise ValueError("give job_id or run")
        return self


def explain_job(context: Context, args: ExplainJobArgs) -> Output:
    """Why one job or run is as it is: cause of death with every line of evidence and where it stands, what
    contradicts it, progress, checkpoint, whether it can be resumed and by which exact command, what was lost. Use this
    for any question about one job or run."""
    status, seen = context.look()
    rows = rows_named(args, status, seen)
    if not rows:
        raise ToolError(f"nothing is known of {args.name}; check_sweeps and squeue list what is")
    payload = [whole(row, status.workspace, seen.at) for row in rows[:MAX_ROWS]]
    left_out = more(len(rows) - len(payload), "job_id=… and run=… of one")
    text = to_text(
        context,
        {"asked": args.name, "rows": payload, "left_out": left_out},
    )
    return Output(cut(text, 12_000), facts=facts(rows))


EXPLAIN_JOB = Tool("explain_job", ExplainJobArgs, explain_job)


def rows_named(args: JobOrRun, status: Status, seen: Seen) -> list[RunRow]:
    """The rows of what is named, standing ones first."""
    found = rows_of(args.name or "", status, seen)
    return [row for row in found if row.run == args.run] or found if args.job_id and args.run else found


def rows_of(name: str, status: Status, seen: Seen) -> list[RunRow]:
    """The rows of a job id, array id, raw id or run id, standing ones first."""
    # slurmstepd and sacct print a number of their own for each array task
    raw = next((link.job.id for link in seen.links if link.job and link.job.raw_id == name), None)
    rows = [row for row in status.runs if name in (row.job, row.run) or (row.job or "").startswith(f"{name}_")]
    rows = rows or [row for row in status.runs if raw is not None and row.job == raw]
    return sorted(rows, key=lambda row: row.superseded)
