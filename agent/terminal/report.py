"""The status as a person reads it: every number from the look, nothing from a model."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from agent.terminal.cells import folded, listed
from agent.terminal.dead import MAX_DEAD, dead_rows, red_flags
from agent.terminal.links import url_style
from agent.terminal.live import live_table
from agent.words import not_seen, why_no_pace
from tools.kinds import counts, kind, urgency
from tools.status import RunRow, Status, SweepRow

MAX_LIVE = 60
MAX_SWEEPS = 20
"""Past this many rows the rest is grouped: a table nobody can read tells nothing."""
TABLE = 80
"""Columns that a table needs."""
RED = "bold red"
_AGENTS = ("SWEEP", "AGENTS", "LIVE", "DEAD", "DONE", "ZOMBIE", "STALE", "HEALTH")
_SAVED = ("checkpoints", "wandb_files")


def print_report(status: Status, console: Console) -> None:
    """Print the whole picture; it fits 80 columns, and says more at 120."""
    # the lines are laid out here and printed at once: rich would measure each of them several times
    lines = Text("\n").join(_lines(status, console.width))
    console.print(lines, soft_wrap=True, highlight=False, markup=False)


def _lines(status: Status, width: int) -> Iterable[Text]:
    standing = [row for row in status.runs if not row.superseded]
    if status.demo:
        words = "DEMO  a simulated cluster, embedded in this program; nothing here is real"
        yield folded(words, width, 0, "bold reverse")
    yield folded(_heading(status), width, 0, "dim")
    yield Text("")
    if not any(source.ok for source in status.sources if source.name in {"squeue", "sacct"}):
        words = "Slurm was not seen: neither squeue nor sacct could be read; what follows is from files alone."
        yield folded(words, width, 0, RED)
    yield folded(_headline(status), width, 0, "bold")
    if saved := [f"{source.detail}" for source in status.sources if source.name in _SAVED and source.detail]:
        yield folded(f"On disk: {'; '.join(saved)}.", width, 0, "dim")
    for sweep in status.sweeps:
        yield from _sweep(sweep, [row for row in standing if row.sweep == sweep.id], width)
    yield from _sweep(None, [row for row in standing if row.sweep is None], width)
    if live := [row for row in standing if kind(row) == "live"]:
        unknown = [row.elapsed_s for row in live if row.left_s is None]
        why = f" ({why_no_pace(unknown)})" if unknown else ""
        words = f"\nLEFT: to the target at the run's own pace{why}. LIMIT: to Slurm's time limit."
        yield folded(words, width, 0, "dim")
    dead = sorted((row for row in standing if kind(row) == "dead"), key=urgency)
    if dead:
        yield Text("\nDead", style="bold")
        yield from dead_rows(dead, width)
    if status.sweeps:
        yield from _agents(status, standing, max(TABLE, width))
    flags = [line for row in standing for line in red_flags(row)]
    if flags:
        yield Text("\nRed flags", style=RED)
        yield from (folded(line, width, 2) for line in flags[:MAX_DEAD])
    unseen = [source for source in status.sources if not source.ok]
    if unseen:
        yield Text("\nNot seen", style="bold yellow")
        yield from (folded(not_seen(source), width, 2) for source in unseen)


def _agents(status: Status, standing: Sequence[RunRow], width: int) -> Iterable[Text]:
    """The health of each sweep's agents, those with something wrong first."""
    yield Text("\nAgents", "bold")
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in standing:
        if row.sweep:
            found[row.sweep][kind(row)] += 1
    told = {
        sweep.id: [issue for issue in sweep.issues if not issue.startswith("state unknown")] for sweep in status.sweeps
    }
    rows: list[Sequence[str]] = [_AGENTS]
    for sweep in sorted(status.sweeps, key=lambda sweep: not told[sweep.id])[:MAX_SWEEPS]:
        expected = "?" if sweep.expected_agents is None else str(sweep.expected_agents)
        kinds = [str(found[sweep.id][name]) for name in ("live", "dead", "finished")]
        counted = ["?" if count is None else str(count) for count in (sweep.zombies, sweep.stale)]
        health = "; ".join(told[sweep.id]) or "nothing wrong seen"
        rows.append((sweep.id, f"{sweep.active_agents}/{expected}", *kinds, *counted, health))
    sizes = [max(map(cell_len, column)) for column in zip(*rows, strict=True)][:-1]
    for number, (name, *cells, health) in enumerate(rows):
        line = f"  {set_cell_size(name, sizes[0])}"
        line += "".join(f"  {cell:>{size}}" for cell, size in zip(cells, sizes[1:], strict=True))
        health = folded(health, width, len(line) + 2).plain.lstrip()
        yield Text(f"{line}  {health}", "" if number else "dim")
    if len(status.sweeps) > MAX_SWEEPS:
        yield Text(f"  and {len(status.sweeps) - MAX_SWEEPS} more sweeps, with fewer things wrong")


