"""The one way to a change: propose, judge, ask a person, read again, start, write down, read what came of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent.approval import Approver, Decision, Request, request_for
from agent.audit import Audit
from agent.judging import Judging, Ready
from agent.ledger import Ledger
from agent.plans import Plans
from agent.record import Record
from agent.rules import RULES
from agent.starting import Starting
from agent.told import STOPPED, Told, declined, joined
from agent.unbroken import unbroken
from tools.actions.world import cluster_of
from tools.base import ActTool, Context, Denied, ToolError

_ANY = ""
"""Acts of every verb."""


class Guard:
    """Carries out acts of one conversation. Nothing else does."""

    def __init__(
        self, context: Context, ledger: Ledger, audit: Audit, approver: Approver, plans: Plans, tools: Sequence[ActTool]
    ) -> None:
        self.context, self.ledger, self.approver, self.plans = context, ledger, approver, plans
        self.record = Record(audit, context, ledger, tools)
        self._judging = Judging(context, ledger, self.record)
        self._starting = Starting(context, self.record, self._judging)
        self._done: list[str] = []
        self.stopped = False
        """Ctrl-C was pressed at a question or during an act; what was done by then is told all the same."""
        self.unanswered = False
        """Nobody answered a question in time."""

    @property
    def done(self) -> Sequence[str]:
        """The verbs of what was done in this conversation."""
        return self._done

    def act(self, calls: Sequence[tuple[ActTool, Mapping[str, Any]]]) -> list[Told]:
        """Carry out the calls of one finished turn, each as far as it may go; one answer a call, in order."""
        told: dict[int, list[Told]] = {number: [] for number in range(len(calls))}
        ready: list[Ready] = []
        refusals: dict[str, list[str]] = {}
        for number, (tool, values) in enumerate(calls):
            try:
                may, refused = self._judging.judged(number, tool, values)
            except Denied as denied:
                may, refused = [], [str(denied)]
            except ToolError as error:
                told[number].append(Told("failed", str(error)))
                continue
            ready += may
            told[number] += [self._denied(tool, values, why) for why in refused]
            refusals.setdefault(tool.verb, []).extend(refused)
        for one in [one for one in ready if not RULES[one.action.verb].asks]:
            self._do_unasked(one, told)
        self._ask([one for one in ready if RULES[one.action.verb].asks], refusals, told)
        clean = self.context.place.redactor.clean
        whole = [joined(told[number]) for number in range(len(calls))]
        return [replace(one, text=clean(one.text)) for one in whole]

    def settle(self) -> list[str]:
        """Settle by reading what an earlier process started and did not see the end of; a line for each."""
        return self.record.settle_all()

    # --- the question ------------------------------------------------------------------------------------

    def _ask(self, ready: Sequence[Ready], refusals: dict[str, list[str]], told: dict[int, list[Told]]) -> None:
        """Put it to the person in as many requests as it takes, until they say no."""
        over: dict[str, Told] = {}
        self.stopped = self.unanswered = False
        for group in self._groups(ready, refusals, told):
            verb = group[0].action.verb
            if unasked := over.get(verb) or over.get(_ANY):
                self._tell(group, told, unasked)
            else:
                decision = self._ask_and_do(group, refusals.pop(verb, []), told)
                self.unanswered = decision == "expired"
                if self.stopped or self.unanswered:
                    over[_ANY] = Told("declined", STOPPED if self.stopped else "NOT DONE: not asked: nobody is there")
                elif decision in ("no", "agreed", "other"):  # one is enough: a person is not asked again and again
                    over[verb] = Told("declined", "NOT DONE: not asked again: such an act was just not approved")

    def _groups(
        self, ready: Sequence[Ready], refusals: Mapping[str, Sequence[str]], told: dict[int, list[Told]]
    ) -> Iterator[list[Ready]]:
        """What one question is asked for: acts of one verb, as many as its rule allows and a screen shows."""
        seen: set[str] = set()
        waiting: dict[tuple[str, str], list[Ready]] = {}
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

    def _request(self, group: Sequence[Ready], nonce: str, refused: Sequence[str] = ()) -> Request:
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

    def _ask_and_do(self, group: list[Ready], refused: Sequence[str], told: dict[int, list[Told]]) -> Decision | None:
        """What the person decided; None where nothing could be put to them."""
        nonce = secrets.token_hex(8)
        request = self._request(group, nonce, refused)
        if refused and not request.fits:
            request = self._request(group, nonce, (f"{len(refused)} more of these; the answer says why",))
        if not request.fits:
            why = f"the request for it takes {len(request.lines)} lines: a person could not read it whole"
            self._tell(group, told, self._denied(group[0].tool, group[0].values, why))
            return None
        decision = self.approver.ask(request)
        if decision == "nobody":
            self._tell(group, told, self._kept(group, request))
        elif decision != "yes":
            self.record.write("declined", {"verb": group[0].action.verb, "digest": request.digest, "how": decision})
            self.stopped = decision == "stopped"
            self._tell(group, told, declined(decision, request.confirm))
        else:
            with unbroken() as pressed:
                self._do(group, nonce, request, told)
            self.stopped = bool(pressed)
        return decision

    def _kept(self, group: list[Ready], request: Request) -> Told:
        """Nobody can be asked: a plan waits for a person in a terminal."""
        clean = self.context.place.redactor.clean_all
        calls = {one.call: (one.tool.name, clean(one.values)) for one in group}
        try:
            plan = self.plans.keep(list(calls.values()), request, self.context.clock())
        except OSError as error:
            why = f"there is no terminal, and no plan can be kept ({error}): nothing was done"
            return self._denied(group[0].tool, group[0].values, why)
        self.record.write("waits", {"verb": group[0].action.verb, "digest": request.digest, "plan": plan})
        return Told(
            "waits", f"NOT DONE: nobody could be asked, since there is no terminal. In one: agent approve {plan}", plan
        )

    # --- what follows ------------------------------------------------------------------------------------

    def _do(self, group: list[Ready], nonce: str, request: Request, told: dict[int, list[Told]]) -> None:
        try:
            for one, came in self._starting.start(group, nonce, request):
                told[one.call].append(self._denied(one.tool, one.values, came) if isinstance(came, str) else came)
                if told[one.call][-1].state == "done":
                    self._done.append(one.action.verb)
        except OSError as error:
            self._tell(group, told, Told("denied", f"DENIED: {error.strerror or error}: nothing was done"))

    def _do_unasked(self, one: Ready, told: dict[int, list[Told]]) -> None:
        try:
            told[one.call].append(self._starting.start_unasked(one))
        except (OSError, Denied) as error:
            told[one.call].append(Told("denied", f"DENIED: {error}: nothing was written"))

    def _denied(self, tool: ActTool, values: Mapping[str, Any], reason: str) -> Told:
        self.record.write("denied", {"tool": tool.name, "input": dict(values), "reason": reason})
        return Told("denied", f"DENIED: {reason}")

    @staticmethod
    def _tell(group: Sequence[Ready], told: dict[int, list[Told]], what: Told) -> None:
        for one in group:
            told[one.call].append(what)
