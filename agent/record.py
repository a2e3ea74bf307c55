"""The audit as the guard uses it: what is begun, ended and read back, and what earlier processes left open."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from agent.audit import Audit
from agent.ledger import Ledger
from agent.running import HERE, Running
from agent.unsettled import Acts, Open, SettleError
from tools.actions.submitted import printed_jobs
from tools.actions.world import cluster_of
from tools.acts import Action, Observation, Outcome, Ran
from tools.base import ActTool, Context, Denied


class Record:
    """Writes each step of an act down, and settles by reading what nobody saw the end of."""

    def __init__(self, audit: Audit, context: Context, ledger: Ledger, tools: Sequence[ActTool]) -> None:
        self._audit, self._context, self._ledger = audit, context, ledger
        self._acts = Acts(audit)
        self._running = Running(audit.path.parent / "running")
        self._tools = {tool.verb: tool for tool in tools}
        self.problems: list[str] = []
        """What could not be written down; for the person."""

    def acting(self) -> AbstractContextManager[None]:
        """Held while something is changed. Raises OSError where another agent holds it."""
        return self._audit.acting()

    def intend(self, action: Action, digest: str, seen: Sequence[str], *, said: bool) -> Open:
        """Write down what is about to be started, before it is, and what it rests on; ``said``: the agent's own words
        stood in the request. Raises Denied where that can't be written."""
        act, now = secrets.token_hex(8), self._context.clock()
        cluster = cluster_of(self._context.place)
        content = {"act": act, "verb": action.verb, "action": action.to_record(), "digest": digest, "cluster": cluster}
        basis: dict[str, Any] = {"host": HERE, "seen": list(seen), "says_shown": said}
        try:
            self._context.held = self._running.begin(act)
            self._audit.append("intended", now, self._clean(content | basis))
        except OSError as error:
            self._running.end(act)
            raise Denied(f"the audit can't be written ({error}), and nothing is changed without it") from None
        return Open(act, action, now, cluster=cluster, host=HERE)

    def perform(self, tool: ActTool, one: Open) -> Ran:
        """Do it; while it lasts, others see that it is under way."""
        try:
            return tool.perform(self._context, one.action)
        finally:
            self._context.held = None
            self._running.end(one.act)

    def ended(self, one: Open, ran: Ran) -> Open:
        """Write down how the program of an act ended."""
        said = {"out": ran.out[-2000:], "err": ran.err[-2000:], "seconds": ran.seconds}
        self.write("done", {"act": one.act, "code": ran.code, **said})
        # the next act of the same approval is judged before this one is read back: whose the new jobs are is known now
        self._acts.know((one.action.subject, job) for job in printed_jobs(ran.out))
        return replace(one, ran=ran)

    def write(self, kind: str, content: Mapping[str, Any]) -> None:
        """For what has happened already: it can't be undone when the record can't be written."""
        try:
            self._audit.append(kind, self._context.clock(), self._clean(content))
        except OSError as error:
            self.problems.append(f"the audit could not be written: {error}")

    def settle_all(self) -> list[str]:
        """Settle all that is open; a line for each that could be."""
        try:
            left = self._acts.open()
        except SettleError as error:
            return [str(error)]
        told = [(one, self.settle(one)) for one in left]
        return [f"{one.action.verb} {one.action.subject}, begun at {one.clock}: {said.text}" for one, said in told]

    def settled(self, subject: str) -> Observation:
        """Whether no act on the subject is of unknown outcome; one that is, is looked at again first."""
        try:
            told = [(one, self.settle(one)) for one in self._acts.open() if one.action.subject == subject]
            left = [f"{one.action.verb} at {one.clock}: {said.text}" for one, said in told if said.state == "unknown"]
        except SettleError as error:
            return Observation("settled", subject, None, self._context.clock(), "audit", str(error))
        return Observation("settled", subject, not left, self._context.clock(), "audit", (*left, "none is open")[0])

    def settle(self, one: Open) -> Outcome:
        """Read what came of an act, and close it in the record where that is certain."""
        tool = self._tools.get(one.action.verb)
        if tool is None:
            return Outcome("unknown", f"{one.action.verb} is no act of this version")
        if one.cluster not in (None, here := cluster_of(self._context.place)):
            return Outcome("unknown", f"it was begun on cluster {one.cluster}, and {here} tells nothing of it")
        host = one.elsewhere(HERE) if one.ran is None else ""
        # a lock that was taken on another machine need not be seen on this one, so it is left alone
        if one.ran is None and not host and (lives := self._running.under_way(one.act)):
            return Outcome("unknown", f"{lives}: what came of it is read when that has ended")
        outcome = tool.settle(self._context, one.action, one.at, one.ran)
        if outcome.state == "not_done" and host:
            return Outcome(
                "unknown", f"{outcome.text}, but its program may still run on {host}: agent chat there tells"
            )
        if outcome.state == "not_done" and not one.settled_by(self._context.clock()):
            # a controller that hung may still carry it out: only a later reading can tell that it did not
            if one.looked is None:
                self.write("looked", {"act": one.act})
            outcome = Outcome("unknown", f"what came of it is not known yet: {outcome.text}")
        if outcome.state != "unknown":
            jobs = [(seen.subject, str(seen.value)) for seen in outcome.seen if seen.kind == "submitted"]
            self.write("verified", {"act": one.act, "state": outcome.state, "text": outcome.text, "submitted": jobs})
            self._acts.know(jobs)
            at = self._context.clock()
            self._ledger.see((*outcome.seen, *(Observation("seen", job, "submitted", at, "squeue") for _, job in jobs)))
        return outcome

    def know_submitted(self) -> None:
        """Tell the tools what this program has submitted and done for whom. Raises Denied if it can't be read."""
        try:
            self._context.submitted, self._context.done = self._acts.submitted(), self._acts.done()
        except SettleError as error:
            raise Denied(f"{error}. Nothing is changed without it") from None

    def _clean(self, content: Mapping[str, Any]) -> dict[str, Any]:
        cleaned: dict[str, Any] = self._context.place.redactor.clean_all(content)
        return cleaned
