"""Folding long lines: prose at words, each part indented like the first; commands and URLs never."""

from __future__ import annotations

import re

from rich.console import Console
from rich.text import Text

LEAST = 20
"""Columns that text is folded into at least; the terminal folds it further."""
_HEAD = re.compile(r" {0,40}(?:[-*·•] {1,4}|\d{1,3}\. {1,4})?")
# A line of its own that is indented deeply or fenced off, or words in front of what can only be a command.
_COMMAND = re.compile(
    r" {4}|\t| {0,3}(?:[$>] )?(?:make|sbatch|scancel|scontrol|squeue|sacct|srun|wandb|python3?|rm|agent) |.{0,2000}(?:`|://)"
    r"|.{0,2000}: (?:make|sbatch|scancel|scontrol|squeue|sacct|srun|wandb|python3?|rm|agent) [-\w./]"
)


def holds_command(line: str) -> bool:
    """Whether something in the line is there to be copied: a command, a URL, or what stands in backticks."""
    return _COMMAND.match(line) is not None


def print_folded(console: Console, line: str) -> None:
    """One line of text, folded at the screen's width; no part ends in spaces."""
    head = _HEAD.match(line)
    indent = head.end() if head else 0
    parts = Text(line[indent:]).wrap(console, max(LEAST, console.width - indent))
    for number, part in enumerate(parts or [Text()]):
        part.rstrip()
        console.print(Text(" " * indent if number else line[:indent]) + part, soft_wrap=True)
