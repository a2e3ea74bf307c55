"""The part of a request that says what was seen: each need that is met, and what rests on a person's word alone."""

from __future__ import annotations

from collections.abc import Sequence

from agent.folding import WIDTH
from agent.needs import FRESH_S
from agent.policy import Check, Verdict
from agent.rules import RULES
from tools.acts import Action
from tools.text import one_line, some

SEEN_CHARS = 160


def in_full(verdict: Verdict, now: float) -> list[str]:
    """A line for each need, with what was seen, its source and its age."""
    return [f" [ok] {check.says}{_told(check, SEEN_CHARS)}{_age(check, now)}" for check in _met(verdict)]


def one_each(verdict: Verdict, *, rows: int) -> list[str]:
    """At most so many ``rows`` of the screen for each need, and one age for all."""
    chars = rows * (WIDTH - 4)
    told = (one_line(f"[ok] {check.says}{_told(check, SEEN_CHARS)}", chars) for check in _met(verdict))
    return [f" read within {FRESH_S:.0f} s:", *(f" {line}" for line in told)]


def packed(verdict: Verdict, chars: int) -> list[str]:
    """All of them one after the other: ``chars`` of what was seen of each."""
    told = [f"{check.says}{f' ({one_line(check.told, chars)})' if check.told else ''}" for check in _met(verdict)]
    return [f" [ok] read within {FRESH_S:.0f} s: {'; '.join(told)}"]


def of_several(verdicts: Sequence[Verdict]) -> list[str]:
    """What is so of each of several acts, then what is so of some of them, by their numbers."""
    found: dict[str, list[int]] = {}
    for number, verdict in enumerate(verdicts, 1):
        for says in dict.fromkeys(check.says for check in _met(verdict)):
            found.setdefault(says, []).append(number)
    of_each = [says for says, numbers in found.items() if len(numbers) == len(verdicts)]
    some_of = [
        f"of {', '.join(map(str, numbers))}: {says}" for says, numbers in found.items() if len(numbers) < len(verdicts)
    ]
    return [f" [ok] of each: {'; '.join(of_each)}", *(f" [ok] {line}" for line in some_of)]


def by_word(verdicts: Sequence[Verdict]) -> list[str]:
    """What no source told, and a person's word has to stand for."""
    told = [check.told for verdict in verdicts for check in verdict.checks if check.by_word]
    return [f" by your word alone: {text}; you typed its id" for text in dict.fromkeys(told)]


def by_sweep(actions: Sequence[Action], verdicts: Sequence[Verdict]) -> list[str]:
    """Which acts nothing allows but that a person typed the id of their sweep, which is more than each of them."""
    lines: dict[str, list[str]] = {}
    for action, verdict in zip(actions, verdicts, strict=True):
        either = [check for check in _met(verdict) if check.need in RULES[action.verb].any_of]
        if either and all(check.of for check in either):
            lines.setdefault(either[0].of, []).append(action.subject)
    return [
        f" YOU NAMED ONLY the sweep {sweep}, not {some(subjects, 6)}: nothing else allows this"
        for sweep, subjects in lines.items()
    ]


def _met(verdict: Verdict) -> list[Check]:
    return [check for check in verdict.checks if check.state == "ok"]


def _told(check: Check, chars: int) -> str:
    return one_line(f": {check.told}", chars) if check.told else ""


def _age(check: Check, now: float) -> str:
    if check.seen is None or check.need.max_age is None:
        return ""
    return f" ({check.seen.source}, {max(0.0, now - check.seen.at):.0f} s old)"
