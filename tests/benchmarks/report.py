"""The table of a benchmark: a column for each size, what is promised below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Result = dict[str, Any]
EVERY, PARTS = "baseline_every_run_s", "baseline_every_run_parts"


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def _floor(row: Result) -> float:
    return float(row["reader_s"] + row["interpreter_s"])


ROWS: tuple[tuple[str, str, Callable[[Result], Any]], ...] = (
    ("interpreter start, s", ".3f", lambda row: row["interpreter_s"]),
    ("  with tools.sweeps imported, s", ".3f", lambda row: row["imports_s"]),
    ("Slurm stubs alone, s", ".3f", lambda row: row["slurm_s"]),
    ("minimal reader, s", ".3f", lambda row: row["reader_s"]),
    ("  files it opens", ",", lambda row: row["files"]),
    ("  MB it reads", ",.0f", lambda row: row["read_mb"]),
    ("first look, s", ".2f", lambda row: row["first_s"]),
    ("  ms a run", ".2f", lambda row: row["first_s"] / row["runs"] * 1000),
    ("  peak memory, MB (< 400 at 20,000)", ".0f", lambda row: row["peak_mb"]),
    ("second look, s", ".2f", lambda row: row.get("second_s")),
    ("  peak memory, MB", ".0f", lambda row: row.get("second_peak_mb")),
    ("1 % of the logs changed, s", ".2f", lambda row: row.get("changed_s")),
    ("check_sweeps, tokens (< 3,000 at 20,000)", ",", lambda row: row.get("tokens")),
    ("shell baseline as the rules have it, s", ",.1f", lambda row: row.get("baseline_s")),
    ("shell baseline for every run, s", ",.1f", lambda row: row.get(EVERY)),
    ("first look : minimal reader + start (≤ 3)", ".1f", lambda row: _ratio(row["first_s"], _floor(row))),
    ("baseline as it is : first look", ",.0f", lambda row: _ratio(row.get("baseline_s"), row["first_s"])),
    (
        "baseline for every run : first look (≥ 300)",
        ",.0f",
        lambda row: _ratio(row.get(EVERY), row["first_s"]),
    ),
    ("first : second look (≥ 5 at 20,000)", ".1f", lambda row: _ratio(row["first_s"], row.get("second_s"))),
)


def table(results: Sequence[Result]) -> str:
    lines = [f"{'runs':<46}" + "".join(f"{row['runs']:>12,}" for row in results)]
    for name, shape, value in ROWS:
        cells = [_cell(value(row), shape) for row in results]
        lines.append(f"{name:<46}" + "".join(f"{cell:>12}" for cell in cells))
    for part in dict.fromkeys(name for row in results for name in row.get(PARTS, {})):
        cells = [_cell(row.get(PARTS, {}).get(part), ",.2f") for row in results]
        lines.append(f"{'  baseline for every run: ' + part:<46}" + "".join(f"{cell:>12}" for cell in cells))
    if any(row.get("first_over") or row.get("baseline_over") or row.get("baseline_every_run_over") for row in results):
        lines.append("A look or a baseline was ended at its limit: its time is a lower bound.")
    return "\n".join(lines)


def _cell(value: float | None, shape: str) -> str:
    return "-" if value is None else f"{value:{shape}}"
