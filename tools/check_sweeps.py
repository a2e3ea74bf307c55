"""The whole look in one call."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from tools import questions
from tools.base import Args, Context, Output, Tool, more, to_text
from tools.kinds import counts, kind, urgency
from tools.row_told import brief, facts
from tools.status import RunRow, Status, SweepRow
from tools.text import one_line

MAX_ROWS = 60
MAX_CHARS = 12_000
"""3,000 tokens of four characters."""
LEAST_ROWS, LEAST_SWEEPS = 4, 6
"""So many are shown however long they are."""
FULL_ROWS = 8
"""Of so many rows all flags and two lines of evidence are shown."""


class CheckSweepsArgs(Args):
    sweep: str | None = None
    """Only this sweep id; leave out for all."""
    show: Literal["all", "live", "waiting", "dead"] = "all"
    """Which runs to list."""
    limit: int = Field(40, ge=1, le=MAX_ROWS)
    """At most this many runs, the ones that need attention first; the rest is counted."""


def check_sweeps(context: Context, args: CheckSweepsArgs) -> Output:
    """Look at everything at once: every sweep with its link, every running job with epoch, step and percent,
    every dead job with its cause, checkpoint, whether it can be resumed, and the command. Use this first for any
    question about status. At most 3,000 tokens, the worst first; what is left out is counted."""
    status, _ = context.look()
    standing = [row for row in status.runs if not row.superseded and (args.sweep in (None, row.sweep))]
    wanted = sorted((row for row in standing if args.show in ("all", kind(row))), key=urgency)
    shown = [brief(row, status.workspace, full=place < FULL_ROWS) for place, row in enumerate(wanted[: args.limit])]
    sweeps = _sweeps(status, args.sweep, wanted)
    # counts and the question are of what was asked for
    asked = status if args.sweep is None else replace(status, runs=tuple(standing), sweeps=tuple(sweeps))
    text = to_text(context, _payload(asked, sweeps, shown, wanted, context.declined))
    while len(text) > MAX_CHARS and (len(shown) > LEAST_ROWS or len(sweeps) > LEAST_SWEEPS):
        # whole rows are left out, the least urgent first: a result cut in the middle could lie
        share = min(0.97, MAX_CHARS / len(text))
        sweeps = sweeps[: max(LEAST_SWEEPS, int(len(sweeps) * share))]
        shown = shown[: max(LEAST_ROWS, int(len(shown) * share))]
        text = to_text(context, _payload(asked, sweeps, shown, wanted, context.declined))
    return Output(text, status, facts(standing))


CHECK_SWEEPS = Tool("check_sweeps", CheckSweepsArgs, check_sweeps)


def _sweeps(status: Status, only: str | None, wanted: list[RunRow]) -> list[SweepRow]:
    """Those of the most urgent runs first."""
    order = {row.sweep: place for place, row in reversed(list(enumerate(wanted)))}
    found = [sweep for sweep in status.sweeps if only in (None, sweep.id)]
    return sorted(found, key=lambda sweep: order.get(sweep.id, len(wanted)))


def _payload(
    status: Status, sweeps: list[SweepRow], shown: list[dict[str, Any]], wanted: list[RunRow], declined: set[str]
) -> dict[str, Any]:
    left_out = wanted[len(shown) :]
    known = len(status.sweeps) - len(sweeps)
    return {
        "at": status.at,
        "demo": status.demo or None,
        "sources": {source.name: "ok" if source.ok else f"NOT READ: {source.error}" for source in status.sources},
        "counts": counts(status),
        "other_jobs_of_this_user_outside_the_workspace": status.other_jobs,
        "sweeps": [_sweep(sweep) for sweep in sweeps],
        "sweeps_left_out": more(known, "sweep=…"),
        "runs": shown,
        "fitting_question": questions.follow_up(status, declined),
        "left_out": _left_out(left_out) if left_out else None,
    }


def _sweep(sweep: SweepRow) -> dict[str, Any]:
    entry = dict(vars(sweep))
    # said once, under sources
    entry["issues"] = [issue for issue in entry["issues"] if not issue.startswith("state unknown")]
    entry["purpose"] = one_line(entry["purpose"], 120) if entry["purpose"] else None
    return entry


def _left_out(rows: list[RunRow]) -> dict[str, Any]:
    """What the rows that are not shown are, by kind, cause and whether they can be resumed."""
    names = Counter(
        f"{kind(row)}, {row.cause}, resumable {row.resumable}" if kind(row) == "dead" else kind(row) for row in rows
    )
    return {
        "runs": len(rows),
        "are": dict(names.most_common()),
        "ask": "with a larger limit, sweep=… or show=live|waiting|dead",
    }
