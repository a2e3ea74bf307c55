"""The status as a person reads it: every number from the look, nothing from a model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent.terminal.cells import duration, epochs, flag_text, percent, roughly, steps
from tools.diagnosis.resume import command_in
from tools.kinds import counts, kind, urgency
from tools.status import RunRow, Status, SweepRow

MAX_LIVE = 60
MAX_DEAD = 40
"""Past this many rows the rest is grouped: a table nobody can read tells nothing."""
WIDE = 110
SICK = ("diverged", "exploding", "overfitting", "plateau")


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
        console.print(part, soft_wrap=isinstance(part, Whole), highlight=False, markup=False)


class Whole(Text):
    """A line that is never folded: a URL or a command that is can't be clicked or copied."""


def _parts(status: Status, width: int) -> Iterable[RenderableType]:
    standing = [row for row in status.runs if not row.superseded]
    if status.demo:
        yield Text("DEMO  a simulated cluster, embedded in this program; nothing here is real", style="bold reverse")
    yield Text(_heading(status), style="dim")
    yield Text("")
    yield Text(_headline(status), style="bold")
    for sweep in status.sweeps:
        yield from _sweep(sweep, [row for row in standing if row.sweep == sweep.id], width)
    yield from _sweep(None, [row for row in standing if row.sweep is None], width)
    dead = sorted((row for row in standing if kind(row) == "dead"), key=urgency)
    if dead:
        yield Text("\nDead", style="bold")
        yield from _dead(dead, width)
    flags = [line for row in standing for line in _red_flags(row)]
    if flags:
        yield Text("\nRed flags", style="bold red")
        yield from (Padding(Text(line), (0, 0, 0, 2), expand=False) for line in flags[:MAX_DEAD])
    unseen = [source for source in status.sources if not source.ok]
    if unseen:
        yield Text("\nNot seen", style="bold yellow")
        yield from (Padding(Text(f"{source.name}: {source.error}"), (0, 0, 0, 2), expand=False) for source in unseen)


def _heading(status: Status) -> str:
    at = datetime.fromisoformat(status.at).astimezone()
    project = f"{status.entity}/{status.project}" if status.entity and status.project else "W&B project unknown"
    ages = [
        f"{source.name} {source.age_s:.0f} s"
        for source in status.sources
        if source.ok and source.name in {"squeue", "sacct", "logs"}
    ]
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
        more.append(f"{status.other_jobs} other job{'s' if status.other_jobs > 1 else ''} of yours elsewhere")
    return text + "." + (f" {', '.join(more).capitalize()}." if more else "")


def _sweep(sweep: SweepRow | None, rows: Sequence[RunRow], width: int) -> Iterable[RenderableType]:
    live = sorted((row for row in rows if kind(row) == "live"), key=urgency)
    waiting = [row for row in rows if kind(row) == "waiting"]
    if sweep is not None:
        yield Text("")
        name = f" · {sweep.name}" if sweep.name else ""
        line = Whole.assemble((sweep.id, "bold"), name, " · ")
        line.append(sweep.url or "no link", style=f"link {sweep.url}" if sweep.url else "yellow")
        yield line
        about = [text for text in (sweep.purpose, sweep.config) if text]
        issues = [text for text in sweep.issues if not text.startswith("state unknown")]
        if about or issues:
            yield Padding(Text(" · ".join([*about, *issues])), (0, 0, 0, 2), expand=False)
    elif any(kind(row) in {"live", "waiting", "finished"} for row in rows):
        yield Text("\nNo sweep known", style="bold")
    if live:
        yield _live_table(live[:MAX_LIVE], width)
        if len(live) > MAX_LIVE:
            yield Text(f"  and {len(live) - MAX_LIVE} more running, none of them diverged or behind these")
    if waiting:
        yield Padding(Text(_waiting(waiting)), (0, 0, 0, 2), expand=False)
    finished = sum(1 for row in rows if kind(row) == "finished")
    if finished:
        yield Text(f"  {finished} finished")


def _waiting(rows: Sequence[RunRow]) -> str:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_reason[row.reason or "no reason given"].append(row.job or "?")
    return "waiting: " + "; ".join(f"{_ids(ids)} ({reason})" for reason, ids in by_reason.items())


def _ids(ids: Sequence[str]) -> str:
    return ", ".join(ids) if len(ids) <= 6 else f"{', '.join(ids[:5])} and {len(ids) - 5} more"


