"""One request and what came of it; where a person sees it happen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from agent.answer import ends_with_question
from agent.follow_ups import AGAIN, ASK_ONCE_MORE
from agent.spend import Cost
from agent.told import State, agreed
from tools import questions
from tools.actions.documents import CLAUDE_MD
from tools.compact import compact
from tools.status import Status

STOPPED = {
    "max_tokens": "the answer was cut at its length limit",
    "refusal": "the model declined to answer",
    "context_full": "the conversation is too long for the model; start a new one",
    "unknown": "the model stopped for a reason this version does not know; nothing it asked for was run",
    "cut": "the model's answer broke off; nothing it asked for was run",
}
"""What a person is told of a turn that ended early."""

DOCUMENTS = ("update_active_sweeps", "update_claude_md")
"""Kept with every status, unasked."""


class Sink(Protocol):
    """Where a person sees what happens. While ``busy`` lasts, a tool (with its input) or the model is waited for."""

    def text(self, piece: str) -> None: ...
    def report(self, status: Status) -> None: ...
    def busy(self, what: str, values: Mapping[str, Any] | None = None) -> AbstractContextManager[None]: ...
    def note(self, line: str) -> None: ...
    def cost(self, line: str) -> None: ...
    def flush(self) -> None: ...


@compact
class Acted:
    """An act that the model called for, and what came of it."""

    tool: str
    input: Mapping[str, Any]
    state: State
    text: str
    plan: str = ""
    """The name of the plan that it waits as."""

    @property
    def about(self) -> set[str]:
        """The jobs and runs that it names."""
        named = [self.input.get("job_id"), self.input.get("run"), *(self.input.get("runs") or ())]
        return {name for name in named if isinstance(name, str)}


@dataclass(slots=True)
class Answer:
    """What came of one request."""

    text: str
    status: Status | None = None
    tools: list[str] = field(default_factory=list)
    acts: list[Acted] = field(default_factory=list)
    corrections: list[str] = field(default_factory=list)
    calls: int = 0
    cost: Cost = field(default_factory=Cost)
    problem: str = ""
    """Why the model's answer is not whole."""

    @property
    def denied(self) -> list[str]:
        """What was refused, and why."""
        return [act.text for act in self.acts if act.state == "denied"]

    @property
    def undone(self) -> bool:
        """Something was to be changed, and none of it came about."""
        states = {act.state for act in self.acts if act.tool not in DOCUMENTS}
        return bool(states) and not states & {"done", "waits"}

    @property
    def waits(self) -> bool:
        """An act waits for an approval that nobody could give."""
        return any(act.state == "waits" for act in self.acts)


def opening_calls(workspace: Path, number: int) -> tuple[dict[str, Any], ...]:
    """What a status begins with, as the calls a model would make; ``number`` makes their ids."""
    names = ["check_sweeps", "update_active_sweeps"]
    names += ["update_claude_md"] if (workspace / CLAUDE_MD).is_file() else []
    return tuple(
        {"type": "tool_use", "id": f"look_{number}_{place}", "name": name, "input": {}}
        for place, name in enumerate(names)
    )


def closing(answer: Answer, declined: Collection[str]) -> str:
    """What an answer still lacks: corrections that the model did not make, and its one question."""
    extra = ""
    if answer.corrections:
        extra += "\n\nCorrected from the records:\n" + "\n".join(f"- {line}" for line in answer.corrections)
    if not ends_with_question(answer.text + extra):
        extra += f"\n\n{_question(answer, declined)}"
    return extra


def _question(answer: Answer, declined: Collection[str]) -> str:
    """After an act, what is so is looked at anew; else what the look makes pressing, but for what was just tried."""
    acts = [act for act in answer.acts if act.tool not in DOCUMENTS]
    if any(agreed(act.text) for act in acts):
        return ASK_ONCE_MORE
    if any(act.state == "done" for act in acts):
        return AGAIN
    tried = {named for act in acts for named in act.about}
    return questions.follow_up(answer.status, {*declined, *tried}) if answer.status else questions.DEFAULT
