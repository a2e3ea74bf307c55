"""An answer as one JSON object, for scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from agent.conversation import Conversation
from agent.exchange import Answer
from tools.base import bare
from tools.kinds import counts, kind
from tools.row_base import Row, json_of
from tools.status import Status

SCHEMA = 1
_SWEEP = {"id", "url", "config", "state", "expected_agents", "active_agents", "zombies", "stale", "issues"}
_RUN = {
    "job", "run", "sweep", "slurm_state", "wandb_state", "epoch", "step", "target_epochs", "target_steps", "percent",
    "loss", "trend", "health", "cause", "resumable", "action", "checkpoint",
}  # fmt: skip


class Collected:
    """A sink without a screen: keeps what a person should know that is no part of the answer."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def text(self, piece: str) -> None: ...
    def report(self, status: Status) -> None: ...
    def cost(self, line: str) -> None: ...
    def flush(self) -> None: ...

    def busy(self, what: str, values: Mapping[str, Any] | None = None) -> AbstractContextManager[None]:
        return nullcontext()

    def note(self, line: str) -> None:
        self.notes.append(line)


def answer_object(conversation: Conversation, answer: Answer, notes: list[str]) -> dict[str, Any]:
    """``answer``, ``findings`` (the look, where one was made), ``acts`` (what was called for and what came of it, with
    the plan that waits), ``tools``, ``cost``, ``problem`` (why the answer is not whole)."""
    history = conversation.thread.history
    found = {
        "schema": SCHEMA,
        "answer": answer.text.strip(),
        "findings": _findings(answer.status) if answer.status else None,
        "acts": [
            {"tool": act.tool, "input": dict(act.input), "state": act.state, "text": act.text, "plan": act.plan or None}
            for act in answer.acts
        ],
        "tools": answer.tools,
        "corrections": answer.corrections,
        "notes": notes,
        "problem": answer.problem or None,
        "cost": {"model": conversation.model.name, **answer.cost.to_json()},
        "transcript": str(history.path) if history and history.kept else None,
    }
    cleaned: dict[str, Any] = conversation.context.place.redactor.clean_all(found)
    return cleaned


def _findings(status: Status) -> dict[str, Any]:
    """The look in short: by the names of ``agent status --json``, without what is null or superseded."""
    standing = [row for row in status.runs if not row.superseded]
    runs = [{"kind": kind(row), **_of(row, _RUN)} for row in standing]
    return {
        "at": status.at,
        "not_read": {source.name: source.error for source in status.sources if not source.ok},
        "counts": counts(status),
        "sweeps": [bare(_of(sweep, _SWEEP)) for sweep in status.sweeps],
        "runs": [bare(row) for row in runs],
    }


def _of(row: Row, names: set[str]) -> dict[str, Any]:
    """Its values of these names, as plain JSON."""
    told: dict[str, Any] = json.loads(json_of({name: value for name, value in vars(row).items() if name in names}))
    return told
