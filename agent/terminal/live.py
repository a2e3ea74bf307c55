"""The table of what runs now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from agent.terminal.cells import epochs, folded, percent, steps
from tools.row_told import to_limit
from tools.status import RunRow
from tools.text import duration, roughly

WIDE = 110
INDENT = 2
SICK = ("diverged", "exploding", "overfitting", "plateau")
UNSAVED_S = 6 * 3600
"""Training that nothing was saved of for so long is worth a word: a preemption would take all of it."""
_LEFT_ALIGNED = ("JOB", "RUN", "LOSS")
_CELLS: Mapping[str, Callable[[RunRow], str]] = {
    "JOB": lambda row: row.job or "–",
    "RUN": lambda row: row.run or "–",
    "EPOCH": lambda row: epochs(row),
    "STEP": lambda row: steps(row),
    "DONE": lambda row: percent(row),
    "RAN": lambda row: duration(row.elapsed_s),
    "LEFT": lambda row: roughly(row.left_s),
    "LIMIT": lambda row: roughly(to_limit(row)),
    "LOSS": lambda row: _loss(row),
}
# What goes below a row where the screen is too narrow for all columns, least needed first; no cell is ever cut.
_BELOW: Sequence[tuple[str, ...]] = ((), ("RAN",), ("RAN", "LEFT", "LIMIT"), ("RAN", "LEFT", "LIMIT", "LOSS", "STEP"))


def live_table(rows: Sequence[RunRow], width: int, named: bool) -> Iterable[Text]:
    """A head and one line for each run that trains now, with what is remarkable behind it, or below where it doesn't
    fit; ``width`` is the screen's, ``named``: jobs are told apart by name."""
    cells = {head: [cell(row) for row in rows] for head, cell in _CELLS.items() if head != "RAN" or width >= WIDE}
    sizes = {head: max(map(cell_len, [head, *column])) for head, column in cells.items()}
    shown, gap = _layout(sizes, width)
    yield Text(_line({head: head for head in shown}, sizes, gap).rstrip(), "dim")
    for number, row in enumerate(rows):
        line = _line({head: cells[head][number] for head in shown}, sizes, gap)
        below = [f"{head.lower()} {cells[head][number]}" for head in cells if head not in shown]
        note = ", ".join([*below, *_state(row), *([row.name or "no name"] if named else [])])
        style = "red" if row.stuck or row.health in SICK[:2] else ""
        if cell_len(line) + 2 + cell_len(note) <= width:
            yield Text.assemble(line, "  ", (note, style)) if note else Text(line.rstrip())
        else:
            yield Text(line.rstrip())
            if note:
                yield folded(note, width, INDENT + sizes["JOB"] + gap, style)


def _layout(sizes: Mapping[str, int], width: int) -> tuple[list[str], int]:
    """The columns that fit, and the space between them; the fewest where nothing does."""
    for below in _BELOW:
        shown = [head for head in sizes if head not in below]
        for gap in (2, 1):
            if INDENT + sum(sizes[head] for head in shown) + gap * (len(shown) - 1) <= width:
                return shown, gap
    return shown, 1


def _line(cells: Mapping[str, str], sizes: Mapping[str, int], gap: int) -> str:
    parts = [
        set_cell_size(cell, sizes[head]) if head in _LEFT_ALIGNED else " " * (sizes[head] - cell_len(cell)) + cell
        for head, cell in cells.items()
    ]
    return " " * INDENT + (" " * gap).join(parts)


def _loss(row: RunRow) -> str:
    if row.loss is None:
        return "–"
    trend = " !" if row.health == "diverged" else f" {row.trend}" if row.trend else ""
    return f"{row.loss:.4g}{trend}"


def _state(row: RunRow) -> list[str]:
    """What is remarkable about a run; nothing where it simply runs."""
    words = [] if row.slurm_state == "RUNNING" else [(row.slurm_state or "unknown").lower()]
    words += [row.health] if row.health in SICK else []
    words += ["behind its siblings"] if row.behind_siblings else []
    words += [f"no progress for {roughly(row.idle_s)}"] if row.stuck else []
    words += ["will not finish" for flag in row.flags if flag.startswith("will_not_finish")]
    if row.unsaved_s is not None and row.unsaved_s >= UNSAVED_S:
        words.append(f"nothing saved for {roughly(row.unsaved_s)}")
    words += ["by accounting only" for flag in row.flags if flag.startswith("not_in_queue")]
    words += [flag.replace("log_silent: ", "log silent for ") for flag in row.flags if flag.startswith("log_silent")]
    if row.epoch is None and row.step is None:
        words += [flag for flag in row.flags if flag.startswith(("log:", "epoch:"))][:1]
    return words
