"""The one question that fits the situation (the rules' table), chosen by code from what was seen."""

from __future__ import annotations

from collections.abc import Collection

from tools.kinds import kind, ready
from tools.status import RunRow, Status

HIGH_PROGRESS = 75.0
SICK = ("exploding", "overfitting", "plateau", "rising")
DEFAULT = "What would you like to do next: resume, launch, or investigate?"


ALL_RESUMABLE = "other resumable run"
"""Stands in the question that offers to resume several runs."""


def follow_up(status: Status, declined: Collection[str] = ()) -> str:
    """A question about the most pressing thing, naming jobs or runs where it helps; about none that the person has
    ``declined`` (ids, and ALL_RESUMABLE)."""
    refused = set(declined)
    everything = [row for row in status.runs if not row.superseded]
    standing = [row for row in everything if not {row.job, row.run} & refused]
    ended = {sweep.id for sweep in status.sweeps if sweep.state in {"CANCELED", "CANCELLED"}}
    dead = [row for row in standing if kind(row) == "dead" and row.sweep not in ended]
    dead.sort(key=lambda row: -(row.percent or 0.0))
    resumable = [row for row in dead if ready(row) and ALL_RESUMABLE not in refused]
    queue_seen = next(source.ok for source in status.sources if source.name == "squeue")
    if not everything:
        if not queue_seen:
            return "The queue could not be read: shall I look again, or is Slurm on another machine?"
        return "Nothing of yours was found in this workspace: is it the right folder, or shall we launch a sweep?"
    if diverged := [row for row in standing if row.live and row.health == "diverged"]:
        return f"Job {_name(diverged[0])} has diverged (loss is not finite): shall I cancel it?"
    if stuck := [row for row in standing if row.stuck]:
        idle = (stuck[0].idle_s or 0) // 60
        return f"Job {_name(stuck[0])} has made no progress for {idle} min: shall I cancel it?"
    if resumable:
        best = resumable[0]
        others = len(resumable) - 1
        more = f" and the {others} other resumable run{'s' if others > 1 else ''}" if others else ""
        if (best.percent or 0.0) >= HIGH_PROGRESS:
            return f"Run {best.run} was at {best.percent:g} %: resume it{more} first?"
        return f"Should I resume run {best.run}{more}?"
    if short := [row for row in dead if row.cause == "false_success"]:
        return f"Job {_name(short[0])} ended far too early: shall I look into its log?"
    if dead := [row for row in dead if not ready(row) or ALL_RESUMABLE not in refused]:
        return f"Want me to go through the crash of job {_name(dead[0])} and what would mend it?"
    if any(source.name == "squeue" and not source.ok for source in status.sources):
        return "The queue could not be read: shall I look again?"
    capacity = [sweep for sweep in status.sweeps if any(issue.startswith("under capacity") for issue in sweep.issues)]
    capacity = [sweep for sweep in capacity if sweep.id not in refused]
    if capacity:
        return f"Sweep {capacity[0].id} runs below its capacity: launch more agents, or wait?"
    if sick := [row for row in standing if row.live and (row.health in SICK or row.behind_siblings)]:
        return f"Job {_name(sick[0])} does not learn well ({sick[0].health_note}): shall I look into its training?"
    if any(row.live for row in standing) and not declined:
        return "All sweeps look healthy: launch more agents, or wait for completion?"
    return DEFAULT


def _name(row: RunRow) -> str:
    return row.job or row.run or "?"
