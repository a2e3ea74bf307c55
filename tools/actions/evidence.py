"""What a person is shown of a run before it is ended: whether it makes progress, what it has saved, what is lost."""

from __future__ import annotations

from tools.status import CheckpointRow, RunRow
from tools.text import duration


def no_progress(row: RunRow | None) -> tuple[bool | None, str]:
    """Whether code judged that the run stands still or has diverged, and why."""
    if row is None or not row.live:
        return None, "no run is known to train in it"
    for flag in row.flags:
        if flag.startswith("not_progressing: "):
            return True, flag.partition(": ")[2]
    if row.health == "diverged":
        return True, f"diverged: {row.health_note or 'the last losses are not finite'}"
    return False, "it makes progress" if row.idle_s is not None else "nothing shows that it stands still"


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
    if ahead(row):
        return f"loses all that this job trained ({since}); {saved} (loads) is of before it began"
    return f"loses {since} since {saved} (loads)"


def ahead(row: RunRow) -> str | None:
    """That its checkpoint is an earlier job's and further than this one's log, in words."""
    return next((flag.partition(": ")[2] for flag in row.flags if flag.startswith("checkpoint_ahead: ")), None)


def _name(checkpoint: CheckpointRow) -> str:
    return checkpoint.path.rpartition("/")[2]
