"""A row of the status as a model reads it: what each number is, moments with their age, and cuts that show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tools.kinds import kind, ready
from tools.row_base import json_of
from tools.status import RunRow
from tools.text import one_line, roughly, when

ALWAYS = (
    "will_not_finish", "not_progressing", "consistency", "queued_as", "duplicate_run", "owner", "error_at_end",
    "checkpoint_ahead", "begun_anew", "progress_from",
)  # fmt: skip
"""Flags that change what is to be done: no row goes without them."""
_NAMES: Mapping[str, str] = {
    "left_s": "to_target_at_own_pace_s",
    "idle_s": "since_last_progress_s",
    "unsaved_s": "training_not_saved_s",
    "unsaved_gpu_hours": "training_not_saved_gpu_hours",
}
"""The fixed names of the status that a model has misread, by what they are."""
_UNTOLD = {"live", "ended_at"}


def brief(row: RunRow, workspace: str, *, full: bool) -> dict[str, Any]:
    """The row as one of many; ``full``: with all flags, its durations in words and two lines of evidence."""
    entry = _entry(row, workspace, {*_UNTOLD, "health_note"})
    slow = any(flag.startswith("will_not_finish") for flag in row.flags)
    entry["times"] = times(row) if full or slow else None
    told = [flag for flag in entry["flags"] if not flag.startswith("wandb_state: ")]
    entry["flags"] = told if full else [flag for flag in told if flag.startswith(ALWAYS)]
    shown = entry["evidence"][:2] if full else entry["evidence"][:1] if entry["kind"] == "dead" else []
    entry["evidence"] = [
        {"where": item["where"], "text": one_line(item["text"], 200 if full else 120)} for item in shown
    ]
    return entry


def whole(row: RunRow, workspace: str, now: float) -> dict[str, Any]:
    """All of the row."""
    entry = _entry(row, workspace, _UNTOLD)
    entry["ended"] = when(row.ended_at, now)
    if row.checkpoint:
        entry["checkpoint"]["saved"] = when(row.checkpoint.saved_at, now)
    entry["times"] = times(row)
    return entry


def _entry(row: RunRow, workspace: str, without: set[str]) -> dict[str, Any]:
    told = json.loads(json_of({name: value for name, value in vars(row).items() if name not in without}))
    entry: dict[str, Any] = {_NAMES.get(name, name): value for name, value in told.items()}
    entry["kind"] = kind(row)
    if row.resumable == "yes" and not ready(row):
        entry["resumable"] = "it waits again" if row.queued else "after a change by hand"
    if row.checkpoint:
        del entry["checkpoint"]["saved_at"]
    entry["to_time_limit_s"] = to_limit(row) if row.live else None
    for item in (*entry["evidence"], *([entry["checkpoint"]] if entry["checkpoint"] else [])):
        for name in ("where", "path"):
            if name in item:
                item[name] = item[name].removeprefix(f"{workspace}/")
    return entry


def to_limit(row: RunRow) -> int | None:
    """Seconds until Slurm ends the job at its time limit."""
    return None if row.limit_s is None or row.elapsed_s is None else row.limit_s - row.elapsed_s


def times(row: RunRow) -> str | None:
    """The row's durations as a person would say them: a model repeats what it is given."""
    told = [
        ("ran {}", row.elapsed_s or None),  # what waits has run for 0 s
        ("time limit {}", row.limit_s),
        ("{} until that limit", to_limit(row) if row.live else None),
        ("about {} to its target at its own pace", row.left_s),
        ("no progress for {}", row.idle_s if row.stuck else None),
        ("{} of training not saved", row.unsaved_s),
    ]
    return ", ".join(words.format(roughly(seconds)) for words, seconds in told if seconds is not None) or None


def facts(rows: list[RunRow]) -> tuple[tuple[str, str, str], ...]:
    """What these rows say of each job and run, as the checks of an answer use it."""
    found: list[tuple[str, str, str]] = []
    for row in rows:
        for subject in filter(None, (row.job, row.run)):
            values: dict[str, float | None] = {
                "epoch": row.epoch,
                "step": row.step,
                "percent": row.percent,
                "target_epochs": row.target_epochs,
                "target_steps": row.target_steps,
                "checkpoint": row.checkpoint.step if row.checkpoint else None,
            }
            found.append(("seen", subject, kind(row)))
            told = [*values.items(), ("epoch", row.checkpoint.epoch if row.checkpoint else None)]
            found += [
                (name, subject, f"{value:g}" if isinstance(value, float) else str(value))
                for name, value in told
                if value is not None
            ]
    return tuple(found)
