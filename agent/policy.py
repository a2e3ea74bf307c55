"""Whether an act may be put to a person: one pure judge over the rules and what was seen.

An act without a rule, and a need without a fresh observation that meets it, is denied.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from agent.ledger import Ledger
from agent.needs import TYPED, Need, Rule
from agent.rules import RULES
from tools.acts import Action, Observation, Value
from tools.compact import compact

APPROVED_FOR_S = 300.0
"""An approval is for the first start within so many seconds."""


@compact
class Check:
    need: Need
    state: Literal["ok", "no", "unknown"]
    seen: Observation | None
    by_word: bool = False
    """It is met by what a person has typed, since no source could tell."""
    told: str = ""
    """What was seen, in a few words."""
    of: str = ""
    """The sweep whose id was typed, where none of the act's own was."""

    @property
    def says(self) -> str:
        """What is so, for a person: of a typed id, whose it is."""
        if self.of:
            return f"the id of its sweep {self.of} was typed here, not its own"
        return TYPED.says if self.need.of_sweep else self.need.says


@compact
class Verdict:
    """Whether a person may be asked, and each need as it stands."""

    allowed: bool
    checks: tuple[Check, ...]
    why: str = ""
    """Why not, for the model and the person; empty where it is allowed."""

    @property
    def seen(self) -> tuple[str, ...]:
        """What it rests on, a line for each need that is met."""
        met = (check for check in self.checks if check.state == "ok")
        return tuple(f"{check.says}{f': {check.told}' if check.told else ''}" for check in met)


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
    if need.any_name:
        return _named(need, action, ledger)
    seen = ledger.latest(need.kind, action.subject)
    if seen is None:
        return Check(need, "unknown", None)
    fresh = need.max_age is None or 0 <= now - seen.at <= need.max_age
    if fresh and seen.value in need.accepts:
        return Check(need, "ok", seen, told=seen.text)
    if fresh and need.unless_typed and _all_typed(seen.value, ledger):
        return Check(need, "ok", seen, by_word=True, told=seen.text)
    return Check(need, "no" if fresh and isinstance(seen.value, bool) else "unknown", seen, told=seen.text)


def _named(need: Need, action: Action, ledger: Ledger) -> Check:
    """Whether a person has named the act by one of its own ids, or by its sweep's where that is enough."""
    for name in action.names:
        if (seen := ledger.latest(need.kind, name)) and seen.value in need.accepts:
            return Check(need, "ok", seen, told=name)
    for sweep in action.within:
        if (seen := ledger.latest(need.kind, sweep)) and seen.value in need.accepts:
            if need.of_sweep:
                return Check(need, "ok", seen, of=sweep)
            return Check(need, "no", seen, told=f"only the id of its sweep {sweep} was typed here")
    return Check(need, "unknown", None)


def _all_typed(value: Value, ledger: Ledger) -> bool:
    """Whether the value is ids, each of which a person has typed."""
    return isinstance(value, str) and all(ledger.latest("typed", one) is not None for one in value.split() or [""])


def _why(check: Check) -> str:
    word = "is not so" if check.state == "no" else "is not known"
    told = f" ({check.told})" if check.told else ""
    return f"needed that {check.need.says}, which {word}{told}: {check.need.help}"
