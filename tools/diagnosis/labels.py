"""What stands before a line: the rank, task or process that says it."""

from __future__ import annotations

import re

# What srun -l, torchrun, mpirun, exception groups and the W&B agent put before a line.
_LABEL = re.compile(
    r"(?:(?P<task>\d{1,5}):(?: |$)|\[\d{1,5},\d{1,5}\]<std\w{3}>: ?|\[?rank ?(?P<rank>\d{1,5})\]?: ?"
    r"|\(\w{1,60} pid=\d{1,9}[^)]{0,80}\) |\s{0,8}\| ?|wandb: ERROR )"
)


def unlabelled(line: str) -> tuple[str, str]:
    """The line without labels, and the rank that they name (empty: none)."""
    rank = ""
    at = 0
    for _ in range(3):
        match = _LABEL.match(line, at)
        if match is None:
            break
        rank = match["rank"] or match["task"] or rank
        at = match.end()
    return line[at:], rank
