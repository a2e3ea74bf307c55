"""What tokens cost: prices as data with their date, the person's own before those that are shipped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Annotated

from agent.models import Usage
from tools.checked import ABOVE_0, NOT_BELOW_0, SECTION, checked
from tools.compact import compact

Dollars = Annotated[float, NOT_BELOW_0]

_SNAPSHOT = re.compile(r"-20\d{6}$")
"""A model id may end in the date of its snapshot."""


@compact
class Rates:
    """Dollars per million tokens."""

    __pydantic_config__ = SECTION

    input: Dollars
    output: Dollars
    cache_read: Dollars
    cache_write: Dollars

    def dollars(self, usage: Usage) -> float:
        """Of one request."""
        return (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_read * self.cache_read
            + usage.cache_write * self.cache_write
        ) / 1e6


@compact
class LongPrompt(Rates):
    """The rates of a request whose prompt (cached or not) has more than ``over`` tokens."""

    over: Annotated[int, ABOVE_0]


@compact
class Price(Rates):
    """The rates of one model, with the day they were read."""

    as_of: date
    long_prompt: LongPrompt | None = None

    def dollars(self, usage: Usage) -> float:
        """Of one request."""
        long, prompt = self.long_prompt, usage.input + usage.cache_read + usage.cache_write
        return long.dollars(usage) if long and prompt > long.over else Rates.dollars(self, usage)


@cache
def shipped() -> Mapping[str, Price]:
    """The prices that come with this version."""
    from importlib.resources import files

    import yaml

    text = (files("agent.models") / "prices.yaml").read_text(encoding="utf-8")
    return {str(name): checked(Price, entry) for name, entry in yaml.safe_load(text).items()}


def price_of(model: str, own: Mapping[str, Price], *, elsewhere: bool) -> Price | None:
    """The price of a model by its id, with or without a snapshot's date. ``elsewhere``: another server than
    Anthropic's answers, whose prices only the person can know. None: not known."""
    for known in (own, {} if elsewhere else shipped()):
        for name in (model, _SNAPSHOT.sub("", model)):
            if name in known:
                return known[name]
    return None
