"""Cancelling a job. Until the guard exists, this denies, and says so."""

from __future__ import annotations

from pydantic import Field

from tools.base import Args, Context, Denied, Output, Tool
from tools.slurm_tools import JobId


class ScancelArgs(Args):
    job_id: JobId
    """One job or one array task, such as 48213_7; never a whole array, a range or a list."""
    reason: str = Field(min_length=3, max_length=300)
    """Why, with the evidence."""


def scancel_with_approval(context: Context, args: ScancelArgs) -> Output:
    """Cancel one job after the person has approved it. This version always denies: the checks of evidence and the
    approval are not there yet. Tell the person the exact command instead and let them run it."""
    raise Denied(
        f"cancelling {args.job_id} is denied: this version can not yet check the evidence and ask for approval, so it "
        f"cancels nothing. Nothing was changed. A person can run: scancel -- {args.job_id}"
    )


SCANCEL = Tool("scancel_with_approval", ScancelArgs, scancel_with_approval, effect="act")
