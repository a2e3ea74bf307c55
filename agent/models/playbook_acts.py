"""What the playbook asks for when a person wants something changed, and how it tells what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agent.follow_ups import AGAIN
from agent.intents import Intent, run_in

TOOL: Mapping[str, str] = {"cancel": "scancel_with_approval", "resume": "resume_run", "launch": "launch_agents"}
"""Intent -> the tool of its act."""
MAX_CALLS = 40
_JOBS = re.compile(r"(?<![\w.])(\d{2,}(?:_\d+)?)(?![\w.])")
_COUNT = re.compile(r"\b(\d{1,2})\s+(?:more\s+|new\s+|other\s+|additional\s+)*agents?\b", re.I)
_CAUSES: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (re.compile(r"\bpreempt", re.I), ("preempted",)),
    (re.compile(r"\btime(?:d)?[ -]?(?:limit|out)", re.I), ("time_limit",)),
    (re.compile(r"\b(?:oom|out of memory|memory)\b", re.I), ("cuda_oom", "host_oom")),
    (re.compile(r"\bnode[ -]?fail", re.I), ("node_fail",)),
)
"""A request for the runs that died of one thing."""

Call = tuple[str, dict[str, Any]]


def calls(intent: Intent, asked: str, subject: str | None, rows: Sequence[Mapping[str, Any]]) -> list[Call]:
    """The acts that the request is for; none where it does not say of what."""
    if intent == "resume":
        chosen = to_resume(asked, subject, rows)[:MAX_CALLS]
        if not chosen and run_in(asked):  # it lives, is done or unknown: the denial says which
            return [(TOOL[intent], {"run": run_in(asked), "reason": "the person asked for it"})]
        return [(TOOL[intent], {"run": row["run"], "reason": f"it died: {row['cause']}"}) for row in chosen]
    if intent == "cancel":
        why = "the person asked for it"
        return [(TOOL[intent], {"job_id": job, "reason": why}) for job in to_cancel(asked, subject, rows)[:MAX_CALLS]]
    sweep = _sweep_of(asked, subject, rows)
    count = int(match[1]) if (match := _COUNT.search(asked)) else 1
    return [(TOOL[intent], {"sweep": sweep, "count": count})] if intent == "launch" and sweep else []


def to_resume(asked: str, subject: str | None, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Dead runs that can be resumed: the one that is named, or those of a cause that is named, else all of them."""
    dead = [row for row in rows if row["kind"] == "dead" and row.get("run")]
    if subject:
        named = [row for row in dead if subject in (row.get("job"), row.get("run"), row.get("sweep"))]
        # a run that is named is asked for even where it looks hopeless: the denial says what is missing
        return named if subject in {row.get(key) for row in named for key in ("job", "run")} else _resumable(named)
    causes = next((causes for pattern, causes in _CAUSES if pattern.search(asked)), None)
    return [row for row in _resumable(dead) if causes is None or row["cause"] in causes]


def _resumable(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    waiting = {row["run"] for row in rows if any(flag.startswith("queued_as") for flag in row.get("flags") or [])}
    return [row for row in rows if row.get("resumable") == "yes" and row["run"] not in waiting]


def to_cancel(asked: str, subject: str | None, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every job that the request names; the jobs of the run or sweep it names; or what code judged to be stuck."""
    if jobs := list(dict.fromkeys(_JOBS.findall(asked))):
        return jobs
    live = [row for row in rows if row["kind"] in {"live", "waiting"} and row.get("job")]
    if subject:
        return _jobs(row for row in live if subject in (row.get("run"), row.get("sweep")))
    if re.search(r"\bdiverg", asked, re.I):
        return _jobs(row for row in live if row.get("health") == "diverged")
    if re.search(r"\b(?:stuck|hung|hang\w*|frozen|not progressing|no progress)\b", asked, re.I):
        return _jobs(row for row in live if any(flag.startswith("not_progressing") for flag in row.get("flags") or []))
    return []


def _jobs(rows: Any) -> list[str]:
    return list(dict.fromkeys(str(row["job"]) for row in rows))


def _sweep_of(asked: str, subject: str | None, rows: Sequence[Mapping[str, Any]]) -> str | None:
    sweeps = {str(row["sweep"]) for row in rows if row.get("sweep")}
    if subject in sweeps:
        return subject
    named = re.search(r"\b[\w./-]{1,120}\.ya?ml\b", asked)
    if named:
        return named[0]
    return sweeps.pop() if len(sweeps) == 1 else None


def answer(intent: Intent, result: tuple[bool, str]) -> str:
    """What came of the acts, each line once, as the guard told it, and what to do next."""
    lines = list(dict.fromkeys(result[1].splitlines()))
    count = sum(line.startswith("DONE:") for line in lines)
    words = {"resume": "submitted", "launch": "submitted", "cancel": "cancelled"}[intent]
    head = [f"{count} {words}:"] if count > 1 else []
    shown = [re.sub(r"^DONE: (?:cancel|resume|launch) ", "", line) for line in lines]
    return "\n".join([*head, *shown, "", AGAIN])
