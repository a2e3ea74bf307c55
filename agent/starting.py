"""From a yes to what came of it: read again, written down, started, and read back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.approval import Request
from agent.judging import Judging, Ready
from agent.policy import APPROVED_FOR_S
from agent.record import Record
from agent.told import Told, told_of
from agent.unsettled import Open
from tools.acts import Ran
from tools.base import Context, Denied, ToolError


class Starting:
    """Starts what a person has approved, and nothing else."""

    def __init__(self, context: Context, record: Record, judging: Judging) -> None:
        self._context, self._record, self._judging = context, record, judging

    def start(self, group: Sequence[Ready], nonce: str, request: Request) -> Iterator[tuple[Ready, Told | str]]:
        """Each act of an approved request, with what came of it or why it was not started; all are started before the
        first is read back. Raises OSError where another agent is changing something: then none was."""
        with self._record.acting():
            self._context.forget()
            started: list[tuple[Ready, Open, Ran]] = []
            for one in group:
                try:
                    opened = self._intend(one, nonce, request)
                except (Denied, ToolError, OSError) as error:  # those before it were started, and are read back
                    yield one, str(error)
                    continue
                ran = self._record.perform(one.tool, opened)
                started.append((one, self._record.ended(opened, ran), ran))
            self._context.forget()
            for one, opened, ran in started:
                yield one, self._read_back(one, opened, ran)

    def start_unasked(self, one: Ready) -> Told:
        """An act that needs no approval. Raises OSError or Denied where nothing was done."""
        with self._record.acting():
            opened = self._record.intend(one.action, one.action.binding(), one.verdict.seen, said=False)
            ran = self._record.perform(one.tool, opened)
            return self._read_back(one, self._record.ended(opened, ran), ran)

    def _intend(self, one: Ready, nonce: str, request: Request) -> Open:
        """The world once more, just before the start: the same thing, still allowed, within the time. Raises Denied."""
        now = self._judging.again(one, nonce)
        if not 0 <= request.expires - self._context.clock() <= APPROVED_FOR_S:
            raise Denied("the approval has run out: nothing was done")
        return self._record.intend(
            one.action, request.digest, now.verdict.seen, said=bool(one.action.says) and one.action.says in request.said
        )

    def _read_back(self, one: Ready, opened: Open, ran: Ran) -> Told:
        return told_of(one.action, self._record.settle(opened), ran, self._context.place.redactor)
