"""One job's story: what is so, where that stands, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from agent.terminal.cells import duration, epochs, percent, state_words, steps
from tools.status import RunRow


def print_rows(rows: Sequence[RunRow], console: Console) -> None:
    """Print each row with all its evidence."""
    for row in rows:
        head = Text.assemble((row.job or row.run or "log", "bold"))
        if row.run and row.job:
            head.append(f" (run {row.run})")
        head.append(f": {state_words(row)}", style="red" if row.cause != "none" else "green")
        head.append(f", {row.slurm_state or 'state unknown'}, ran {duration(row.elapsed_s)}")
        console.print(head)
        console.print(Text(f"  epoch {epochs(row)}  step {steps(row)}  {percent(row)}"))
        for item in row.evidence:
            if row.checkpoint and item.where == row.checkpoint.path:
                continue  # told below
            console.print(Text(f"  {item.source}  {_here(item.where)}", style="dim"), soft_wrap=True)
            console.print(Text(f"      {item.text}"), soft_wrap=True)
        if row.checkpoint:
            loads = "loads" if row.checkpoint.loadable else f"does not load: {row.checkpoint.problem}"
            console.print(Text(f"  checkpoint  {_here(row.checkpoint.path)}  {loads}"), soft_wrap=True)
        if row.resumable:
            console.print(Text(f"  resumable: {row.resumable}"))
        if row.action:
            console.print(Text(f"  next: {row.action}", style="cyan"), soft_wrap=True)
        for flag in row.flags:
            console.print(Text(f"  · {flag}", style="dim"), soft_wrap=True)


def _here(path: str) -> str:
    """Relative to the folder where one is."""
    return path.removeprefix(f"{Path.cwd()}/")
