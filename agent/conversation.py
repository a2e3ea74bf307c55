"""The loop: ask the model, run what it calls, check what it says. Query, execute, repeat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import prompts
from agent import bugs, said
from agent.acting import Acting, Call
from agent.answer import contradictions, jobs_named
from agent.exchange import STOPPED, Answer, Sink, closing, opening_calls
from agent.follow_ups import request_of, turned_down
from agent.guard import Guard
from agent.intents import intent_of, wants_document, wants_status
from agent.models import Model, ModelError, Turn
from agent.outside import as_data
from agent.thread import Thread
from tools.base import ActTool, Context, Output, Tool, ToolError
from tools.registry import BY_NAME
from tools.status import Status

MAX_CALLS = 12
"""Model calls for one request of the person."""


class Conversation:
    """One person, one model, one workspace. ``ask`` raises ModelError; the history stays valid then."""

    def __init__(self, model: Model, context: Context, thread: Thread, sink: Sink, guard: Guard) -> None:
        self.model, self.context, self.thread, self.sink, self.guard = model, context, thread, sink, guard
        self.messages = thread.messages
        self.ledger = guard.ledger
        self.answer = Answer("")
        """To the newest request, also where that failed."""
        self._shown: Status | None = None
        self._tables = True
        """Whether this request is one for the tables of a look; "why did 7_3 die?" is not."""
        self._acting = Acting(context, thread, sink, guard)

    def ask(self, text: str, *, typed: bool = False, piped: str = "") -> Answer:
        """Answer one request. ``typed``: a person typed it at a terminal, so the ids in it are theirs; ``piped``: text
        that came with it from elsewhere, and is nobody's word."""
        answer, redactor = Answer(""), self.context.place.redactor
        self.answer = answer
        text = redactor.clean(text)
        if typed:
            self.ledger.see(said.typed(text, self.context.clock()))
        self.thread.say(*([as_data(piped, redactor)] if piped.strip() else []), text)
        self.context.declined |= turned_down(self.messages)
        meant = request_of(self.messages)
        self._tables = intent_of(meant) in {"status", "other"}
        if self._tables or wants_document(meant):
            self.ledger.see(said.wanted(self.context.clock()))
        try:
            if wants_status(meant):
                # the person sees the true picture before the model has said a word
                self._look_first(answer)
            self._converse(answer, meant)
        except (ModelError, KeyboardInterrupt):
            self._acting.tell()
            raise
        finally:
            self.thread.keep()
        self._complete(answer)
        return answer

    def interrupted(self) -> None:
        """Make the history whole again after Ctrl-C."""
        self.thread.close_open_calls()

    def _converse(self, answer: Answer, asked: str) -> None:
        repaired = False
        while answer.calls < MAX_CALLS:
            turn = self.thread.next_turn(self.model, answer)
            if turn.tool_calls:
                self._execute(turn, answer)
                continue
            if turn.stop == "pause_turn":
                continue
            answer.text = turn.text
            if turn.stop in STOPPED:
                answer.problem = f"{STOPPED[turn.stop]}{': ' + turn.detail if turn.detail else ''}"
                break
            if not turn.text.strip():
                answer.problem = "the model gave an empty answer"
                break
            self._acting.untold = []
            wrong = contradictions(turn.text, self.ledger, self.guard.done, asked, old=self.thread.old > 0)
            if not wrong or repaired:
                answer.corrections = wrong
                break
            repaired = True
            self.sink.note(f"the answer disagrees with what was seen ({wrong[0]}); asking the model to correct it")
            self.thread.say(prompts.render("repair.md.j2", problems=wrong))
        else:
            answer.problem = f"stopped after {MAX_CALLS} model calls"
        if answer.problem:
            self.sink.note(answer.problem)
            self._acting.tell()

    def _execute(self, turn: Turn, answer: Answer) -> None:
        results: list[dict[str, Any]] = []
        acts: list[Call] = []
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
        for (number, _, _), told in zip(acts, self._acting.carry_out(acts, answer), strict=True):
            results[number]["content"] = told.text
            if told.state != "done":
                results[number]["is_error"] = True
        self.thread.results(results)
        # not in an error: that only repeats what the model itself has called for
        read = (result["content"] for result in results if "is_error" not in result)
        self.ledger.named.update(job for text in read for job in jobs_named(text))
        if acts and self.guard.stopped:
            self._acting.untold = [results[number]["content"] for number, _, _ in acts]
            self._acting.tell()  # the model will not tell it any more
            raise KeyboardInterrupt

    def _read(self, tool: Tool | None, name: str, values: Mapping[str, Any], answer: Answer) -> tuple[str, bool]:
        answer.tools.append(name)
        if tool is None:
            return f"there is no tool {name}; there are: {', '.join(BY_NAME)}", True
        try:
            with self.sink.busy(name, values):
                output = tool.run(self.context, tool.parse(values))
        except ToolError as error:
            return str(error), True
        except Exception as error:  # noqa: BLE001 - a bug: recorded before it surfaces, and the conversation goes on
            told = f"{name}: {bugs.record(error)}"
            self.sink.note(told)
            return told, True
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
        calls = opening_calls(self.context.place.workspace, len(self.messages))
        self.messages.append({"role": "assistant", "content": list(calls)})
        self._execute(Turn(calls, "tool_use"), answer)

    def _complete(self, answer: Answer) -> None:
        """What the contract still lacks is supplied by code."""
        extra = closing(answer, self.context.declined)
        if extra:
            self.sink.text(extra)
            answer.text += extra
            self.thread.append_text(extra)
            self.thread.keep()
        if answer.cost.calls:
            self.sink.flush()
            session = self.thread.purse.session
            more = f"; this session {session.money()}" if session.calls > answer.cost.calls and session.dollars else ""
            self.sink.cost(f"{answer.cost.words()}{more}")
