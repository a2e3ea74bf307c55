"""What a person's own words are evidence of: the ids they typed, the documents they asked for."""

from __future__ import annotations

from collections.abc import Iterator

from agent.intents import typed_words
from tools.actions.documents import ACTIVE_SWEEPS_MD, CLAUDE_MD
from tools.acts import Observation


def typed(text: str, at: float) -> Iterator[Observation]:
    """Every id and path in words that a person typed at a terminal."""
    for word in typed_words(text):
        yield Observation("typed", word, True, at, "terminal", "typed")


def wanted(at: float) -> Iterator[Observation]:
    """The documents that a status keeps, which a person asked for."""
    for name in (ACTIVE_SWEEPS_MD, CLAUDE_MD):
        yield Observation("wanted", name, True, at, "terminal", "asked for")
