"""The history of a conversation, and the one place that asks the model to go on with it.

The history only grows and is always valid to send again: what was not run is not kept, no id is used twice, and what is
too long for the model is shortened. Each message is on disk before anything else happens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent.condense import condense
from agent.exchange import Answer, Sink
from agent.history import History
from agent.models import ContextFull, Model, ModelError, Turn
from agent.spend import Purse
from tools.base import ActTool, Tool


class LimitReached(ModelError):
    """The model was not asked: a limit that the person set would be overstepped."""


class Thread:
    """One history. ``messages`` have the Messages API's own shapes."""

    def __init__(
        self,
        system: str,
        tools: Sequence[Tool | ActTool],
        sink: Sink,
        purse: Purse | None = None,
        history: History | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.system, self.sink, self.purse, self.history = system, sink, purse or Purse(), history
        self.messages: list[dict[str, Any]] = []
        self.old = 0
        """So many of the messages are from an earlier session."""
        self._schemas, self._clock = [tool.schema() for tool in tools], clock
        self._ids: set[str] = set()

    def go_on_from(self, messages: Sequence[dict[str, Any]]) -> None:
        """Begin with the messages of an earlier session."""
        self.messages[:] = messages
        self.old = len(messages)
        self._ids = {block["id"] for one in messages for block in one["content"] if block["type"] == "tool_use"}
        if self.history:
            self.history.goes_on_from(messages)

    def say(self, *texts: str) -> None:
        """Add what is said to the model, one block each."""
        self.messages.append({"role": "user", "content": [{"type": "text", "text": text} for text in texts]})

    def results(self, results: Sequence[Mapping[str, Any]]) -> None:
        """Add the results of the calls in the last message."""
        self.messages.append({"role": "user", "content": list(results)})

    def keep(self) -> None:
        """See to it that all is on disk; where it can't be, the person is told once."""
        if self.history and not self.history.problem:
            self.history.keep(self.messages, self._clock())
            if self.history.problem:
                self.sink.note(self.history.problem)

    def append_text(self, text: str) -> None:
        """Add to the last answer, or be one; what is on disk is not changed any more."""
        last = self.messages[-1]
        if last["role"] == "assistant" and not (self.history and self.history.kept == len(self.messages)):
            last["content"] = [*last["content"], {"type": "text", "text": text}]
        else:
            self.messages.append({"role": "assistant", "content": [{"type": "text", "text": text.strip()}]})

    def close_open_calls(self) -> None:
        """Make the history whole after Ctrl-C: a call without a result is answered as not run."""
        last = self.messages[-1] if self.messages else None
        if last and last["role"] == "assistant":
            stopped = {"type": "tool_result", "content": "stopped by the person", "is_error": True}
            calls = [block for block in last["content"] if block["type"] == "tool_use"]
            if calls:
                self.results([{**stopped, "tool_use_id": call["id"]} for call in calls])
        self.keep()

    def next_turn(self, model: Model, answer: Answer) -> Turn:
        """Ask the model and add what it says. Raises ModelError; LimitReached before anything is spent."""
        self.keep()
        try:
            turn = self._ask(model, answer)
        except ContextFull:
            if not self._shorten():
                raise
            turn = self._ask(model, answer)
        else:
            if turn.stop == "context_full" and self._shorten():
                turn = self._ask(model, answer)
        turn = self._with_own_ids(turn)
        calls = {id(block) for block in turn.tool_calls}
        # a call that will not be run must not stay in the history: it would have no result
        kept = [block for block in turn.content if block["type"] != "tool_use" or id(block) in calls]
        if kept:
            self.messages.append({"role": "assistant", "content": kept})
        return turn

    def _ask(self, model: Model, answer: Answer) -> Turn:
        if refusal := self.purse.refuses(model):
            raise LimitReached(refusal)
        with self.sink.busy(model.name):
            turn = model.respond(
                system=self.system, messages=self.messages, tools=self._schemas, on_text=self.sink.text
            )
        answer.calls += 1
        self.purse.count(model, turn.usage, also=answer.cost)
        return turn

    def _shorten(self) -> bool:
        saved = condense(self.messages)
        if saved:
            self.sink.note("too long for the model: older results were shortened, and it is asked again")
        return saved > 0

    def _with_own_ids(self, turn: Turn) -> Turn:
        """Two calls of one id could not be told apart, and the API takes no such history."""
        blocks = []
        for block in turn.content:
            if block["type"] == "tool_use":
                if block["id"] in self._ids:
                    block = {**block, "id": f"call_{len(self._ids)}_{block['name']}"[:60]}
                self._ids.add(block["id"])
            blocks.append(block)
        return replace(turn, content=tuple(blocks))
