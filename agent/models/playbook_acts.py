"""What the playbook asks for when a person wants something changed, and how it tells what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agent.follow_ups import AGAIN, ASK_ONCE_MORE
from agent.for_person import to_person
from agent.intents import Intent, jobs_in, run_in
from agent.models.playbook_words import ready
from agent.told import agreed

TOOL: Mapping[str, str] = {"cancel": "scancel_with_approval", "resume": "resume_run", "launch": "launch_agents"}
"""Intent -> the tool of its act."""
OF_FILES: Mapping[str, str] = {"archive": "archive_logs", "remove": "remove_checkpoints", "empty": "empty_trash"}
"""The same for acts on files, which need no look at the sweeps first."""
_LISTED = "every file is listed above, as it was read just now"
_FILE_PLANS: Mapping[str, Mapping[str, str]] = {
    "archive": {"status": _LISTED, "action": "move old logs into archive/", "risks": "other tools may look for them"},
    "remove": {"status": _LISTED, "action": "move checkpoints into the trash", "risks": "none until it is emptied"},
    "empty": {"status": _LISTED, "action": "delete what is in the trash", "risks": "what is deleted is gone for good"},
}
_DAYS = re.compile(r"\b(\d{1,4}) ?days?\b", re.I)
_PATH = re.compile(r"(?<![\w/])/?[\w.=,+-]{1,200}(?:/[\w.=,+-]{1,200}){1,20}")
_RUN = re.compile(r"\b(?:run|of) ([a-z0-9]{6,12})\b")
MAX_CALLS = 40
_KINDS = {"live": "running", "waiting": "waiting", "dead": "dead"}
_COUNT = re.compile(r"\b(\d{1,2})\s+(?:more\s+|new\s+|other\s+|additional\s+)*agents?\b", re.I)
_CAUSES: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (re.compile(r"\bpreempt", re.I), ("preempted",)),
    (re.compile(r"\btime(?:d)?[ -]?(?:limit|out)", re.I), ("time_limit",)),
    (re.compile(r"\b(?:oom|out of memory|memory)\b", re.I), ("cuda_oom", "host_oom")),
    (re.compile(r"\bnode[ -]?fail", re.I), ("node_fail",)),
)
"""A request for the runs that died of one thing."""

Call = tuple[str, dict[str, Any]]


def calls(intent: Intent, asked: str, subject: str | None, look: Mapping[str, Any]) -> list[Call]:
    """The acts that the request is for, by the look; none where it does not say of what."""
    rows, counts = look.get("runs", []), look.get("counts", {})
    if intent == "resume":
        chosen = to_resume(asked, subject, rows)[:MAX_CALLS]
        epochs = sum(row.get("epoch") or 0 for row in chosen)
        plan = _plan(
            counts,
            f"{epochs:g} epochs trained in {_counted(len(chosen), 'dead run')}",
            f"resume {_counted(len(chosen), 'run')} from {'its' if len(chosen) == 1 else 'their'} newest loadable"
            " checkpoint",
            "what was trained after the checkpoint is trained again; no job is cancelled",
        )
        # one that lives, is done or unknown is proposed all the same: the denial says which
        runs = [row["run"] for row in chosen] or [run for run in (run_in(asked),) if run]
        return [(TOOL[intent], {"run": run, "plan": plan}) for run in runs]
    if intent == "cancel":
        jobs = to_cancel(asked, subject, rows)[:MAX_CALLS]
        plan = _plan(
            counts,
            ", ".join(_standing(job, rows) for job in jobs[:3]),
            f"cancel {_counted(len(jobs), 'job')} and no other",
            "what is trained since the last checkpoint is lost",
        )
        return [(TOOL[intent], {"job_id": job, "plan": plan}) for job in jobs]
    sweep = _sweep_of(asked, subject, rows)
    count = int(match[1]) if (match := _COUNT.search(asked)) else 1
    plan = _plan(
        counts,
        f"{sum(row['kind'] == 'live' and row.get('sweep') == sweep for row in rows)} of them of {sweep}",
        f"start {_counted(count, 'agent')} more of {sweep}",
        "more GPUs are used; no job is cancelled",
    )
    return [(TOOL[intent], {"sweep": sweep, "count": count, "plan": plan})] if intent == "launch" and sweep else []


def _plan(counts: Mapping[str, int], more: str, action: str, risks: str) -> dict[str, str]:
    """What is thought before the act, from what was just seen: the same for all of one request."""
    status = ", ".join(f"{counts.get(name, 0)} {word}" for name, word in _KINDS.items())
    return {"status": f"{status}; {more}", "action": action, "risks": risks}


def _standing(job: str, rows: Sequence[Mapping[str, Any]]) -> str:
    row = next((row for row in rows if row.get("job") == job), None)
    if row is None:
        return f"{job} was not seen"
    epoch = f" at epoch {row['epoch']:g}" if row.get("epoch") is not None else ""
    return f"{job} is {row.get('health') or row['kind']}{epoch}"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def file_call(intent: Intent, asked: str) -> Call:
    """The act on files that the request is for, with the paths, the run or the age that it names."""
    return OF_FILES[intent], {**_named_files(intent, asked), "plan": _FILE_PLANS[intent]}


def _named_files(intent: Intent, asked: str) -> dict[str, Any]:
    paths = _PATH.findall(asked)
    if intent == "archive":
        days = {"older_than_days": max(1, int(match[1]))} if (match := _DAYS.search(asked)) else {}
        return {**days, **({"paths": paths} if paths else {})}
    if intent == "remove" and (paths or ((match := _RUN.search(asked)) and any(map(str.isdigit, match[1])))):
        return {"paths": paths} if paths else {"runs": [match[1]]}  # type: ignore[index]
    return {}


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
    return [row for row in rows if ready(row)]


def to_cancel(asked: str, subject: str | None, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every job that the request names; the jobs of the run or sweep it names; or what code judged to be stuck."""
    if jobs := jobs_in(asked):
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
    lines = list(dict.fromkeys(to_person(line) for line in result[1].splitlines()))
    count = sum(line.startswith("DONE:") for line in lines)
    words = {"resume": "submitted", "launch": "submitted", "cancel": "cancelled"}.get(intent, "done")
    head = [f"{count} {words}:"] if count > 1 else []
    shown = [
        re.sub(
            r"^DONE: (?:cancel|resume|launch|archive|remove|empty|set|end|restart|close|create|note|sync|stop) ",
            "",
            line,
        )
        for line in lines
    ]
    return "\n".join([*head, *shown, "", ASK_ONCE_MORE if agreed(result[1]) else AGAIN])
