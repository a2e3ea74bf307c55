"""Markdown shown while it arrives: each line by its kind, each word as soon as nothing can change it any more.

A newline is a line break, as in a chat. A table is shown when it has ended; code and commands line by line, unbroken.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rich.console import Console
from rich.style import Style
from rich.text import Text

from agent.terminal import inline
from agent.terminal.flow import HEAD, PLAIN, Flow, Run
from agent.terminal.grid import grid

_BEGUN = re.compile(r"\s{0,40}\S{1,400}\s+\S{1,400}\s+\S")
"""Enough of a line to tell what kind it is."""
_FENCE = re.compile(r"\s{0,12}(`{3,40}|~{3,40})")
_ROW = re.compile(r" {0,3}\|")
_RULE = re.compile(r" {0,3}(?:-[ -]{2,80}|\*[ *]{2,80}|_[ _]{2,80})")
_ITEM = r"(?:[-*+·•]|\d{1,3}[.)])"
_DEEP = re.compile(rf"(?: {{4}}|\t)(?!\s{{0,40}}{_ITEM} )")
"""Indented like code, and no item of a list within a list."""
_PROGRAM = r"(?:make|sbatch|scancel|scontrol|squeue|sacct|srun|wandb|python3?|rm|agent)"
_COMMAND = re.compile(rf"\s{{0,40}}(?:{_ITEM} {{1,4}})?(?:[$>] )?{_PROGRAM} ")
_LATER = re.compile(rf"(?<=: ){_PROGRAM} [-\w./]")
"""Words in front of what can only be a command."""
_BASES = {"#": Style(bold=True), ">": Style(dim=True)}


class Markdown:
    """Takes text that is clean. ``before`` is called before anything is written."""

    def __init__(self, out: Console, before: Callable[[], object] = lambda: None) -> None:
        self._out, self._flow = out, Flow(out, before)
        self._line = ""
        """What of the line in hand was not shown yet."""
        self._flowing = False
        """Its beginning was shown."""
        self._command = False
        """The rest of it is a command."""
        self._base = PLAIN
        self._fence = ""
        self._rows: list[str] = []

    @property
    def holds(self) -> bool:
        """Whether rows of a table wait for its end."""
        return bool(self._rows)

    def feed(self, text: str) -> None:
        *lines, last = (self._line + text).split("\n")
        for line in lines:
            self._grow(line, ended=True)
        self._line = self._grow(last, ended=False)

    def end(self) -> None:
        """The text has ended, perhaps in the middle of something."""
        if self._line or self._flowing:
            self._grow(self._line, ended=True)
        self._show_rows()
        self._line, self._fence = "", ""

    def _grow(self, line: str, *, ended: bool) -> str:
        """Show what can be shown of the line; gives back the rest."""
        if not self._flowing:
            if not ended and not _BEGUN.match(line):
                return line
            if ended and self._show_whole(line):
                return ""
            if not ended and (self._fence or any(kind.match(line) for kind in (_FENCE, _ROW, _DEEP, _COMMAND))):
                return line
            line = self._begin(line)
        cut = 0 if self._command else len(line) if ended else inline.settled(line)
        if (later := _LATER.search(line)) and later.start() <= cut:
            cut, self._command = later.start(), True
        self._flow.add(inline.runs(line[:cut], self._out, self._base))
        if not ended:
            return line[cut:]
        if command := line[cut:].rstrip():
            self._flow.add([Run(" "), Run(command, inline.CODE, whole=True)])
        self._flow.end()
        self._flowing = self._command = False
        return ""

    def _show_whole(self, line: str) -> bool:
        """Show a line that has ended as it is, if it is of a kind that is never broken or styled."""
        mark = _FENCE.match(line)
        if mark and (not self._fence or (line.strip() == mark[1] and mark[1].startswith(self._fence))):
            self._show_rows()
            self._fence = "" if self._fence else mark[1]
            self._flow.whole(Text(line, style="dim"))
        elif self._fence:
            self._flow.whole(Text(line, style=inline.CODE))
        elif _ROW.match(line):
            self._rows.append(line)
        elif not line.strip() or _RULE.fullmatch(line) or _DEEP.match(line) or _COMMAND.match(line):
            self._show_rows()
            self._flow.whole(Text(line.rstrip(), style=inline.CODE if _COMMAND.match(line) else PLAIN))
        else:
            return False
        return True

    def _begin(self, line: str) -> str:
        """Show how the line begins; gives back the rest."""
        self._show_rows()
        self._flowing = True
        head = HEAD.match(line)
        indent, mark = (head[1], head[2] or "") if head else ("", "")
        self._base = _BASES.get(mark[:1], PLAIN) if self._out.color_system else PLAIN
        heading = mark.startswith("#") and self._base
        self._flow.begin(indent if heading else indent + mark)
        return line[len(indent + mark) :]

    def _show_rows(self) -> None:
        """Show the table that has ended, or the lines that were none."""
        rows, self._rows = self._rows, []
        if rows and (table := grid("\n".join(rows), self._out)):
            self._flow.block(table)
        elif rows:
            self._flow.whole(Text("\n".join(rows)))
