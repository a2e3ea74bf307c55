"""What W&B says of a run beside what Slurm says: its state, its owner, its heartbeat, and what is odd about them."""

from __future__ import annotations

from tools.compact import compact
from tools.data import Progress
from tools.diagnosis import consistency, wandb_told
from tools.diagnosis.join import Link
from tools.diagnosis.targets import Target
from tools.diagnosis.verdict import Diagnosis
from tools.look import Seen
from tools.wandb_data import ServerRun

REACHED = 98.0
"""Percent from which a run counts as at its target: many count epochs from 0."""


@compact
class Standing:
    """One run as W&B has it."""

    state: str | None = None
    """The service's word, else what the exit record on disk says; a run without one may live, or have been killed."""
    heartbeat_age_s: int | None = None
    """Only where the service told."""
    other_owner: str | None = None
    """Who started it, where that is not whom the key belongs to and no job of this user has it."""
    told: ServerRun | None = None
    mine: bool = False
    """The service says that the key's owner started it."""


_BY_FILES = {state: Standing(state) for state in (None, "finished", "preempted", "failed")}


def standing(link: Link, seen: Seen) -> Standing:
    """A row that a later job went on with says nothing of the run as it is now."""
    told = seen.served.runs.get(link.run or "") if seen.served else None
    if told is None or link.superseded_by:
        return _BY_FILES[_on_disk(link)]
    viewer = seen.served.project.viewer if seen.served else None
    there = seen.at + ((seen.served.skew_s if seen.served else None) or 0.0)  # by the clock of who noted the heartbeat
    age = max(0, int(there - told.heartbeat)) if told.heartbeat is not None else None
    mine = viewer is not None and told.owner == viewer
    other = (told.owner or "somebody unknown") if link.job is None and not mine else None
    return Standing(told.state, age, other, told, mine)


def disagreements(link: Link, its: Standing, seen: Seen, percent: float | None, *, early: bool) -> list[str]:
    """Flags: where W&B and Slurm say different things of the run, and whose it is."""
    if its.other_owner:
        return [f"owner: {its.other_owner}"]
    if link.superseded_by or (link.part and link.part.ended):
        return []
    if link.job is None and (its.told is None or not queue_read(seen)):
        return []  # files on disk outlive their run, and an unread queue hides its job
    reached = None if percent is None else percent >= REACHED or early
    slurm = link.job.state if link.job else None
    odd = consistency.disagreement(its.state, slurm, reached=reached, heartbeat_age_s=its.heartbeat_age_s)
    return [f"consistency: {odd}"] if odd else []


def without_job(link: Link, its: Standing, progress: Progress, target: Target) -> Diagnosis | None:
    """The judgement of a run that no job is known of; None where the service told nothing of it."""
    if link.job is not None or its.told is None:
        return None
    age = its.heartbeat_age_s
    heartbeat = f", last heartbeat {age // 60} min ago" if age is not None else ""
    return wandb_told.judge(its.told.state, its.told.run, heartbeat, progress, target.epochs, target.steps)


def queue_read(seen: Seen) -> bool:
    """Whether the queue was read: without it nobody knows that a run has no job."""
    return next(source.ok for source in seen.sources if source.name == "squeue")


def missing_state(link: Link, its: Standing, seen: Seen) -> list[str]:
    """Why the state is null."""
    if its.state is not None or link.run is None:
        return []
    if link.superseded_by:
        return [f"wandb_state: the run went on, so W&B tells of job {link.superseded_by}"]
    asked = "the service does not list it" if seen.served else "the service was not asked"
    if not link.run_dirs:
        return [f"wandb_state: no run folder on disk, and {asked}"]
    return [f"wandb_state: no exit record on disk, and {asked}"] if link.run_dirs[-1].exit_code is None else []


def _on_disk(link: Link) -> str | None:
    latest = link.run_dirs[-1] if link.run_dirs else None
    if latest is None or latest.exit_code is None:
        return None
    if latest.exit_code == 0:
        return "finished"
    return "preempted" if latest.preempting else "failed"
