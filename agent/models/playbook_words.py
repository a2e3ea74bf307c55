"""A row of the look in the playbook's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent.follow_ups import AGAIN
from agent.words import explained, flag_words, only_joins, waiting_words
from tools.diagnosis.resume import command_in
from tools.text import roughly

_UNKNOWN = dict.fromkeys(("run", "job", "checkpoint", "action", "evidence", "flags"))
"""A result leaves out what is unknown; the template asks for it all the same."""


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as the template tells it: in words, without what only ties a log to its run, the command by itself."""
    words, command = command_in(row.get("action") or "")
    # the look leaves out what kind of file a line is from: where it stands tells
    saved = (row.get("checkpoint") or {}).get("path")
    evidence = [{"source": "", **item} for item in row.get("evidence") or [] if item["where"] != saved]
    return {
        **_UNKNOWN,
        **row,
        "summary": _summary(row),
        "training": training_words(row.get("health"), row.get("health_note")) if row["kind"] == "live" else "",
        "finish": _finish(row) if row["kind"] == "live" and row.get("health") not in SICK else "",
        "evidence": [item for item in evidence if not (explained(row["cause"]) and only_joins(item["text"]))],
        "words": words,
        "command": command,
        "flags": list(filter(None, map(flag_words, row.get("flags") or []))),
    }


SICK = ("diverged", "exploding")
"""When a run reaches its target is of no interest then."""


def training_words(health: str | None, note: str | None) -> str:
    """How a live run learns: ``diverged: the last 3 losses are not finite``."""
    return f"{health}{': ' + note if note else ''}" if health else ""


def _summary(row: Mapping[str, Any]) -> str:
    """Cause and progress in a few words, unknowns said."""
    if row["kind"] == "waiting":
        meaning = waiting_words(row.get("reason"), row.get("job") or "")
        return f"waiting: {row.get('reason') or 'no reason given'}{', ' + meaning if meaning else ''}"
    epoch, target = row.get("epoch"), row.get("target_epochs")
    where = f"epoch {epoch:g}" if epoch is not None else "epoch unknown"
    where += f" of {target:g}" if epoch is not None and target is not None else ""
    step = f", step {row['step']}" if row.get("step") is not None else ""
    quiet = {"live": "running", "finished": "finished"}.get(row["kind"], "on disk, no job known")
    return f"{row['cause'].replace('_', ' ') if row['cause'] != 'none' else quiet} at {where}{step}"


def _finish(row: Mapping[str, Any]) -> str:
    """Whether a live run reaches its target before its time limit."""
    left, to_limit = row.get("to_target_at_own_pace_s"), row.get("to_time_limit_s")
    limit_words = f"{roughly(to_limit)} to its time limit" if to_limit is not None else "its time limit is unknown"
    if left is None:
        return f"when it reaches its target is unknown (its pace or its target can't be told yet), {limit_words}"
    end = "" if to_limit is None else ": it will not finish" if left > to_limit else ": it should finish in time"
    return f"about {roughly(left)} to its target at its own pace, {limit_words}{end}"


def after_explaining(rows: Sequence[Mapping[str, Any]], otherwise: str, *, every: bool) -> str:
    """The question that follows an explanation, of ``every`` dead run or of some; "yes" to it can be carried out."""
    if not rows:
        return otherwise
    if can := [row for row in rows if ready(row)]:
        best = max(can, key=lambda row: row.get("percent") or 0.0)
        if every and len(can) > 1:
            return f"Should I resume run {best['run']} and {_others(len(can) - 1)}?"
        return f"Do you want to resume run {best['run']} from its checkpoint?"
    job = next((row["job"] for row in rows if row.get("job") and row["kind"] != "waiting"), None)
    return f"Shall I show the end of the log of {job}?" if job else AGAIN


def ready(row: Mapping[str, Any]) -> bool:
    """Whether a run can be resumed as it is: no job waits to go on with it, and nothing must be changed first."""
    return bool(row.get("run")) and row.get("resumable") == "yes"  # any other answer says what stands against it


def _others(count: int) -> str:
    return f"the {count} other resumable run{'' if count == 1 else 's'}"


def of_subject(rows: Sequence[Mapping[str, Any]], subject: str | None) -> list[Mapping[str, Any]]:
    """The rows of the job, run or sweep that is named; all of them where none is."""
    return [row for row in rows if subject is None or subject in [row.get(key) for key in ("job", "run", "sweep")]]


def thrown_away(rows: Sequence[Mapping[str, Any]], subject: str | None, *, whole: bool) -> str:
    """What a restart would lose: the furthest epoch of each run that is not done. ``whole``: no row was left out."""
    mine = [row for row in of_subject(rows, subject) if row["kind"] != "finished"]
    furthest: dict[str, float] = {}
    for row in mine:
        if row.get("run") and row.get("epoch"):
            furthest[row["run"]] = max(row["epoch"], furthest.get(row["run"], 0))
    runs = f"{len(furthest)} run{'' if len(furthest) == 1 else 's'}"
    live = len({row.get("run") for row in mine if row["kind"] == "live"})
    now = f", {live} of which train{'s' if live == 1 else ''} now" if live else ""
    return f"That would be {'' if whole else 'at least '}{sum(furthest.values()):g} epochs of {runs}{now}."


def after_resuming(rows: Sequence[Mapping[str, Any]], dead: int, subject: str | None) -> str:
    """The question that follows runs that could be resumed instead of restarted, or that there are none."""
    if len(rows) == 1:
        return f"Should I resume run {rows[0]['run']} instead?"
    if rows and subject:
        return f"Should I resume the {len(rows)} resumable runs of {subject} instead?"
    if rows:
        return f"Should I resume run {rows[0]['run']} and {_others(len(rows) - 1)} instead?"
    return f"Shall I explain the {dead} dead runs one by one?" if dead > 1 else AGAIN
