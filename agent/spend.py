"""What a session has used of its model, in tokens and dollars, and whether it may use more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.config import Limits
from agent.models import Model, Usage
from agent.models.prices import Price, price_of


@dataclass(slots=True)
class Cost:
    """Of a request, or of a session."""

    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    dollars: float = 0.0
    unpriced: int = 0
    """Calls of models whose price is not known: their dollars are in no sum."""
    as_of: str | None = None
    """The day of the prices that were used, the oldest one."""

    def add(self, usage: Usage, price: Price | None) -> None:
        """Count one call."""
        self.calls, self.usage = self.calls + 1, self.usage + usage
        if price is None:
            self.unpriced += 1
            return
        self.dollars += price.dollars(usage)
        self.as_of = min(filter(None, (self.as_of, price.as_of.isoformat())))

    def words(self) -> str:
        """``2 calls, 41,200 tokens read (38,000 of them from the cache), 560 written, $0.0213``."""
        used = self.usage
        taken = used.input + used.cache_read + used.cache_write
        tokens = f"{taken:,} tokens read ({used.cache_read:,} of them from the cache), {used.output:,} written"
        return f"{self.calls} call{'' if self.calls == 1 else 's'}, {tokens}, {self.money()}"

    def money(self) -> str:
        """The dollars, or that they are not known."""
        if self.unpriced == self.calls and self.calls:
            return "price unknown"
        more = f" and {self.unpriced} of unknown price" if self.unpriced else ""
        return f"${self.dollars:.4f}{more}"

    def to_json(self) -> dict[str, Any]:
        used = self.usage
        return {
            "calls": self.calls,
            "tokens": {
                "input": used.input,
                "output": used.output,
                "cache_read": used.cache_read,
                "cache_write": used.cache_write,
            },
            "dollars": None if self.unpriced else round(self.dollars, 6),
            "prices_as_of": self.as_of,
        }


class Purse:
    """What one session may spend. The playbook costs nothing and is never refused."""

    def __init__(self, limits: Limits | None = None, prices: Mapping[str, Price] | None = None) -> None:
        self._limits, self._prices = limits or Limits(), prices or {}
        self.session = Cost()

    def refuses(self, model: Model) -> str:
        """Why this model must not be asked once more, before anything is spent; empty where it may."""
        if model.free:
            return ""
        calls, dollars = self._limits.calls, self._limits.dollars
        if calls is not None and self.session.calls >= calls:
            return f"the limit of {calls} model call{'' if calls == 1 else 's'} is reached; --max-calls raises it"
        if dollars is None:
            return ""
        if self._price(model) is None:
            return (
                f"the price of {model.name} is not known, so the limit of ${dollars:g} can't be kept: name it under "
                "prices: in your own config, or limit calls instead"
            )
        if self.session.dollars >= dollars:
            spent = f"${self.session.dollars:.4f}"
            return f"the limit of ${dollars:g} is reached ({spent} spent); --max-dollars raises it"
        return ""

    def count(self, model: Model, usage: Usage, *, also: Cost) -> None:
        """Add one call to the session, and to what is counted beside it."""
        if model.free:
            return
        for cost in (self.session, also):
            cost.add(usage, self._price(model))

    def _price(self, model: Model) -> Price | None:
        return price_of(model.name, self._prices, elsewhere=model.elsewhere)
