"""Single values and lines as a person reads them; an unknown value is a question mark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len, chop_cells
from rich.style import StyleType
from rich.text import Text

from agent.terminal.flow import LEAST
from tools.kinds import kind
from tools.status import RunRow


def folded(words: str, width: int, indent: int = 0, style: StyleType = "") -> Text:
    """Words in lines that fit a screen, each indented; only a word wider than that is broken."""
    room, before = max(LEAST, width - indent), " " * indent
    lines = [part for line in words.expandtabs().split("\n") for part in _parts(line, room)]
    return Text("\n".join(f"{before}{line}" for line in lines), style)


def _parts(line: str, room: int) -> Iterator[str]:
    while cell_len(line) > room:
        fits = chop_cells(line[:room], room)[0]
        cut = len(fits) if line[len(fits)].isspace() else fits.rfind(" ") + 1
        cut = cut if line[:cut].strip() else len(fits)
        yield line[:cut].rstrip()
        line = line[cut:].lstrip()
    yield line


def epochs(row: RunRow) -> str:
    """``2341/5000``, ``2341``, or ``?`` where unknown."""
    if row.epoch is None:
        return "?" if row.target_epochs is None else f"?/{_number(row.target_epochs)}"
    return _number(row.epoch) + (f"/{_number(row.target_epochs)}" if row.target_epochs else "")


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.6g}"


def steps(row: RunRow) -> str:
    if row.step is None:
        return "?"
    return f"{row.step:,}" + (f"/{row.target_steps:,}" if row.target_steps and not row.target_epochs else "")


def percent(row: RunRow) -> str:
    return "? %" if row.percent is None else f"{int(row.percent)} %"


def state_words(row: RunRow) -> str:
    """What is so of a run: its cause of death, else that it runs, waits (and why) or has finished."""
    where = kind(row)
    if where == "waiting":
        return f"waiting: {row.reason}" if row.reason else "waiting"
    if where == "live":
        return "running"
    return "finished" if row.cause == "none" else row.cause.replace("_", " ")


def flag_text(row: RunRow, name: str) -> str:
    """What stands behind ``name: `` in the row's flags."""
    return next((flag.partition(": ")[2] for flag in row.flags if flag.startswith(f"{name}: ")), "")


def listed(ids: Sequence[str]) -> str:
    """A few ids, and how many more."""
    return ", ".join(ids) if len(ids) <= 6 else f"{', '.join(ids[:5])} and {len(ids) - 5} more"
