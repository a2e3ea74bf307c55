"""What a person is shown of a run before it is ended: whether it makes progress, what it has saved, what is lost."""

from __future__ import annotations

import time
from pathlib import Path

from tools.data import Checkpoint
from tools.diagnosis import disk
from tools.status import CheckpointRow, RunRow
from tools.text import duration, roughly


def no_progress(row: RunRow | None) -> tuple[bool | None, str]:
    """Whether code judged that the run stands still or has diverged, and why."""
    if row is None or not row.live:
        return None, "no run is known to train in it"
    for flag in row.flags:
        if flag.startswith("not_progressing: "):
            return True, flag.partition(": ")[2]
    if row.health == "diverged":
        return True, f"diverged: {row.health_note or 'the last losses are not finite'}"
    return False, _progress(row)


def _progress(row: RunRow) -> str:
    """What shows that a run goes on, which nothing says it doesn't."""
    if row.idle_s is None:
        return "nothing shows that it stands still"
    loss = f"loss {row.health}, " if row.health else ""
    at = f"epoch {row.epoch:g}" if row.epoch is not None else f"step {row.step}" if row.step is not None else "its log"
    return f"it makes progress: {loss}{at} {roughly(row.idle_s)} ago"


def going_on(row: RunRow | None) -> tuple[str, ...]:
    """For a person who would end it: that it trains, as far as anything tells."""
    stalled, told = no_progress(row)
    if row is None or not row.live or stalled:
        return ()
    return (told.replace("it makes progress", "it IS making progress"),)


def checkpoint_of(row: RunRow | None) -> tuple[bool | None, str]:
    """Whether it is known what the run has saved, and what that is."""
    if row is None or row.run is None:
        return True, "no run is known to train in it"
    unknown = next((flag for flag in row.flags if flag.startswith("checkpoint: ")), None)
    if unknown and not (row.checkpoint and row.checkpoint.loadable):
        return None, unknown.partition(": ")[2]
    if row.checkpoint is None:
        return True, "no checkpoint"
    return True, f"{_name(row.checkpoint)} {'loads' if row.checkpoint.loadable else 'does not load'}"


def lost_with(row: RunRow | None) -> str:
    """What ending it now costs."""
    if row is None or row.run is None:
        return "what it loses is not known: no run was found in it"
    if row.checkpoint is None or not row.checkpoint.loadable:
        return "loses all that it trained: no checkpoint of it loads"
    since, saved = duration(row.unsaved_s) if row.unsaved_s is not None else "the time", _name(row.checkpoint)
    hours = f"{row.unsaved_gpu_hours:g} GPU-hours" if row.unsaved_gpu_hours else ""
    newer = "".join(f"; newer {told}" for told in _torn(row))
    if ahead(row):
        cost = ", ".join(filter(None, (since, hours)))
        return f"loses all that this job trained ({cost}); {saved} (loads) is of before it began{newer}"
    return f"loses {since}{f' ({hours})' if hours else ''} since {saved} (loads){newer}"


def going_on_from(row: RunRow, saved: Checkpoint | None, change: str | None, *, brief: bool = False) -> tuple[str, ...]:
    """What resuming a run goes on from, and what was lost; ``change``: the smaller batch that the command carries;
    ``brief``: with the loss on the same line, so that a dozen fit a screen."""
    where, facts = "nothing", ["no checkpoint loads"]
    if saved is not None:
        where = Path(saved.path).name if saved.step is None else f"{saved.step:,}"
        facts = ["loads", disk.words(saved.size), time.strftime("%H:%M", time.localtime(saved.mtime))]
    done = f"{int(row.percent)} %  " if row.percent is not None else ""
    how = row.cause.replace("_", " ") if row.cause != "none" else "finished"
    loss = _lost_before(row)
    if brief:
        lines = [f"{row.run}  {row.sweep or 'no sweep'}  from {where}  {done}{how}{f', {loss}' if loss else ''}"]
    else:
        since = f"{loss} since that checkpoint" if loss else ""
        lines = [f"{row.run}  {row.sweep or 'no sweep'}  from {where} ({', '.join(facts)})  {done}{how}", since]
    lines += [f"not from the newer {told}" for told in _torn(row)]
    if row.cause == "cuda_oom":
        same = "the command carries no smaller batch: it may run out of memory again"
        lines.append(f"with {change}" if change else same)
    elif row.percent is not None and row.percent >= 100:
        lines.append("it HAS reached its target: there is nothing left to train")
    return tuple(filter(None, (*lines, ahead(row))))


def _lost_before(row: RunRow) -> str:
    """What a dead run had trained since the checkpoint that it would go on from: lost, to be trained again."""
    if row.checkpoint is None or row.unsaved_s == 0:
        return ""
    if row.unsaved_s is None:
        return "lost: unknown how much"
    hours = f", {row.unsaved_gpu_hours:g} GPU-h" if row.unsaved_gpu_hours else ""
    return f"lost: {roughly(row.unsaved_s)}{hours}"


def _torn(row: RunRow) -> list[str]:
    """Checkpoints newer than the one that loads, and what is wrong with each."""
    return [flag.partition(": ")[2] for flag in row.flags if flag.startswith("newer_checkpoint_does_not_load: ")]


def ahead(row: RunRow) -> str | None:
    """That its checkpoint is an earlier job's and further than this one's log, in words."""
    return next((flag.partition(": ")[2] for flag in row.flags if flag.startswith("checkpoint_ahead: ")), None)


def _name(checkpoint: CheckpointRow) -> str:
    return checkpoint.path.rpartition("/")[2]