def _heading(status: Status) -> str:
    at = datetime.fromisoformat(status.at).astimezone()
    project = f"{status.entity}/{status.project}" if status.entity and status.project else "W&B project unknown"
    ages = [
        f"{source.name} {source.age_s:.0f} s"
        for source in status.sources
        if source.ok and source.name in {"squeue", "sacct", "logs"}
    ]
    project += f" · cluster {status.cluster}" if status.cluster else ""
    return f"{project} · {at:%Y-%m-%d %H:%M} · age: {', '.join(ages) or 'nothing could be read'}"


def _headline(status: Status) -> str:
    found = counts(status)
    ok = {source.name: source.ok for source in status.sources}
    text = f"{found['live']} running, {found['waiting']} waiting" if ok["squeue"] else "what runs now is unknown"
    if ok["sacct"]:
        text += f", {found['dead']} dead"
    else:
        text += ", what died is unknown" if not found["dead"] else f", at least {found['dead']} dead"
    if found["dead"]:
        first = found["resumable_after_a_change_by_hand"]
        text += f": {found['resumable'] + first or 'none'} of them can be resumed"
        text += f", {first} after a change by hand" if first else " now" if found["resumable"] else ""
    text = text[0].upper() + text[1:]
    more = [f"{found['finished']} finished"] if found["finished"] else []
    if found["disk"]:
        more.append(f"{found['disk']} on disk without a job in the last 14 days")
    if status.other_jobs:
        many = "s" if status.other_jobs > 1 else ""
        more.append(f"{status.other_jobs} other job{many} of yours in other folders (squeue --me lists all)")
    return text + "." + (f" {', '.join(more).capitalize()}." if more else "")


def _sweep(sweep: SweepRow | None, rows: Sequence[RunRow], width: int) -> Iterable[Text]:
    named = sweep is None or len({row.name for row in rows if row.job}) > 1
    live = sorted((row for row in rows if kind(row) == "live"), key=urgency)
    waiting = [row for row in rows if kind(row) == "waiting"]
    if sweep is not None:
        yield Text("")
        name = "".join(f" · {word}" for word in (sweep.name, sweep.state) if word)
        line = Text.assemble((sweep.id, "bold"), name, " · ")
        line.append(sweep.url or "no link", style=url_style(sweep.url) if sweep.url else "yellow")
        yield line
        about = [text for text in (sweep.purpose, sweep.config) if text]
        issues = [text for text in sweep.issues if not text.startswith("state unknown")]
        if about or issues:
            yield folded(" · ".join([*about, *issues]), width, 2)
    elif any(kind(row) in {"live", "waiting", "finished"} for row in rows):
        yield Text("\nNo sweep known", style="bold")
    if live:
        yield from live_table(live[:MAX_LIVE], width, named)
        if len(live) > MAX_LIVE:
            yield Text(f"  and {len(live) - MAX_LIVE} more running, none of them diverged or behind these")
    if waiting:
        yield folded(_waiting(waiting, named), width, 2)
    finished = sum(1 for row in rows if kind(row) == "finished")
    if finished:
        yield Text(f"  {finished} finished")


def _waiting(rows: Sequence[RunRow], named: bool) -> str:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        name = f" {row.name}" if named and row.name else ""
        by_reason[row.reason or "no reason given"].append(f"{row.job or '?'}{name}")
    return "waiting: " + "; ".join(f"{listed(ids)} ({reason})" for reason, ids in by_reason.items())
