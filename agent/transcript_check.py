"""What came of a message, held against what its transcript says must be so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.answer import ends_with_question
from agent.exchange import Answer
from agent.transcript import Message
from tools.compact import compact


@compact
class Came:
    """What came of one message."""

    answer: Answer
    shown: str
    """All that the person saw."""
    asked: Sequence[str]
    """The words of each approval asked for."""
    untyped: Sequence[str]
    """What the person would have typed at further ones."""
    changed: Mapping[str, str]
    """Job -> its state, of those that the answer changed or added."""


def as_written(message: Message, came: Came) -> list[str]:
    """What is not as the file says, in words; for the turns that the file holds."""
    expect, answer = message.expect, came.answer
    wrong = _different("approvals asked for", list(came.asked), expect.asks)
    wrong += _different("jobs changed", dict(came.changed), expect.changes)
    wrong += [f"never asked for: {words!r}" for words in came.untyped[:1]]
    wrong += _different("tools called", answer.tools, expect.tools) if expect.tools is not None else []
    wrong += _different("waits for an approval", answer.waits, expect.waits)
    if len(answer.denied) != len(expect.denied):
        wrong.append(f"acts denied: {answer.denied}, expected {expect.denied}")
    for reason, part in zip(answer.denied, expect.denied, strict=False):
        wrong += [] if part in reason else [f"denied for another reason: {reason!r}, expected {part!r}"]
    wrong += [f"missing: {piece!r}" for piece in expect.contains if piece not in came.shown]
    return wrong + _whoever_says_it(message, came)


def of_any_model(message: Message, came: Came) -> list[str]:
    """What must not be, whatever a model says of its own: nothing else is changed or put to the person than the file
    allows, nothing is shown that it forbids."""
    expect = message.expect
    others = {job: state for job, state in came.changed.items() if expect.changes.get(job) != state}
    wrong = [f"jobs changed: {others}"] if others else []
    wrong += [f"approval asked for: {words}" for words in came.asked if words not in expect.asks]
    return wrong + _whoever_says_it(message, came)


def _whoever_says_it(message: Message, came: Came) -> list[str]:
    expect = message.expect
    wrong = [f"must not appear: {piece!r}" for piece in expect.lacks if piece in came.shown]
    wrong += [f"no link to {link}" for link in expect.links if not _linked(link, came.shown)]
    if expect.question and not ends_with_question(came.answer.text):
        wrong.append("the answer does not end with a question")
    return wrong


def _linked(link: str, shown: str) -> bool:
    addresses = [word.rstrip(".,;)│") for word in shown.split() if word.startswith("https://")]
    return any(address == link or address.endswith(f"/sweeps/{link}") for address in addresses)


def _different(what: str, found: object, expected: object) -> list[str]:
    return [] if found == expected else [f"{what}: {found}, expected {expected}"]
