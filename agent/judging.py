"""What of a call may be put to a person: proposed from the world as it is, and held against the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.ledger import Ledger
from agent.policy import Verdict, judge
from agent.record import Record
from agent.told import changed_between
from tools.acts import Action, Proposal, Refused
from tools.base import ActTool, Context, Denied


@dataclass(slots=True)
class Ready:
    """One act that a person may be asked about."""

    call: int
    tool: ActTool
    values: Mapping[str, Any]
    action: Action
    verdict: Verdict


class Judging:
    """Reads the world for a call and judges each act that it comes to."""

    def __init__(self, context: Context, ledger: Ledger, record: Record) -> None:
        self._context, self._ledger, self._record = context, ledger, record

    def judged(self, call: int, tool: ActTool, values: Mapping[str, Any]) -> tuple[list[Ready], list[str]]:
        """The acts of a call that may be asked for, and why each of the others may not. Raises Denied or ToolError
        where the call as a whole comes to nothing."""
        self._record.know_submitted()
        ready, refused = list[Ready](), list[str]()
        for proposal in tool.propose(self._context, tool.parse(values)):
            try:
                ready.append(self._one(call, tool, values, proposal))
            except Denied as why:
                refused.append(str(why))
        return ready, refused

    def again(self, one: Ready, nonce: str) -> Ready:
        """The same act as it is judged now, just before its start, whatever became of the others of its call. Raises
        Denied where it is no longer allowed or another one, and ToolError."""
        subject = one.action.subject
        self._record.know_submitted()
        proposals = one.tool.propose(self._context, one.tool.parse(one.values))
        same = [now for now in proposals if now.subject == subject]
        if not same:
            raise Denied(f"{subject} is no longer what it was: nothing was done")
        bound = one.action.binding(nonce)  # one run may have checkpoints in two roots, which are two acts
        proposal = next(
            (now for now in same if isinstance(now, Proposal) and now.action.binding(nonce) == bound), same[0]
        )
        now = self._one(one.call, one.tool, one.values, proposal)
        changed = changed_between(one.action, now.action)
        if changed or now.action.binding(nonce) != bound:
            raise Denied(f"{subject} changed after the approval ({changed or 'another command'}): nothing was done")
        return now

    def _one(self, call: int, tool: ActTool, values: Mapping[str, Any], proposal: Proposal | Refused) -> Ready:
        """Raises Denied."""
        if isinstance(proposal, Refused):
            raise Denied(proposal.why)
        action = proposal.action
        self._ledger.see((*proposal.seen, self._record.settled(action.subject)))
        verdict = judge(action, self._ledger, self._context.clock())
        if not verdict.allowed:
            raise Denied(f"{action.verb} {action.subject}: {verdict.why}")
        return Ready(call, tool, values, action, verdict)
