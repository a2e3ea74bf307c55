"""The acts that a model calls for in one turn: through the guard, told to the person, kept in the documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent import bugs, said
from agent.exchange import Acted, Answer, Sink
from agent.for_person import to_person
from agent.guard import Guard
from agent.thread import Thread
from agent.told import Told, agreed
from tools.actions.documents import ACTIVE_SWEEPS_MD, UPDATE_ACTIVE_SWEEPS
from tools.base import ActTool, Context

Call = tuple[int, ActTool, Mapping[str, Any]]
"""Its place among the calls of the turn, the tool, and its arguments."""


class Acting:
    """Carries out the acts of a conversation."""

    def __init__(self, context: Context, thread: Thread, sink: Sink, guard: Guard) -> None:
        self._context, self._thread, self._sink, self._guard = context, thread, sink, guard
        self.untold: list[str] = []
        """What came of acts, as long as no answer has told it."""

    def carry_out(self, acts: Sequence[Call], answer: Answer) -> Sequence[Told]:
        """What came of each, in order; written into the answer, and the documents that tell of it."""
        if not acts:
            return ()
        self._thread.keep()
        answer.tools += [tool.name for _, tool, _ in acts]
        with self._sink.busy(" ".join(dict.fromkeys(tool.name for _, tool, _ in acts)), {}):
            told = self._guarded([(tool, values) for _, tool, values in acts])
        for (_, tool, values), one in zip(acts, told, strict=True):
            answer.acts.append(Acted(tool.name, values, one.state, one.text, one.plan))
            if one.state == "declined" and not agreed(one.text):
                self._context.declined |= answer.acts[-1].about
            if tool.verb == "document":
                self._note_document(one)
            else:
                self.untold.append(one.text)
        kept = self._context.place.workspace / ACTIVE_SWEEPS_MD
        acted = [one for (_, tool, _), one in zip(acts, told, strict=True) if tool.verb != "document"]
        if kept.is_file() and any(one.state == "done" for one in acted) and not self._guard.stopped:
            self._guard.ledger.see(said.wanted(self._context.clock()))
            self._note_document(self._guarded([(UPDATE_ACTIVE_SWEEPS, {})])[0])
        for problem in self._guard.record.problems:
            self._sink.note(problem)
        self._guard.record.problems.clear()
        return told

    def _guarded(self, calls: Sequence[tuple[ActTool, Mapping[str, Any]]]) -> Sequence[Told]:
        try:
            return self._guard.act(calls)
        except Exception as error:  # noqa: BLE001 - a bug: recorded, and an act that was begun is settled by reading
            told = bugs.record(error)
            self._sink.note(told)
            text = f"NOT KNOWN: {told}. What came of it is settled by reading; it is not repeated"
            return [Told("unknown", text)] * len(calls)

    def _note_document(self, told: Told) -> None:
        """Tell the person what was written, or why it wasn't."""
        if told.state != "done" or told.text.startswith("DONE"):
            self._sink.note(to_person(told.text.removeprefix("DONE: document ")))

    def tell(self) -> None:
        """No answer will tell what came of the acts, so code does."""
        for line in dict.fromkeys(self.untold):
            self._sink.note(to_person(line))
        self.untold = []
