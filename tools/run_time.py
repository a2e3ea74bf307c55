"""What the clock says of a run: what is left to its target, how long it has stood still, what is not saved yet."""

from __future__ import annotations

from collections.abc import Sequence

from tools.compact import compact
from tools.data import Checkpoint, Evidence, Job
from tools.diagnosis import pace, stall
from tools.diagnosis.join import Link
from tools.diagnosis.targets import Target
from tools.look import Seen
from tools.sources import checkpoints
from tools.text import duration
from tools.wandb_rows import LoggedRow

WORTH_TELLING_S = 60


@compact
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


_NO_TIMES = Times()


def times_of(
    link: Link, target: Target, best: Checkpoint | None, checkpoints_known: bool, row: LoggedRow | None, seen: Seen
) -> Times:
    """``best`` is the run's newest checkpoint; ``checkpoints_known``: whether it is known what the run has saved;
    ``row`` the last one it logged to W&B."""
    job = link.job
    if job is None or job.waiting or link.superseded_by:
        return _NO_TIMES
    left = _left(link, target)
    flags: list[str] = []
    limit_left = job.limit_s - job.elapsed_s if job.limit_s is not None and job.elapsed_s is not None else None
    if left is not None and limit_left is not None and left > limit_left:
        flags.append("will_not_finish: at this pace the time limit comes first")
    still = _idle(link, best, row, seen.at)
    if still and still.stuck:
        usual = f", usually every {max(1, round(still.gap_s))} s" if still.gap_s is not None else ""
        flags.append(f"not_progressing: no progress for {still.seconds // 60} min{usual}")
    if lost := _lost_before(link, checkpoints_known, seen):
        flags.append(f"lost_to_preemption: {', then '.join(lost)}")
    unsaved = _unsaved(link, best, checkpoints_known, seen.at)
    if isinstance(unsaved, str):
        flags.append(f"unsaved: {unsaved}")
        unsaved = None
    return Times(
        left_s=left,
        idle_s=still.seconds if still else None,
        unsaved_s=unsaved,
        unsaved_gpu_hours=_gpu_hours(unsaved, job),
        flags=tuple(flags),
        evidence=still.evidence if still and still.stuck else (),
    )


def _left(link: Link, target: Target) -> int | None:
    part, began = link.part, _began(link)
    return pace.left_s(part.reading, target, began) if link.current and part and part.reading and began else None


def _began(link: Link) -> float | None:
    """When the job began with this run: where it trained others before, the log doesn't say, but W&B's folder does."""
    if link.job is None or link.job.start is None:
        return None
    if link.part and link.part.alone:
        return link.job.start
    started = link.run_dirs[-1].started if link.run_dirs else None
    return started if started is not None and started >= link.job.start else None


def _idle(link: Link, best: Checkpoint | None, row: LoggedRow | None, now: float) -> stall.Idle | None:
    reading = link.part.reading if link.part else None
    if not link.current or reading is None or link.job is None:
        return None
    return stall.idle(
        reading.pulses,
        now,
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
    began = _began(link)
    if end is None:
        return "when its job ended is not known"
    if began is None:
        return "when this run began within its job is not known"
    saved = best.mtime if best and best.loadable and began <= best.mtime <= end else began
    return max(0, int(end - saved))


def _lost_before(link: Link, checkpoints_known: bool, seen: Seen) -> list[str]:
    """What each preemption that this run has gone on from took with it, oldest first; nothing where none took a minute.

    Checkpoints are deleted oldest first: one that is left from before an end is the newest of then. Where only later
    ones are left, nobody knows what there was.
    """
    if not link.before and not link.earlier:
        return []
    own = seen.checkpoints.get(link.run or "")
    alone = link.part is None or link.part.alone
    lives = [job for job in (*link.before, *(link.earlier if alone else ())) if job.state == "PREEMPTED"]
    if own is None or not lives or not checkpoints_known:
        return []
    torn = {one.path for one in own.torn}
    saved = checkpoints.times([path for path in own.paths if path not in torn])
    told, worth = [], False
    for job in sorted(lives, key=lambda job: job.start or 0.0):
        lost = _lost(job, saved)
        hours = _gpu_hours(lost, job)
        cost = f" ({hours:g} GPU-hours)" if hours else ""
        told.append("unknown" if lost is None else f"{duration(lost)}{cost}")
        worth = worth or (lost or 0) >= WORTH_TELLING_S
    return told if worth else []


def _lost(job: Job, saved: Sequence[float]) -> int | None:
    """Seconds of training between the newest checkpoint of this start and its end."""
    if job.start is None or job.end is None:
        return None
    before = [at for at in saved if at <= job.end]
    if not before and saved:
        return None
    return int(job.end - max((job.start, *before)))


def _gpu_hours(seconds: int | None, job: Job) -> float | None:
    return round(seconds * job.gpus / 3600, 1) if seconds is not None and job.gpus else None
