"""The whole look in one call."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field

from tools import questions
from tools.base import MAX_RESULT_CHARS, Args, Context, Output, Tool, to_text
from tools.kinds import counts, kind, urgency
from tools.status import RunRow, Status

MAX_ROWS = 60
MAX_SWEEPS = 30


class CheckSweepsArgs(Args):
    sweep: str | None = None
    """Only this sweep id; leave out for all."""
    show: Literal["all", "live", "dead"] = "all"
    """Which runs to list."""
    limit: int = Field(40, ge=1, le=MAX_ROWS)
    """At most this many runs, the ones that need attention first; the rest is counted."""


def check_sweeps(context: Context, args: CheckSweepsArgs) -> Output:
    """Look at everything at once: every sweep with its link, every running job with epoch, step and percent,
    every dead job with its cause, checkpoint, whether it can be resumed, and the command. Use this first for any
    question about status."""
    status, _ = context.look()
    standing = [row for row in status.runs if not row.superseded and (args.sweep in (None, row.sweep))]
    wanted = sorted((row for row in standing if args.show in ("all", kind(row))), key=urgency)
    shown = wanted[: args.limit]
    text = to_text(context, _payload(status, shown, len(wanted)))
    while len(text) > MAX_RESULT_CHARS and shown:
        # whole rows are left out, the least urgent first: a result cut in the middle could lie
        shown = shown[: len(shown) * 3 // 4]
        text = to_text(context, _payload(status, shown, len(wanted)))
    return Output(text, status, facts(standing))


CHECK_SWEEPS = Tool("check_sweeps", CheckSweepsArgs, check_sweeps)


def facts(rows: list[RunRow]) -> tuple[tuple[str, str, str], ...]:
    """What these rows say of each job and run, as the checks of an answer use it."""
    found: list[tuple[str, str, str]] = []
    for row in rows:
        for subject in filter(None, (row.job, row.run)):
            values = {
                "epoch": row.epoch,
                "step": row.step,
                "percent": row.percent,
                "target_epochs": row.target_epochs,
                "target_steps": row.target_steps,
                "checkpoint": row.checkpoint.step if row.checkpoint else None,
            }
            found.append(("seen", subject, kind(row)))
            found += [
                (name, subject, f"{value:g}" if isinstance(value, float) else str(value))
                for name, value in values.items()
                if value is not None
            ]
    return tuple(found)


def _payload(status: Status, shown: list[RunRow], wanted: int) -> dict[str, Any]:
    sources = {source.name: "ok" if source.ok else f"NOT READ: {source.error}" for source in status.sources}
    runs = []
    for row in shown:
        entry = json.loads(row.model_dump_json(exclude={"live", "ended_at"}))
        entry["kind"] = kind(row)
        # said once, under sources
        entry["flags"] = [flag for flag in entry["flags"] if not flag.startswith("wandb_state: ")]
        if entry["checkpoint"]:
            entry["checkpoint"]["path"] = entry["checkpoint"]["path"].removeprefix(f"{status.workspace}/")
        entry["evidence"] = [
            {**item, "where": item["where"].removeprefix(f"{status.workspace}/")} for item in entry["evidence"][:3]
        ]
        runs.append(entry)
    left_out = wanted - len(shown)
    return {
        "at": status.at,
        "demo": status.demo or None,
        "sources": sources,
        "counts": counts(status),
        "other_jobs_of_this_user_outside_the_workspace": status.other_jobs,
        "sweeps": [sweep.model_dump() for sweep in status.sweeps[:MAX_SWEEPS]],
        "sweeps_left_out": max(0, len(status.sweeps) - MAX_SWEEPS) or None,
        "runs": runs,
        "fitting_question": questions.follow_up(status),
        "left_out": f"{left_out} more runs; ask with sweep=… or show=live|dead" if left_out else None,
    }
