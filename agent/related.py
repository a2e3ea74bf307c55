"""Requests that belong to another command of the person's assistant, by the table of the rules."""

from __future__ import annotations

import re

# The first that matches counts. A request that names a job is about that job.
_COMMANDS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("cherry-pick", "taking over commits from another branch", re.compile(r"\bcherry[- ]?pick", re.I)),
    (
        "pr-manager",
        "a pull request",
        re.compile(r"\b(?:pull[- ]request|merge request|open a pr|(?:a|the|this|my) pr)\b", re.I),
    ),
    (
        "git-manager",
        "git work",
        re.compile(
            r"\bgit (?:commit|push|add|pull|merge|rebase|stash|branch|checkout)\b"
            r"|^\W{0,3}(?:please |(?:can|could|shall) (?:you|i|we) |let'?s |i (?:want|need) to )?(?:commit|push) "
            r"|\bcommit (?:the|my|our|this|these|those|that|all) ",
            re.I,
        ),
    ),
    (
        "update",
        "the project as a whole",
        re.compile(
            r"\b(?:general|broader|whole|overall) (?:project )?(?:status|update)\b|\bproject(?:'s)? status\b", re.I
        ),
    ),
)


def related(text: str) -> tuple[str, str] | None:
    """The command that a request is for, and what it is about; None where it is for this program."""
    for command, about, pattern in _COMMANDS:
        if pattern.search(text):
            return command, about
    return None
