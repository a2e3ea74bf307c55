"""One wording that explains an end, and what its weight means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from tools.data import Cause


@dataclass(frozen=True)
class Sign:
    cause: Cause
    weight: int
    """How much it explains: Slurm's own words from 95, a named cause from 63, then exceptions of unknown meaning,
    peers, consequences and symptoms."""
    hints: tuple[str, ...]
    """One of these texts is in the line, or the pattern is not tried."""
    wording: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when a line first has one of the hints: there are a hundred, and a look meets few of them."""
        return re.compile(self.wording)


def sign(cause: Cause, weight: int, hints: str, *patterns: str) -> Sign:
    return Sign(cause, weight, tuple(hints.split("|")), "|".join(patterns))


SLURM = 95
"""From this weight up the words are Slurm's own, and no error of the training explains them."""
EXCEPTION_WEIGHT = 62
"""An exception of unknown meaning: more than a peer's broken connection (60), less than a named cause."""
CONSEQUENCE_WEIGHT = 47
"""A broken pipe or connection that nothing explains."""
WRAPPER_WEIGHT = 36
"""Less than any symptom: only that something launched has failed."""
