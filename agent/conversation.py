"""The loop: ask the model, run what it calls, check what it says. Query, execute, repeat.

The history only grows and is always valid to send again: every call has its result, and what was not run is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import prompts
from agent.answer import contradictions
from agent.exchange import STOPPED, Answer, Sink, closing
from agent.follow_ups import request_of
from agent.guard import Guard
from agent.intents import intent_of, wants_document, wants_status
from agent.models import Model, Turn, Usage
from agent.told import Told
from tools.actions.documents import ACTIVE_SWEEPS_MD, CLAUDE_MD, UPDATE_ACTIVE_SWEEPS
from tools.acts import Observation
from tools.base import ActTool, Context, Output, Tool, ToolError
from tools.registry import BY_NAME, TOOLS
from tools.status import Status

MAX_CALLS = 12
"""Model calls for one request of the person."""

DOCUMENTS = (ACTIVE_SWEEPS_MD, CLAUDE_MD)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{1,127}(?<![./])")


def _typed(text: str) -> set[str]:
    """Ids and paths in what a person typed."""
    return {*_ID.findall(text), *(word.strip(".,;:!?'\"()") for word in text.split())}


class Conversation:
    """One person, one model, one workspace. ``ask`` raises ModelError; the history stays valid then."""

    def __init__(self, model: Model, context: Context, system: str, sink: Sink, guard: Guard) -> None:
        self.model, self.context, self.system, self.sink, self.guard = model, context, system, sink, guard
        self.messages: list[dict[str, Any]] = []
        self.ledger = guard.ledger
        self._schemas = [tool.schema() for tool in TOOLS]
        self._shown: Status | None = None
        self._tables = True
        """Whether this request is one for the tables of a look; "why did 7_3 die?" is not."""

    def ask(self, text: str, *, typed: bool = False) -> Answer:
        """Answer one request. ``typed``: a person typed it at a terminal, so the ids in it are theirs."""
        answer = Answer("")
        text = self.context.place.redactor.clean(text)
        if typed:
            at = self.context.clock()
            self.ledger.see(Observation("typed", word, True, at, "terminal", "typed") for word in _typed(text))
        self.messages.append({"role": "user", "content": [{"type": "text", "text": text}]})
        meant = request_of(self.messages)
        self._tables = intent_of(meant) in {"status", "other"}
        if self._tables or wants_document(meant):
            self._want_documents()
        if wants_status(meant):
            # the person sees the true picture before the model has said a word
            self._look_first(answer)
        repaired = False
        while answer.calls < MAX_CALLS:
            turn = self._query(answer)
            if turn.tool_calls:
                self._execute(turn, answer)
                continue
            if turn.stop == "pause_turn":
                continue
            answer.text = turn.text
            if turn.stop in STOPPED:
                self.sink.note(f"{STOPPED[turn.stop]}{': ' + turn.detail if turn.detail else ''}")
                break
            wrong = contradictions(turn.text, self.ledger, self.guard.done)
            if not wrong:
                break
            if repaired:
                answer.corrections = wrong
                break
            repaired = True
            self.sink.note("the answer disagrees with what was seen; asking the model to correct it")
            self._say(prompts.render("repair.md.j2", problems=wrong))
        else:
            self.sink.note(f"stopped after {MAX_CALLS} model calls")
        self._complete(answer)
        return answer

    def interrupted(self) -> None:
        """Make the history whole again after Ctrl-C: a call without a result is answered as not run."""
        last = self.messages[-1] if self.messages else None
        if last and last["role"] == "assistant":
            open_calls = [block for block in last["content"] if block["type"] == "tool_use"]
            stopped = {"type": "tool_result", "content": "stopped by the person", "is_error": True}
            results = [{**stopped, "tool_use_id": call["id"]} for call in open_calls]
            if results:
                self.messages.append({"role": "user", "content": results})

    def _query(self, answer: Answer) -> Turn:
        with self.sink.busy(self.model.name):
            turn = self.model.respond(
                system=self.system, messages=self.messages, tools=self._schemas, on_text=self.sink.text
            )
        answer.calls += 1
        answer.usage = Usage(
            answer.usage.input + turn.usage.input,
            answer.usage.output + turn.usage.output,
            answer.usage.cache_read + turn.usage.cache_read,
            answer.usage.cache_write + turn.usage.cache_write,
        )
        calls = {id(block) for block in turn.tool_calls}
        # a call that will not be run must not stay in the history: it would have no result
        kept = [block for block in turn.content if block["type"] != "tool_use" or id(block) in calls]
        if kept:
            self.messages.append({"role": "assistant", "content": kept})
        return turn

    def _execute(self, turn: Turn, answer: Answer) -> None:
        results: list[dict[str, Any]] = []
        acts: list[tuple[int, ActTool, Mapping[str, Any]]] = []
        for number, call in enumerate(turn.tool_calls):
            tool = BY_NAME.get(call["name"])
            if isinstance(tool, ActTool):
                acts.append((number, tool, call["input"]))
                text, failed = "", False
            else:
                text, failed = self._read(tool, call["name"], call["input"], answer)
            result = {"type": "tool_result", "tool_use_id": call["id"], "content": text}
            results.append({**result, "is_error": True} if failed else result)
        # after all readings of the turn; those of one kind are put to the person together
        for (number, _, _), told in zip(acts, self._act(acts, answer), strict=True):
            results[number]["content"] = told.text
            if told.state != "done":
                results[number]["is_error"] = True
        self.messages.append({"role": "user", "content": results})
        if acts and self.guard.stopped:
            for line in dict.fromkeys(results[number]["content"] for number, _, _ in acts):
                self.sink.note(line)  # the model will not tell it any more
            raise KeyboardInterrupt

    def _act(self, acts: Sequence[tuple[int, ActTool, Mapping[str, Any]]], answer: Answer) -> Sequence[Told]:
        if not acts:
            return ()
        answer.tools += [tool.name for _, tool, _ in acts]
        with self.sink.busy(" ".join(dict.fromkeys(tool.name for _, tool, _ in acts)), {}):
            told = self.guard.act([(tool, values) for _, tool, values in acts])
        for (_, tool, _), one in zip(acts, told, strict=True):
            if tool.verb == "document":
                self._note_document(one)
        kept = self.context.place.workspace / ACTIVE_SWEEPS_MD
        acted = [one for (_, tool, _), one in zip(acts, told, strict=True) if tool.verb != "document"]
        if kept.is_file() and any(one.state == "done" for one in acted) and not self.guard.stopped:
            self._want_documents()
            self._note_document(self.guard.act([(UPDATE_ACTIVE_SWEEPS, {})])[0])
        answer.denied += [one.text for one in told if one.state == "denied"]
        answer.waits |= any(one.state == "waits" for one in told)
        for problem in self.guard.record.problems:
            self.sink.note(problem)
        self.guard.record.problems.clear()
        return told

    def _note_document(self, told: Told) -> None:
        """Tell the person what was written, or why it wasn't."""
        if told.state != "done" or told.text.startswith("DONE"):
            self.sink.note(told.text.removeprefix("DONE: document "))

    def _want_documents(self) -> None:
        at = self.context.clock()
        self.ledger.see(Observation("wanted", name, True, at, "terminal", "asked for") for name in DOCUMENTS)

    def _read(self, tool: Tool | None, name: str, values: Mapping[str, Any], answer: Answer) -> tuple[str, bool]:
        answer.tools.append(name)
        if tool is None:
            return f"there is no tool {name}; there are: {', '.join(BY_NAME)}", True
        try:
            with self.sink.busy(name, values):
                output = tool.run(self.context, tool.parse(values))
        except ToolError as error:
            return str(error), True
        return output.text + self._record(name, output, answer), False

    def _record(self, name: str, output: Output, answer: Answer) -> str:
        """Keep what was seen, show its tables where they were asked for, and tell the model which it was."""
        self.ledger.append(name, output.facts, self.context.clock())
        if output.status is None:
            return ""
        answer.status = output.status
        if self._tables and output.status is not self._shown:
            self._shown = output.status
            self.sink.report(output.status)
        seen = "sees these tables, with every link: don't repeat them" if self._tables else "has not been shown this"
        return f"\n(The person {seen}.)"

    def _look_first(self, answer: Answer) -> None:
        """The opening look and the documents it keeps, put into the history as the calls they are; the tables were
        asked for, seen before or not."""
        self._shown = None
        names = ["check_sweeps", "update_active_sweeps"]
        names += ["update_claude_md"] if (self.context.place.workspace / CLAUDE_MD).is_file() else []
        calls = tuple(
            {"type": "tool_use", "id": f"look_{len(self.messages)}_{number}", "name": name, "input": {}}
            for number, name in enumerate(names)
        )
        self.messages.append({"role": "assistant", "content": list(calls)})
        self._execute(Turn(calls, "tool_use"), answer)

    def _say(self, text: str) -> None:
        self.messages.append({"role": "user", "content": [{"type": "text", "text": text}]})

    def _complete(self, answer: Answer) -> None:
        """What the contract still lacks is supplied by code."""
        extra = closing(answer)
        if extra:
            self.sink.text(extra)
            answer.text += extra
            last = self.messages[-1]
            if last["role"] == "assistant":
                last["content"] = [*last["content"], {"type": "text", "text": extra}]
            else:
                self.messages.append({"role": "assistant", "content": [{"type": "text", "text": extra.strip()}]})
