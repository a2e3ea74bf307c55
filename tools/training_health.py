"""How training goes: one run closely, or every run that trains now, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from tools.base import MAX_RESULT_CHARS, Context, Output, Tool, ToolError, more, to_text
from tools.diagnosis.join import Link
from tools.diagnosis.series import Point, Series
from tools.diagnosis.training import Health, judge
from tools.explain_job import JobOrRun, rows_named
from tools.kinds import kind
from tools.look import Seen
from tools.row_told import facts as row_facts
from tools.run_health import series_of, siblings_of
from tools.status import RunRow, Status

MAX_ROWS = 40
SHOWN = 10
"""Losses of one run that are shown, thinned over what is kept; fewer of each where many runs are."""
SHOWN_OF_MANY = 4
_WORST = ("diverged", "exploding", "behind", "overfitting", "rising", "plateau", "flat", None, "falling")


class TrainingHealthArgs(JobOrRun):
    sweep: str | None = Field(None, max_length=128)
    """Only runs of this sweep id that train now."""


def training_health(context: Context, args: TrainingHealthArgs) -> Output:
    """Whether runs learn: trend of the training loss, not-a-number, explosion, plateau, rising validation loss,
    gradient norm, and a loss far above the other runs of the sweep at the same epoch, with the last values. Of the
    job or run that is named in detail, dead ones too; else of all that train now, the worst first."""
    status, seen = context.look()
    rows = _rows(status, seen, args)
    if args.name and len(rows) == 1:
        payload, facts = _one(rows[0], seen, status.workspace)
        return Output(to_text(context, payload), facts=facts)
    rows.sort(key=_badness)
    shown, found = rows[:MAX_ROWS], {}
    for row in shown:
        found[id(row)] = _brief(row, seen, status.workspace)
    text = to_text(context, _payload(rows, [found[id(row)][0] for row in shown]))
    while len(text) > MAX_RESULT_CHARS and shown:
        shown = shown[: len(shown) * 3 // 4]
        text = to_text(context, _payload(rows, [found[id(row)][0] for row in shown]))
    return Output(text, facts=tuple(fact for row in shown for fact in found[id(row)][1]))


TRAINING_HEALTH = Tool("training_health", TrainingHealthArgs, training_health)


def _rows(status: Status, seen: Seen, args: TrainingHealthArgs) -> list[RunRow]:
    """A job or run that is named, whatever its state; else what trains now."""
    if args.name is None:
        live = [row for row in status.runs if row.live and args.sweep in (None, row.sweep)]
        if not live:
            where = f"sweep {args.sweep}" if args.sweep else "this workspace"
            raise ToolError(f"no run of {where} trains now; name one with job_id or run, or see check_sweeps")
        return live
    rows = [row for row in rows_named(args, status, seen) if args.sweep in (None, row.sweep)]
    if not rows:
        raise ToolError(f"nothing is known of {args.name}; check_sweeps lists jobs and runs")
    exact = rows if len({row.job for row in rows}) == 1 else [row for row in rows if args.name == row.run]
    # a job that trained several runs is asked about the one it trains now, else the last
    if exact:
        return ([row for row in exact if row.live] or exact[-1:])[:1]
    return [row for row in rows if row.live] or [row for row in rows if kind(row) != "waiting"] or rows


def _badness(row: RunRow) -> tuple[int, float]:
    name = "behind" if row.behind_siblings and row.health not in {"diverged", "exploding"} else row.health
    return _WORST.index(name), -(row.percent or 0.0)


def _payload(rows: Sequence[RunRow], entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    left_out = len(rows) - len(entries)
    verdicts = [entry["verdict"].partition(":")[0] for entry in entries]
    return {
        "counts": dict(Counter([*verdicts, *(row.health or "unknown" for row in rows[len(entries) :])])),
        "runs": list(entries),
        "left_out": more(left_out, "sweep=… or run=…: none is worse than these"),
    }


def _one(row: RunRow, seen: Seen, workspace: str) -> tuple[dict[str, Any], tuple[tuple[str, str, str], ...]]:
    entry, facts, series, health = _judged(row, seen, workspace)
    points = _thinned(series.training, SHOWN)
    entry["last"] = {
        name: _shown(point, workspace)
        for name, point in (
            ("loss", health.loss),
            ("validation_loss", health.validation_loss),
            ("grad_norm", health.grad_norm),
        )
        if point
    }
    entry["learning_rate"] = health.learning_rate.value if health.learning_rate else None
    entry["losses"] = [_shown(point, workspace) for point in points]
    entry["losses_are"] = f"{len(points)} of the last {len(series.training)} training losses" if points else None
    entry["validation_losses"] = [_shown(point, workspace) for point in _thinned(series.validation, SHOWN)]
    told = [*points, *_thinned(series.validation, SHOWN), health.grad_norm]
    return entry, (*facts, *_facts(row, [point for point in told if point]))


def _brief(row: RunRow, seen: Seen, workspace: str) -> tuple[dict[str, Any], tuple[tuple[str, str, str], ...]]:
    entry, facts, series, health = _judged(row, seen, workspace)
    entry["loss"] = health.loss.value if health.loss else None
    entry["validation_loss"] = health.validation_loss.value if health.validation_loss else None
    entry["grad_norm"] = health.grad_norm.value if health.grad_norm else None
    entry["learning_rate"] = health.learning_rate.value if health.learning_rate else None
    entry["last_losses"] = [point.value for point in series.training[-SHOWN_OF_MANY:]]
    return entry, (*facts, *_facts(row, series.training[-1:]))


def _judged(
    row: RunRow, seen: Seen, workspace: str
) -> tuple[dict[str, Any], tuple[tuple[str, str, str], ...], Series, Health]:
    link = _link(row, seen)
    series = series_of(link, seen, anew=True) if link else Series()
    health = judge(series, siblings_of(link, seen) if link else ())
    entry = {
        "job": row.job,
        "run": row.run,
        "sweep": row.sweep,
        "kind": kind(row),
        "epoch": row.epoch,
        "step": row.step,
        "percent": row.percent,
        "verdict": health.verdict or f"unknown: {health.unknown}",
        "trend": health.arrow,
        "findings": [{"text": one.words, **_shown(one.point, workspace)} for one in health.findings],
    }
    facts = (*row_facts([row]), *_facts(row, [one.point for one in health.findings]))
    return entry, facts, series, health


def _link(row: RunRow, seen: Seen) -> Link | None:
    return next(
        (link for link in seen.links if link.run == row.run and (link.job.id if link.job else None) == row.job), None
    )


def _thinned(points: Sequence[Point], most: int) -> list[Point]:
    if len(points) <= most:
        return list(points)
    return [points[spot * (len(points) - 1) // (most - 1)] for spot in range(most)]


def _shown(point: Point, workspace: str) -> dict[str, Any]:
    where = point.where.removeprefix(f"{workspace}/")
    return {"value": point.value, "epoch": point.epoch, "step": point.step, "where": where}


def _facts(row: RunRow, points: Sequence[Point]) -> tuple[tuple[str, str, str], ...]:
    """Epochs, steps and values that are shown: an answer may cite any of them."""
    found = []
    for subject in filter(None, (row.job, row.run)):
        for point in points:
            found += [("loss", subject, f"{point.value:g}")]
            found += [("epoch", subject, f"{point.epoch:g}")] if point.epoch is not None else []
            found += [("step", subject, str(point.step))] if point.step is not None else []
    return tuple(found)