def _live_table(rows: Sequence[RunRow], width: int) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False, header_style="dim")
    for name in ("JOB", "RUN"):
        table.add_column(name, no_wrap=True, overflow="fold")
    for name in ("EPOCH", "STEP", "DONE"):
        table.add_column(name, justify="right", no_wrap=True)
    if width >= WIDE:
        table.add_column("RAN", justify="right", no_wrap=True)
    table.add_column("LEFT / LIMIT", no_wrap=True)
    table.add_column("LOSS", no_wrap=True)
    table.add_column("STATUS", overflow="fold")
    for row in rows:
        cells = [row.job or "–", row.run or "–", epochs(row), steps(row), percent(row)]
        if width >= WIDE:
            cells.append(duration(row.elapsed_s))
        limit = None if row.limit_s is None or row.elapsed_s is None else row.limit_s - row.elapsed_s
        cells.append(f"{roughly(row.left_s)} / {roughly(limit)}")
        loss = "–" if row.loss is None else f"{row.loss:.4g}{_trend(row)}"
        table.add_row(*map(Text, [*cells, loss, _state(row)]))
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


def _dead(rows: Sequence[RunRow], width: int) -> Iterable[RenderableType]:
    jobs, runs = (max(len(str(getattr(row, name) or "–")) for row in rows[:MAX_DEAD]) for name in ("job", "run"))
    for row in rows[:MAX_DEAD]:
        ended = f"ended {datetime.fromtimestamp(row.ended_at).astimezone():%m-%d %H:%M}, " if row.ended_at else ""
        head = Text.assemble("  ", (f"{row.job or '–':<{jobs}}", "bold"), f"  {row.run or '–':<{runs}}")
        head.append(f"  {epochs(row):>9}  {steps(row):>7}  {percent(row):>5}  ")
        head.append(row.cause.replace("_", " "), style="red")
        yield head
        facts = [_why(row), f"{ended}ran {duration(row.elapsed_s)} · {_checkpoint(row)}{_lost(row)}"]
        words, command = command_in(row.action or "")
        facts.append(words)
        yield from (Padding(Text(fact), (0, 0, 0, 6), expand=False) for fact in facts if fact)
        if command:
            yield Whole(f"      {command}", style="cyan")
    rest = rows[MAX_DEAD:]
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rest:
        groups[row.cause, row.resumable or "unknown"].append(row.job or row.run or "?")
    for (cause, answer), ids in groups.items():
        yield Text(f"  {len(ids)} more: {cause.replace('_', ' ')}, resumable {answer}: {_ids(ids)}")


def _why(row: RunRow) -> str:
    if not row.evidence or row.evidence[0].source in {"checkpoints", "contradiction"}:
        return ""
    best = row.evidence[0]
    text = best.text if len(best.text) <= 160 else best.text[:159] + "…"
    return f"{best.where.rpartition('/')[2]}  {text}"


def _checkpoint(row: RunRow) -> str:
    answer = {"yes": "resumable", "no": "not resumable", "maybe": "perhaps resumable"}.get(
        row.resumable or "", "resumable unknown"
    )
    if row.checkpoint is None:
        return f"{'checkpoints could not be read' if row.resumable == 'unknown' else 'no checkpoint'} · {answer}"
    step = f"{row.checkpoint.step:,}" if row.checkpoint.step is not None else row.checkpoint.path.rpartition("/")[2]
    newer = next((f": newer {flag.partition(': ')[2]}" for flag in row.flags if flag.startswith("newer_check")), "")
    loads = "loads" if row.checkpoint.loadable else f"does not load ({row.checkpoint.problem})"
    return f"checkpoint {step} {loads}{newer} · {answer}"


def _lost(row: RunRow) -> str:
    """What went with it: training after the newest checkpoint."""
    if row.unsaved_s is None or row.unsaved_s < 60:
        return ""
    cost = f" ({row.unsaved_gpu_hours:g} GPU-hours)" if row.unsaved_gpu_hours else ""
    return f" · lost {roughly(row.unsaved_s)}{cost}"


def _red_flags(row: RunRow) -> Iterable[str]:
    if row.cause == "false_success":
        target = f" of {row.target_epochs:g}" if row.target_epochs else ""
        reached = f"epoch {row.epoch:g}{target}" if row.epoch is not None else "no epoch at all"
        yield f"{row.job}  {row.slurm_state} after {duration(row.elapsed_s)} at {reached}: it did not train to its end"
    if row.stuck:
        yield f"{row.job}  {flag_text(row, 'not_progressing')}"
    if row.live and row.health == "diverged":
        yield f"{row.job}  loss is {row.loss}: diverged while still running"
    if row.live and row.health == "exploding":
        yield f"{row.job}  {row.health_note}: exploding while still running"
