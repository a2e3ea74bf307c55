"""A conversation on a fresh demo or a made workspace, with what the person saw, typed and was asked."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from agent import demo
from agent.approval import Decision, Request
from agent.audit import Audit
from agent.conversation import Conversation
from agent.exchange import Answer
from agent.guard import Guard
from agent.history import History
from agent.ledger import Ledger
from agent.plans import Plans
from agent.spend import Purse
from agent.terminal.screen import Screen
from agent.thread import Thread
from tools.base import Context
from tools.layout import Layout
from tools.place import Place
from tools.registry import ACT_TOOLS, TOOLS
from tools.sources.command import user_name
from tools.text import Redactor

PLAN = {"status": "1 running, 1 dead", "action": "what was asked for", "risks": "none is known"}
"""What an agent says that it thought before an act."""


class Person:
    """Answers what the program asks: ``says`` is typed to the letter; None types what is asked for."""

    def __init__(self, says: str | Decision | None = "no") -> None:
        self.says = says
        self.asked: list[Request] = []
        self.meanwhile: Callable[[], object] = lambda: None
        """What happens in the world while the person thinks."""

    def ask(self, request: Request) -> Decision:
        self.asked.append(request)
        self.meanwhile()
        if self.says in {"nobody", "agreed", "other", "expired", "stopped"}:
            return self.says  # type: ignore[return-value]
        return "yes" if self.says is None or self.says == request.confirm else "no"


def demo_place(state: Path, now: float | None = None) -> Place:
    ready = demo.prepare(state, now)
    secret = Redactor(["hunter2-hunter2"])
    return Place(ready.workspace, Layout(), user_name(), secret, ready.slurm_bin, {}, True)


class Stage:
    """One person, one model, one place; ``person`` may be told what to type."""

    def __init__(
        self,
        state: Path,
        model: Any,
        place: Place | None = None,
        clock: Callable[[], float] = time.time,
        *,
        purse: Purse | None = None,
        history: History | None = None,
    ) -> None:
        place = place or demo_place(state)
        self.shown = io.StringIO()
        self.out = Console(file=self.shown, width=100, highlight=False, markup=False)
        self.person = Person()
        self.audit = Audit(state / "audit.jsonl")
        self.plans = Plans(state / "plans", place.workspace, demo=place.demo)
        self.context = Context(place, clock)
        self.guard = Guard(self.context, Ledger(), self.audit, self.person, self.plans, ACT_TOOLS)
        self.screen = Screen(self.out, self.out, place.redactor)
        self.thread = Thread("the rules", TOOLS, self.screen, purse, history, clock)
        self.talk = Conversation(model, self.context, self.thread, self.screen, self.guard)

    def ask(self, words: str, *, typed: bool = False) -> Answer:
        answer = self.talk.ask(words, typed=typed)
        self.screen.flush()
        return answer

    def valid(self) -> None:
        """The history can be sent again: every call has its result, and the other way round."""
        open_calls: set[str] = set()
        for message in self.talk.messages:
            assert message["content"], "an empty message is refused by the API"
            results = {block["tool_use_id"] for block in message["content"] if block["type"] == "tool_result"}
            assert results == open_calls
            open_calls = {block["id"] for block in message["content"] if block["type"] == "tool_use"}
        assert not open_calls
