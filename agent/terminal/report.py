"""The status as a person reads it: every number from the look, nothing from a model."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.segment import SegmentLines
from rich.table import Table
from rich.text import Text

from agent.terminal.cells import Whole, listed
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
_SAVED = ("checkpoints", "wandb_files")


def print_report(status: Status, console: Console) -> None:
    """Print the whole picture; it fits 80 columns, and says more at 120."""
    if console.is_terminal:
        _print(status, console)
        return
    with console.capture() as captured:
        _print(status, console)
    # a folded line is padded to the full width; in a file or pipe that is noise
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _print(status: Status, console: Console) -> None:
    for part in _parts(status, console.width):
        if console.width < TABLE and isinstance(getattr(part, "renderable", None), Table):
            # squeezed into fewer columns it would lose whole cells: the terminal folds it instead
            lines = console.render_lines(part, console.options.update(width=TABLE), pad=False)
            console.print(SegmentLines(lines, new_lines=True), crop=False)
        else:
            console.print(part, soft_wrap=isinstance(part, Whole), highlight=False, markup=False)


def _parts(status: Status, width: int) -> Iterable[RenderableType]:
    standing = [row for row in status.runs if not row.superseded]
    if status.demo:
        yield Text("DEMO  a simulated cluster, embedded in this program; nothing here is real", style="bold reverse")
    yield Text(_heading(status), style="dim")
    yield Text("")
    if not any(source.ok for source in status.sources if source.name in {"squeue", "sacct"}):
        yield Text("Slurm was not seen: neither squeue nor sacct could be read; what follows is from files alone.", RED)
    yield Text(_headline(status), style="bold")
    if saved := [f"{source.detail}" for source in status.sources if source.name in _SAVED and source.detail]:
        yield Text(f"On disk: {'; '.join(saved)}.", style="dim")
    for sweep in status.sweeps:
        yield from _sweep(sweep, [row for row in standing if row.sweep == sweep.id], width)
    yield from _sweep(None, [row for row in standing if row.sweep is None], width)
    if live := [row for row in standing if kind(row) == "live"]:
        unknown = [row.elapsed_s for row in live if row.left_s is None]
        why = f" ({why_no_pace(unknown)})" if unknown else ""
        yield Text(f"\nLEFT: to the target at the run's own pace{why}. LIMIT: to Slurm's time limit.", style="dim")
    dead = sorted((row for row in standing if kind(row) == "dead"), key=urgency)
    if dead:
        yield Text("\nDead", style="bold")
        yield from dead_rows(dead, width)
    if status.sweeps:
        yield from _agents(status, standing)
    flags = [line for row in standing for line in red_flags(row)]
    if flags:
        yield Text("\nRed flags", style=RED)
        yield from (Padding(Text(line), (0, 0, 0, 2), expand=False) for line in flags[:MAX_DEAD])
    unseen = [source for source in status.sources if not source.ok]
    if unseen:
        yield Text("\nNot seen", style="bold yellow")
        yield from (Padding(Text(not_seen(source)), (0, 0, 0, 2), expand=False) for source in unseen)


def _agents(status: Status, standing: Sequence[RunRow]) -> Iterable[RenderableType]:
    """The health of each sweep's agents, those with something wrong first."""
    yield Text("\nAgents", style="bold")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("SWEEP", no_wrap=True, overflow="fold")
    for name in ("AGENTS", "LIVE", "DEAD", "DONE", "ZOMBIE", "STALE"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("HEALTH", overflow="fold")
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in standing:
        if row.sweep:
            found[row.sweep][kind(row)] += 1
    told = {
        sweep.id: [issue for issue in sweep.issues if not issue.startswith("state unknown")] for sweep in status.sweeps
    }
    for sweep in sorted(status.sweeps, key=lambda sweep: not told[sweep.id])[:MAX_SWEEPS]:
        expected = "?" if sweep.expected_agents is None else str(sweep.expected_agents)
        kinds = found[sweep.id]
        cells = [sweep.id, f"{sweep.active_agents}/{expected}"]
        cells += [str(kinds[name]) for name in ("live", "dead", "finished")]
        cells += ["?" if count is None else str(count) for count in (sweep.zombies, sweep.stale)]
        table.add_row(*map(Text, [*cells, "; ".join(told[sweep.id]) or "nothing wrong seen"]))
    yield Padding(table, (0, 0, 0, 2), expand=False)
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
        text += f": {found['resumable'] or 'none'} of them can be resumed now"
    text = text[0].upper() + text[1:]
    more = [f"{found['finished']} finished"] if found["finished"] else []
    if found["disk"]:
        more.append(f"{found['disk']} on disk without a job in the last 14 days")
    if status.other_jobs:
        many = "s" if status.other_jobs > 1 else ""
        more.append(f"{status.other_jobs} other job{many} of yours in other folders (squeue --me lists all)")
    return text + "." + (f" {', '.join(more).capitalize()}." if more else "")


def _sweep(sweep: SweepRow | None, rows: Sequence[RunRow], width: int) -> Iterable[RenderableType]:
    named = sweep is None or len({row.name for row in rows if row.job}) > 1
    live = sorted((row for row in rows if kind(row) == "live"), key=urgency)
    waiting = [row for row in rows if kind(row) == "waiting"]
    if sweep is not None:
        yield Text("")
        name = "".join(f" · {word}" for word in (sweep.name, sweep.state) if word)
        line = Whole.assemble((sweep.id, "bold"), name, " · ")
        line.append(sweep.url or "no link", style=url_style(sweep.url) if sweep.url else "yellow")
        yield line
        about = [text for text in (sweep.purpose, sweep.config) if text]
        issues = [text for text in sweep.issues if not text.startswith("state unknown")]
        if about or issues:
            yield Padding(Text(" · ".join([*about, *issues])), (0, 0, 0, 2), expand=False)
    elif any(kind(row) in {"live", "waiting", "finished"} for row in rows):
        yield Text("\nNo sweep known", style="bold")
    if live:
        yield from live_table(live[:MAX_LIVE], width, named)
        if len(live) > MAX_LIVE:
            yield Text(f"  and {len(live) - MAX_LIVE} more running, none of them diverged or behind these")
    if waiting:
        yield Padding(Text(_waiting(waiting, named)), (0, 0, 0, 2), expand=False)
    finished = sum(1 for row in rows if kind(row) == "finished")
    if finished:
        yield Text(f"  {finished} finished")


def _waiting(rows: Sequence[RunRow], named: bool) -> str:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        name = f" {row.name}" if named and row.name else ""
        by_reason[row.reason or "no reason given"].append(f"{row.job or '?'}{name}")
    return "waiting: " + "; ".join(f"{listed(ids)} ({reason})" for reason, ids in by_reason.items())
