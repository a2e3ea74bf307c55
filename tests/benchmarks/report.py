"""The tables of a benchmark: a column for each size, then each figure beside what is promised of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Result = dict[str, Any]
EVERY, PARTS = "baseline_every_run_s", "baseline_every_run_parts"


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def _floor(row: Result, kind: str = "") -> float:
    return float(row[f"reader_{kind}s"] + row[f"interpreter_{kind}s"])


ROWS: tuple[tuple[str, str, Callable[[Result], Any]], ...] = (
    ("interpreter start, s", ".3f", lambda row: row["interpreter_s"]),
    ("  with tools.sweeps imported, s", ".3f", lambda row: row["imports_s"]),
    ("Slurm stubs alone, s", ".3f", lambda row: row["slurm_s"]),
    ("minimal reader, s", ".3f", lambda row: row["reader_s"]),
    ("  cpu s", ".3f", lambda row: row["reader_cpu_s"]),
    ("  files it opens", ",", lambda row: row["files"]),
    ("  MB it reads", ",.0f", lambda row: row["read_mb"]),
    ("first look, s", ".2f", lambda row: row["first_s"]),
    ("  cpu s", ".2f", lambda row: row["first_cpu_s"]),
    ("  cpu ms a run", ".2f", lambda row: row["first_cpu_s"] / row["runs"] * 1000),
    ("  peak memory of all its processes, MB", ".0f", lambda row: row.get("peak_mb")),
    ("second look, s", ".2f", lambda row: row.get("second_s")),
    ("  cpu s", ".2f", lambda row: row.get("second_cpu_s")),
    ("  peak memory of all its processes, MB", ".0f", lambda row: row.get("second_peak_mb")),
    ("1 % of the logs changed, s", ".2f", lambda row: row.get("changed_s")),
    ("check_sweeps, tokens", ",", lambda row: row.get("tokens")),
    ("shell baseline as the rules have it, s", ",.1f", lambda row: row.get("baseline_s")),
    ("shell baseline for every run, s", ",.1f", lambda row: row.get(EVERY)),
)

# What is promised: of how many runs, name, at least or at most what, and how it is measured.
PROMISES: tuple[tuple[int, str, str, float, Callable[[Result], float | None]], ...] = (
    (2000, "shell baseline for every run : first look", "≥", 300, lambda row: _ratio(row.get(EVERY), row["first_s"])),
    (2000, "first look : minimal reader + start", "≤", 3, lambda row: _ratio(row["first_s"], _floor(row))),
    (2000, "  the same in cpu s", "≤", 3, lambda row: _ratio(row["first_cpu_s"], _floor(row, "cpu_"))),
    (20000, "peak memory of a first look, MB", "<", 400, lambda row: row.get("peak_mb")),
    (20000, "peak memory of a second look, MB", "<", 400, lambda row: row.get("second_peak_mb")),
    (20000, "first : second look", "≥", 5, lambda row: _ratio(row["first_s"], row.get("second_s"))),
    (20000, "  the same in cpu s", "≥", 5, lambda row: _ratio(row["first_cpu_s"], row.get("second_cpu_s"))),
    (20000, "check_sweeps, tokens", "<", 3000, lambda row: row.get("tokens")),
)
LINEAR = 1.2
"""A run among 20,000 costs at most so many times what one among 2,000 costs: less than any n log n would."""


def promises(results: Sequence[Result], offline: Mapping[str, float]) -> str:
    """Each promised figure beside what was measured; of sizes that were not measured nothing is said."""
    by_runs = {row["runs"]: row for row in results}
    lines = [f"{'promised':<58}{'measured':>12}"]
    for runs, name, sign, bound, value in PROMISES:
        if runs in by_runs:
            lines.append(_promise(f"{runs:,} runs: {name}", sign, bound, value(by_runs[runs])))
    if {2000, 20000} <= by_runs.keys():
        each = [by_runs[runs]["first_cpu_s"] / runs for runs in (2000, 20000)]
        lines.append(_promise("20,000 runs : 2,000 runs, cpu s a run", "≤", LINEAR, each[1] / each[0]))
    lines.append(_promise("1,000 offline W&B logs of 1 MB, s", "≤", 2, offline["seconds"]))
    lines.append(_promise("  the same in cpu s", "≤", 2, offline["cpu_s"]))
    return "\n".join(lines)


def _promise(name: str, sign: str, bound: float, measured: float | None) -> str:
    if measured is None:
        return f"{f'{name} ({sign} {bound:,})':<58}{'-':>12}"
    kept = measured >= bound if sign == "≥" else measured <= bound if sign == "≤" else measured < bound
    return f"{f'{name} ({sign} {bound:,})':<58}{measured:>12,.1f}{'' if kept else '  not kept'}"


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
