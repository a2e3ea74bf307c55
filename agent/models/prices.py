"""What tokens cost: prices as data with their date, the person's own before those that are shipped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

from agent.models import Usage

_SNAPSHOT = re.compile(r"-20\d{6}$")
"""A model id may end in the date of its snapshot."""


class Rates(BaseModel):
    """Dollars per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cache_read: float = Field(ge=0)
    cache_write: float = Field(ge=0)

    def dollars(self, usage: Usage) -> float:
        """Of one request."""
        return (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_read * self.cache_read
            + usage.cache_write * self.cache_write
        ) / 1e6


class LongPrompt(Rates):
    """The rates of a request whose prompt (cached or not) has more than ``over`` tokens."""

    over: int = Field(gt=0)


class Price(Rates):
    """The rates of one model, with the day they were read."""

    as_of: date
    long_prompt: LongPrompt | None = None

    def dollars(self, usage: Usage) -> float:
        """Of one request."""
        long, prompt = self.long_prompt, usage.input + usage.cache_read + usage.cache_write
        return long.dollars(usage) if long and prompt > long.over else super().dollars(usage)


@cache
def shipped() -> Mapping[str, Price]:
    """The prices that come with this version."""
    import yaml

    text = (files("agent.models") / "prices.yaml").read_text(encoding="utf-8")
    return {str(name): Price.model_validate(entry) for name, entry in yaml.safe_load(text).items()}


def price_of(model: str, own: Mapping[str, Price], *, elsewhere: bool) -> Price | None:
    """The price of a model by its id, with or without a snapshot's date. ``elsewhere``: another server than
    Anthropic's answers, whose prices only the person can know. None: not known."""
    for known in (own, {} if elsewhere else shipped()):
        for name in (model, _SNAPSHOT.sub("", model)):
            if name in known:
                return known[name]
    return None
