"""What a person's own words are evidence of: the ids they typed, the documents they asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tools.actions.documents import ACTIVE_SWEEPS_MD, CLAUDE_MD
from tools.acts import Observation

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{1,127}(?<![./])")


def typed(text: str, at: float) -> Iterator[Observation]:
    """Every id and path in words that a person typed at a terminal."""
    for word in {*_ID.findall(text), *(word.strip(".,;:!?'\"()") for word in text.split())}:
        yield Observation("typed", word, True, at, "terminal", "typed")


def wanted(at: float) -> Iterator[Observation]:
    """The documents that a status keeps, which a person asked for."""
    for name in (ACTIVE_SWEEPS_MD, CLAUDE_MD):
        yield Observation("wanted", name, True, at, "terminal", "asked for")
