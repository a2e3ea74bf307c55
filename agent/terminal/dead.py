"""Dead runs and red flags: why, what it cost, and the command that goes on."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.cells import cell_len
from rich.text import Text

from agent.terminal.cells import epochs, flag_text, folded, listed, percent, steps
from tools.diagnosis.resume import command_in
from tools.status import RunRow
from tools.text import duration, roughly

MAX_DEAD = 40
_HEAD = re.compile(r":\s?$|validation errors? for \S{1,100}$|device-side assert triggered$")
"""A line that heads a message: what it is about stands in the next piece of evidence."""


def dead_rows(rows: Sequence[RunRow], width: int) -> Iterable[Text]:
    """Some lines for each dead run, the rest grouped; ``width`` is the screen's, and only a command is wider."""
    jobs, runs = (max(len(str(getattr(row, name) or "–")) for row in rows[:MAX_DEAD]) for name in ("job", "run"))
    for row in rows[:MAX_DEAD]:
        ended = f"ended {datetime.fromtimestamp(row.ended_at).astimezone():%m-%d %H:%M}, " if row.ended_at else ""
        head = Text.assemble("  ", (f"{row.job or '–':<{jobs}}", "bold"), f"  {row.run or '–':<{runs}}")
        head.append(f"  {epochs(row):>9}  {steps(row):>7}  {percent(row):>5}  ")
        head.append(row.cause.replace("_", " "), style="red")
        whose = "  ".join(word for word in (row.sweep or "no sweep", row.name) if word)
        if fits := head.cell_len + 2 + cell_len(whose) <= width:
            head.append(f"  {whose}", style="dim")
        yield head
        if not fits:
            yield folded(whose, width, 6, "dim")
        facts = [_why(row), f"{ended}ran {duration(row.elapsed_s)} · {_checkpoint(row)}{_lost(row)}"]
        words, command = command_in(row.action or "")
        facts.append(words)
        yield from (folded(fact, width, 6) for fact in facts if fact)
        if command:
            yield Text(f"      {command}", "cyan")
    rest = rows[MAX_DEAD:]
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rest:
        groups[row.cause, row.resumable or "unknown"].append(row.job or row.run or "?")
    for (cause, answer), ids in groups.items():
        yield folded(f"{len(ids)} more: {cause.replace('_', ' ')}, resumable {answer}: {listed(ids)}", width, 2)


def _why(row: RunRow) -> str:
    if not row.evidence or row.evidence[0].source in {"checkpoints", "contradiction"}:
        return ""
    best, more = row.evidence[0], row.evidence[1:2]
    told = best.text
    if more and more[0].source == best.source and _HEAD.search(told):
        told = f"{told} {more[0].text}"
    text = told if len(told) <= 160 else told[:159] + "…"
    return f"{best.where.rpartition('/')[2]}  {text}"


def _checkpoint(row: RunRow) -> str:
    if row.resumable is None:
        return "nothing to resume"
    answer = {"yes": "resumable", "no": "not resumable", "maybe": "perhaps resumable"}.get(
        row.resumable or "", "resumable unknown"
    )
    if again := flag_text(row, "queued_as"):
        answer = f"waits again as {again}"
    if row.checkpoint is None:
        unknown = flag_text(row, "checkpoint") or "checkpoints could not be read"
        return f"{unknown if row.resumable == 'unknown' else 'no checkpoint'} · {answer}"
    step = f"{row.checkpoint.step:,}" if row.checkpoint.step is not None else row.checkpoint.path.rpartition("/")[2]
    newer = next((f": newer {flag.partition(': ')[2]}" for flag in row.flags if flag.startswith("newer_check")), "")
    loads = "loads" if row.checkpoint.loadable else f"does not load ({row.checkpoint.problem})"
    small = f" ({words})" if (words := flag_text(row, "checkpoint_small")) else ""
    ahead = f" · {words}" if (words := flag_text(row, "checkpoint_ahead")) else ""
    config = " · no Hydra config, which other runs have" if flag_text(row, "no_config") else ""
    return f"checkpoint {step} {loads}{small}{newer} · {answer}{ahead}{config}"


def _lost(row: RunRow) -> str:
    """What went with it: training after the newest checkpoint."""
    if row.unsaved_s is None or row.unsaved_s < 60:
        return ""
    cost = f" ({row.unsaved_gpu_hours:g} GPU-hours)" if row.unsaved_gpu_hours else ""
    return f" · lost {roughly(row.unsaved_s)}{cost}"


def red_flags(row: RunRow) -> Iterable[str]:
    if odd := flag_text(row, "consistency"):
        yield f"{row.run or row.job}  {odd}"
    if row.cause == "false_success":
        target = f" of {row.target_epochs:g}" if row.target_epochs else ""
        reached = f"epoch {row.epoch:g}{target}" if row.epoch is not None else "no epoch at all"
        ended = f"{row.slurm_state} after {duration(row.elapsed_s)}" if row.job else f"{row.wandb_state} on W&B"
        yield f"{row.job or row.run}  {ended} at {reached}: it did not train to its end"
    for name in ("duplicate_run", "begun_anew"):
        if told := flag_text(row, name):
            yield f"{row.job} (run {row.run})  {told}"
    if row.stuck:
        yield f"{row.job}  {flag_text(row, 'not_progressing')}"
    if row.live and row.health == "diverged":
        yield f"{row.job}  loss is {row.loss}: diverged while still running"
    if row.live and row.health == "exploding":
        yield f"{row.job}  {row.health_note}: exploding while still running"
