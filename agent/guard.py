"""The one way to a change: propose, judge, ask a person, read again, start, write down, read what came of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent.approval import Approver, Request, request_for
from agent.audit import Audit
from agent.ledger import Ledger
from agent.plans import Plans
from agent.policy import APPROVED_FOR_S, Verdict, judge
from agent.record import Record
from agent.rules import RULES
from agent.told import State, Told, changed_between, joined, told_of
from agent.unbroken import unbroken
from agent.unsettled import Open
from tools.actions.world import cluster_of
from tools.acts import Action, Outcome, Ran
from tools.base import ActTool, Args, Context, Denied, ToolError

_STOPPED = "NOT DONE: the person stopped it"


@dataclass(slots=True)
class _Ready:
    call: int
    tool: ActTool
    args: Args
    values: Mapping[str, Any]
    action: Action
    verdict: Verdict


class Guard:
    """Carries out acts of one conversation. Nothing else does."""

    def __init__(
        self, context: Context, ledger: Ledger, audit: Audit, approver: Approver, plans: Plans, tools: Sequence[ActTool]
    ) -> None:
        self.context, self.ledger, self.approver, self.plans = context, ledger, approver, plans
        self.record = Record(audit, context, ledger, tools)
        self._done: list[str] = []
        self.stopped = False
        """Ctrl-C was pressed at a question or during an act; what was done by then is told all the same."""

    @property
    def done(self) -> Sequence[str]:
        """The verbs of what was done in this conversation."""
        return self._done

    def act(self, calls: Sequence[tuple[ActTool, Mapping[str, Any]]]) -> list[Told]:
        """Carry out the calls of one finished turn, each as far as it may go; one answer a call, in order."""
        told: dict[int, list[Told]] = {number: [] for number in range(len(calls))}
        ready: list[_Ready] = []
        refusals: dict[str, list[str]] = {}
        for number, (tool, values) in enumerate(calls):
            try:
                ready += self._judged(number, tool, tool.parse(values), values)
            except Denied as denied:
                told[number].append(self._denied(tool, values, str(denied)))
                refusals.setdefault(tool.verb, []).append(str(denied))
            except ToolError as error:
                told[number].append(Told("failed", str(error)))
        for one in [one for one in ready if not RULES[one.action.verb].asks]:
            self._do_unasked(one, told)
        refused: set[str] = set()
        self.stopped = False
        for group in self._groups([one for one in ready if RULES[one.action.verb].asks], refusals, told):
            verb = group[0].action.verb
            if self.stopped:
                self._tell(group, told, Told("declined", _STOPPED))
                continue
            if verb in refused:
                # one "no" is enough: a person is not asked again and again
                self._tell(group, told, Told("declined", "not asked again: the person declined such an act just now"))
                continue
            state = self._ask_and_do(group, refusals.pop(verb, []), told)
            if state == "declined":
                refused.add(verb)
        clean = self.context.place.redactor.clean
        whole = [joined(told[number]) for number in range(len(calls))]
        return [replace(one, text=clean(one.text)) for one in whole]

    def settle(self) -> list[str]:
        """Settle by reading what an earlier process started and did not see the end of; a line for each."""
        return self.record.settle_all()

    # --- before the question -----------------------------------------------------------------------------

    def _judged(
        self, number: int, tool: ActTool, args: Args, values: Mapping[str, Any], only: str | None = None
    ) -> list[_Ready]:
        """What a call comes to; with ``only`` that subject, whatever has become of the others by now."""
        self.record.know_submitted()
        ready = []
        for proposal in tool.propose(self.context, args):
            if only not in (None, proposal.action.subject):
                continue
            self.ledger.see((*proposal.seen, self.record.settled(proposal.action.subject)))
            verdict = judge(proposal.action, self.ledger, self.context.clock())
            if not verdict.allowed:
                raise Denied(f"{proposal.action.verb} {proposal.action.subject}: {verdict.why}")
            ready.append(_Ready(number, tool, args, values, proposal.action, verdict))
        return ready

    def _groups(
        self, ready: Sequence[_Ready], refusals: Mapping[str, Sequence[str]], told: dict[int, list[Told]]
    ) -> Iterator[list[_Ready]]:
        """What one question is asked for: acts of one verb, as many as its rule allows and a screen shows."""
        seen: set[str] = set()
        waiting: dict[tuple[str, str], list[_Ready]] = {}
        for one in ready:
            if one.action.binding() in seen:
                told[one.call].append(Told("failed", f"{one.action.verb} {one.action.subject} was asked for twice"))
                continue
            seen.add(one.action.binding())
            waiting.setdefault((one.action.verb, one.action.together), []).append(one)
        for (verb, together), ones in waiting.items():
            asked_whole = bool(together) and self.ledger.latest("typed", together) is not None
            most = RULES[verb].most_if_typed if asked_whole else RULES[verb].most
            while ones:
                size = min(len(ones), most)
                while size > 1 and not self._request(ones[:size], "", refusals.get(verb, ())).fits:
                    size -= 1
                group, ones = ones[:size], ones[size:]
                yield group

    def _request(self, group: Sequence[_Ready], nonce: str, refused: Sequence[str] = ()) -> Request:
        return request_for(
            [one.action for one in group],
            [one.verdict for one in group],
            refused=refused,
            cluster=cluster_of(self.context.place),
            workspace=str(self.context.place.workspace),
            nonce=nonce,
            now=self.context.clock(),
            redactor=self.context.place.redactor,
        )

    # --- the question, and what follows ------------------------------------------------------------------

    def _ask_and_do(self, group: list[_Ready], refused: Sequence[str], told: dict[int, list[Told]]) -> State:
        nonce = secrets.token_hex(8)
        request = self._request(group, nonce, refused)
        if refused and not request.fits:
            request = self._request(group, nonce, (f"{len(refused)} more of these; the answer says why",))
        if not request.fits:
            why = f"the request for it takes {len(request.lines)} lines: a person could not read it whole"
            self._tell(group, told, self._denied(group[0].tool, group[0].values, why))
            return "denied"
        decision = self.approver.ask(request)
        if decision == "nobody":
            clean = self.context.place.redactor.clean_all
            calls = {one.call: (one.tool.name, clean(one.values)) for one in group}
            try:
                plan = self.plans.keep(list(calls.values()), request, self.context.clock())
            except OSError as error:
                why = f"there is no terminal, and no plan can be kept ({error}): nothing was done"
                self._tell(group, told, self._denied(group[0].tool, group[0].values, why))
                return "denied"
            self.record.write("waits", {"verb": group[0].action.verb, "digest": request.digest, "plan": plan})
            text = f"NOT DONE: nobody could be asked, since there is no terminal. In one: agent approve {plan}"
            self._tell(group, told, Told("waits", text, plan))
            return "waits"
        if decision != "yes":
            self.record.write("declined", {"verb": group[0].action.verb, "digest": request.digest, "how": decision})
            if decision == "stopped":
                self.stopped = True
                self._tell(group, told, Told("declined", _STOPPED))
                return "declined"
            words = "the time for it ran out" if decision == "expired" else "the person said no"
            self._tell(group, told, Told("declined", f"NOT DONE: {words}. Don't ask for it again unless they do"))
            return "declined"
        with unbroken() as pressed:
            self._do(group, nonce, request, told)
        self.stopped = bool(pressed)
        return "done"

    def _do(self, group: list[_Ready], nonce: str, request: Request, told: dict[int, list[Told]]) -> None:
        try:
            with self.record.acting():
                self._start_all(group, nonce, request, told)
        except OSError as error:
            self._tell(group, told, Told("denied", f"DENIED: {error.strerror or error}: nothing was done"))

    def _do_unasked(self, one: _Ready, told: dict[int, list[Told]]) -> None:
        try:
            with self.record.acting():
                opened = self.record.intend(one.action, one.action.binding())
                ran = one.tool.perform(self.context, one.action)
                told[one.call].append(self._told(one, self.record.settle(self.record.ended(opened, ran)), ran))
        except (OSError, Denied) as error:
            told[one.call].append(Told("denied", f"DENIED: {error}: nothing was written"))

    def _start_all(self, group: list[_Ready], nonce: str, request: Request, told: dict[int, list[Told]]) -> None:
        self.context.forget()
        started: list[tuple[_Ready, Open, Ran]] = []
        for one in group:
            try:
                opened = self._intend(one, nonce, request)
            except (Denied, ToolError, OSError) as error:  # those before it were started, and are read back
                told[one.call].append(self._denied(one.tool, one.values, str(error)))
                continue
            ran = one.tool.perform(self.context, one.action)
            started.append((one, self.record.ended(opened, ran), ran))
        self.context.forget()
        for one, opened, ran in started:
            told[one.call].append(self._told(one, self.record.settle(opened), ran))

    def _intend(self, one: _Ready, nonce: str, request: Request) -> Open:
        """The world once more, just before the start: the same thing, still allowed, within the time. Raises Denied."""
        subject = one.action.subject
        again = self._judged(one.call, one.tool, one.args, one.values, only=subject)
        if not again:
            raise Denied(f"{subject} is no longer what it was: nothing was done")
        changed = changed_between(one.action, again[0].action)
        if changed or again[0].action.binding(nonce) != one.action.binding(nonce):
            raise Denied(f"{subject} changed after the approval ({changed or 'another command'}): nothing was done")
        if not 0 <= request.expires - self.context.clock() <= APPROVED_FOR_S:
            raise Denied("the approval has run out: nothing was done")
        return self.record.intend(one.action, request.digest)

    def _told(self, one: _Ready, outcome: Outcome, ran: Ran) -> Told:
        if outcome.state == "done":
            self._done.append(one.action.verb)
        return told_of(one.action, outcome, ran, self.context.place.redactor)

    # --- what is told --------------------------------------------------------------------------------------

    def _denied(self, tool: ActTool, values: Mapping[str, Any], reason: str) -> Told:
        self.record.write("denied", {"tool": tool.name, "input": dict(values), "reason": reason})
        return Told("denied", f"DENIED: {reason}")

    @staticmethod
    def _tell(group: Sequence[_Ready], told: dict[int, list[Told]], what: Told) -> None:
        for one in group:
            told[one.call].append(what)
