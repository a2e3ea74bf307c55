"""Whether an act may be put to a person: one pure judge over the rules and what was seen.

An act without a rule, and a need without a fresh observation that meets it, is denied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from agent.ledger import Ledger
from agent.needs import Need, Rule
from agent.rules import RULES
from tools.acts import Action, Observation, Value

APPROVED_FOR_S = 300.0
"""An approval is for the first start within so many seconds."""


@dataclass(frozen=True, slots=True)
class Check:
    need: Need
    state: Literal["ok", "no", "unknown"]
    seen: Observation | None
    by_word: bool = False
    """It is met by what a person has typed, since no source could tell."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a person may be asked, and each need as it stands."""

    allowed: bool
    checks: tuple[Check, ...]
    why: str = ""
    """Why not, for the model and the person; empty where it is allowed."""


def judge(action: Action, ledger: Ledger, now: float, rules: Mapping[str, Rule] = RULES) -> Verdict:
    """Whether ``action`` may be put to a person (or, after that, started) at ``now`` (epoch seconds). Pure."""
    rule = rules.get(action.verb)
    if rule is None:
        return Verdict(False, (), f"there is no rule for {action.verb}, so it is denied")
    needed = tuple(_check(need, action, ledger, now) for need in rule.all_of)
    either = tuple(_check(need, action, ledger, now) for need in rule.any_of)
    missing = [check for check in needed if check.state != "ok"]
    if missing:
        return Verdict(False, (*needed, *either), "; ".join(map(_why, missing)))
    if either and not any(check.state == "ok" for check in either):
        return Verdict(False, (*needed, *either), "; or ".join(map(_why, either)))
    return Verdict(True, (*needed, *(check for check in either if check.state == "ok")))


def _check(need: Need, action: Action, ledger: Ledger, now: float) -> Check:
    subjects: Iterable[str] = action.names if need.any_name else (action.subject,)
    best: Check | None = None
    for subject in subjects:
        seen = ledger.latest(need.kind, subject)
        if seen is None:
            continue
        fresh = need.max_age is None or 0 <= now - seen.at <= need.max_age
        if fresh and seen.value in need.accepts:
            return Check(need, "ok", seen)
        if fresh and need.unless_typed and _all_typed(seen.value, ledger):
            return Check(need, "ok", seen, by_word=True)
        known = fresh and isinstance(seen.value, bool)
        best = best or Check(need, "no" if known else "unknown", seen)
    return best or Check(need, "unknown", None)


def _all_typed(value: Value, ledger: Ledger) -> bool:
    """Whether the value is ids, each of which a person has typed."""
    return isinstance(value, str) and all(ledger.latest("typed", one) is not None for one in value.split() or [""])


def _why(check: Check) -> str:
    word = "is not so" if check.state == "no" else "is not known"
    told = f" ({check.seen.text})" if check.seen and check.seen.text else ""
    return f"needed that {check.need.says}, which {word}{told}: {check.need.help}"
