"""The table of what runs now."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent.terminal.cells import epochs, percent, roughly, steps
from tools.status import RunRow
from tools.text import duration

WIDE = 110
SICK = ("diverged", "exploding", "overfitting", "plateau")


def live_table(rows: Sequence[RunRow], width: int, named: bool) -> RenderableType:
    """One line a run that trains now; ``width`` is the screen's, ``named``: jobs are told apart by name."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False, header_style="dim")
    for name in ("JOB", "RUN"):
        table.add_column(name, no_wrap=True, overflow="fold")
    for name in ("EPOCH", "STEP", "DONE"):
        table.add_column(name, justify="right", no_wrap=True)
    if width >= WIDE:
        table.add_column("RAN", justify="right", no_wrap=True)
    for name in ("LEFT", "LIMIT"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("LOSS", no_wrap=True)
    table.add_column("STATUS", overflow="fold")
    if named:
        table.add_column("NAME", overflow="fold")
    for row in rows:
        cells = [row.job or "–", row.run or "–", epochs(row), steps(row), percent(row)]
        if width >= WIDE:
            cells.append(duration(row.elapsed_s))
        limit = None if row.limit_s is None or row.elapsed_s is None else row.limit_s - row.elapsed_s
        cells += [roughly(row.left_s), roughly(limit)]
        loss = "–" if row.loss is None else f"{row.loss:.4g}{_trend(row)}"
        table.add_row(*map(Text, [*cells, loss, _state(row), *([row.name or "–"] if named else [])]))
    return Padding(table, (0, 0, 0, 2), expand=False)


def _trend(row: RunRow) -> str:
    return " !" if row.health == "diverged" else f" {row.trend}" if row.trend else ""


def _state(row: RunRow) -> str:
    words = [] if row.slurm_state == "RUNNING" else [(row.slurm_state or "unknown").lower()]
    words += [row.health] if row.health in SICK else []
    words += ["behind its siblings"] if row.behind_siblings else []
    words += [f"no progress for {roughly(row.idle_s)}"] if row.stuck else []
    words += ["will not finish" for flag in row.flags if flag.startswith("will_not_finish")]
    words += ["by accounting only" for flag in row.flags if flag.startswith("not_in_queue")]
    words += [flag.replace("log_silent: ", "log silent for ") for flag in row.flags if flag.startswith("log_silent")]
    if row.epoch is None and row.step is None:
        words += [flag for flag in row.flags if flag.startswith(("log:", "epoch:"))][:1]
    return ", ".join(words) or "running"
