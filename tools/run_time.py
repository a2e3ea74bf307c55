"""What the clock says of a run: what is left to its target, how long it has stood still, what is not saved yet."""

from __future__ import annotations

from dataclasses import dataclass

from tools.data import Checkpoint, Evidence
from tools.diagnosis import pace, stall
from tools.diagnosis.join import Link
from tools.diagnosis.targets import Target
from tools.look import Seen
from tools.wandb_rows import last_row


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds; None where nothing tells."""

    left_s: int | None = None
    """Until the target at the run's own pace."""
    idle_s: int | None = None
    """Since the last sign of progress of a live run."""
    unsaved_s: int | None = None
    """Of training since the newest checkpoint that loads: lost if it died now, or lost when it died."""
    unsaved_gpu_hours: float | None = None
    flags: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


def times_of(link: Link, target: Target, best: Checkpoint | None, checkpoints_known: bool, seen: Seen) -> Times:
    """``best`` is the run's newest checkpoint; ``checkpoints_known``: whether it is known what the run has saved."""
    job = link.job
    if job is None or job.waiting or link.superseded_by:
        return Times()
    left = _left(link, target)
    flags: list[str] = []
    limit_left = job.limit_s - job.elapsed_s if job.limit_s is not None and job.elapsed_s is not None else None
    if left is not None and limit_left is not None and left > limit_left:
        flags.append("will_not_finish: at this pace the time limit comes first")
    still = _idle(link, best, seen)
    if still and still.stuck:
        usual = f", usually every {max(1, round(still.gap_s))} s" if still.gap_s is not None else ""
        flags.append(f"not_progressing: no progress for {still.seconds // 60} min{usual}")
    unsaved = _unsaved(link, best, checkpoints_known, seen.at)
    if isinstance(unsaved, str):
        flags.append(f"unsaved: {unsaved}")
        unsaved = None
    return Times(
        left_s=left,
        idle_s=still.seconds if still else None,
        unsaved_s=unsaved,
        unsaved_gpu_hours=round(unsaved * job.gpus / 3600, 1) if unsaved is not None and job.gpus else None,
        flags=tuple(flags),
        evidence=still.evidence if still and still.stuck else (),
    )


def _left(link: Link, target: Target) -> int | None:
    """Only for a job's single run: where several ran, the log doesn't say when this one began."""
    job, part = link.job, link.part
    if not link.current or not job or job.start is None or not part or not part.reading or not part.alone:
        return None
    return pace.left_s(part.reading, target, job.start)


def _idle(link: Link, best: Checkpoint | None, seen: Seen) -> stall.Idle | None:
    reading = link.part.reading if link.part else None
    if not link.current or reading is None or link.job is None:
        return None
    row = last_row(link, seen)
    return stall.idle(
        reading.pulses,
        seen.at,
        started=link.job.start,
        saved=(best.path, best.mtime) if best else None,
        logged=(row.source, row.at) if row and row.at is not None else None,
    )


def _unsaved(link: Link, best: Checkpoint | None, checkpoints_known: bool, now: float) -> int | str | None:
    """Seconds, or why they are not known where no other flag of the row says it."""
    job, part = link.job, link.part
    if job is None or job.start is None or not checkpoints_known or link.run is None:
        return None
    if part and part.ended:
        told = part.reading.progress if part.reading else None
        if not told or not (told.epoch or told.step):
            return None  # it trained nothing that could be lost
        return "its agent ended it before the job ended, and when is not known"
    end = now if link.current else job.end
    began = job.start if part and part.alone else link.run_dirs[-1].started if link.run_dirs else None
    if end is None:
        return "when its job ended is not known"
    if began is None:
        return "when this run began within its job is not known"
    saved = best.mtime if best and best.loadable and began <= best.mtime <= end else began
    return max(0, int(end - saved))
