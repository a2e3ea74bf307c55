"""The playbook's answers about files: disk use, syncing, and where logs are."""

from __future__ import annotations

import json
from typing import Any

import prompts
from agent.intents import Intent, job_in

TOOL: dict[Intent, str] = {"clean": "disk_usage", "sync": "sync_status", "logs": "find_logs", "tail": "tail_log"}

TAIL = 15
"""Lines of each file: they fit a screen."""


class _Told(dict[str, Any]):
    """A result leaves out what is unknown or none; the template asks for it all the same."""

    def __missing__(self, key: str) -> None:
        return None


def call(intent: Intent, asked: str) -> tuple[str, dict[str, Any]]:
    """The one tool that such a question needs, and its arguments."""
    job = job_in(asked)
    if intent == "tail":
        return TOOL[intent], {"job_id": job, "lines": TAIL}
    return TOOL[intent], {"job_id": job} if intent == "logs" and job else {}


def answer(intent: Intent, failed: bool, result: str) -> str:
    """What the tool's result says, in sentences; a failure in its own words."""
    try:
        found = _Told() if failed else json.loads(result, object_hook=_Told)
    except ValueError:
        failed, found = True, _Told()
    return prompts.render(
        "playbook_files.md.j2", intent=intent, problem=result if failed else None, found=found
    ).strip()
