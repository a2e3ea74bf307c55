"""The evidence of a row, and why a value in it is null."""

from __future__ import annotations

from collections.abc import Sequence

from tools.data import Checkpoint, Evidence, Job, Progress
from tools.diagnosis import disk
from tools.diagnosis.join import Link
from tools.diagnosis.markers import RunPart
from tools.look import Seen
from tools.run_states import queue_read

MAX_EVIDENCE = 6


def _why_no_log(job: Job, part: RunPart | None, seen: Seen) -> str:
    files = seen.log_files.get(job.id, ())
    if part and part.doubt:
        return part.doubt
    if any(file.shared for file in files):
        return f"{files[0].path} is written by all tasks of the array; nothing in it tells them apart"
    if any(file.overwritten for file in files):
        return f"{files[0].path} was written over by a later job"
    if files:
        bad = next((file for file in files if file.problem), files[0])
        return f"{bad.path} {bad.problem or 'could not be read'}"
    told = f" (Slurm says {job.stdout}, which is not there)" if job.stdout else ""
    return f"no log file found for this job{told}"


def checkpoints_read(link: Link, best: Checkpoint | None, maybe: str | None, seen: Seen) -> bool:
    """Whether it is known what this run has saved: a loadable one is enough, else every folder must have been read.

    ``maybe``: a checkpoint that may be its own.
    """
    if best and best.loadable:
        return True
    if link.run is None or maybe:
        return False
    return next(source.ok for source in seen.sources if source.name == "checkpoints")


def maybe_its_own(link: Link, seen: Seen) -> str | None:
    """A checkpoint that nothing ties to a run, written since this run's job began: it may be this one's."""
    job, own = link.job, seen.checkpoints.get(link.run or "")
    if job is None or job.start is None or own is None or own.paths or link.superseded_by:
        return None
    return next((path for path, written in seen.unclaimed if job.start <= written), None)


def _checkpoint_notes(link: Link, trained: bool, known: bool, seen: Seen) -> list[str]:
    own = seen.checkpoints.get(link.run or "")
    if own is None or link.superseded_by:
        return []
    if not known:
        error = next(source.error for source in seen.sources if source.name == "checkpoints")
        return [f"checkpoint: {error}"] if error else []
    if own.best is None:
        return ["no_checkpoint: it trained, and none was found"] if trained else []
    usual = disk.usual_size(own.size, own.usual) if own.size is not None else None
    if usual is None or own.size is None:
        return []
    return [f"checkpoint_small: {disk.words(own.size)} where {disk.words(usual)} is usual"]


def checkpoint_ahead(link: Link, progress: Progress, best: Checkpoint | None, seen: Seen) -> list[str]:
    """That going on means to go on from what an earlier job saved, further than this one's own log has come.

    It did not go on from there: it trained anew, or from an older one. A requeued job's log may hold its earlier
    starts as well, so it tells nothing of this.
    """
    job, own = link.job, link.part.reading.progress if link.part and link.part.reading else None
    if job is None or job.start is None or own is None or best is None or not best.loadable or link.earlier:
        return []
    if best.mtime >= job.start:
        return []
    for name in ("step", "epoch"):
        saved, logged, known = getattr(best, name), getattr(own, name), getattr(progress, name)
        if saved is None or logged is None:
            continue
        if saved <= max(logged, known or 0):
            return []
        others = [other.job for other in seen.links if other.run == link.run and other.job and other.job is not job]
        saver = next(
            (other.id for other in others if (other.start or seen.at) <= best.mtime <= (other.end or seen.at)), None
        )
        who = f"by job {saver}, " if saver else ""
        ago = f"saved {who}before this job began"
        return [f"checkpoint_ahead: {name} {saved:g} was {ago}; its own log reached {name} {logged:g}"]
    return []


def missing_values(
    link: Link,
    epoch: float | None,
    step: int | None,
    seen: Seen,
    silent_s: int,
    *,
    checkpoints_known: bool,
    maybe: str | None,
) -> list[str]:
    """Why a value is null; and that a live job's log is older than ``silent_s``.

    ``checkpoints_known``: whether it is known what the run has saved; ``maybe``: a checkpoint that may be its own.
    """
    notes = []
    job, part = link.job, link.part
    if job and job.source == "sacct" and job.active and queue_read(seen):
        notes.append(f"not_in_queue: accounting says {job.state}, the queue does not have it")
    if job and not job.waiting:
        logged = part is not None and part.reading is not None
        if not logged:
            notes.append(f"log: {_why_no_log(job, part, seen)}")
        elif link.run is None:
            notes.append("run: the log names no W&B run")
        if link.run is None and not job.active:
            notes.append("checkpoint: none can be looked up without a run")
        why = "no line of the log names one" if logged else "no log tells"
        notes += [f"{name}: {why}" for name, value in (("epoch", epoch), ("step", step)) if value is None]
    notes += _checkpoint_notes(link, bool(epoch or step), checkpoints_known, seen)
    if maybe:
        shown = maybe.removeprefix(f"{seen.index.workspace}/")
        notes.append(f"checkpoint: {shown} was written since it began and is tied to no run: it may be this one's")
    if link.current and part and part.reading:
        age = int(seen.at - part.reading.written)
        if age > silent_s:
            notes.append(f"log_silent: {age // 60} min")
    return notes


def evidence_rows(
    link: Link,
    told: Sequence[Evidence],
    contradictions: Sequence[str],
    best: Checkpoint | None,
    torn: Sequence[Checkpoint],
) -> tuple[Evidence, ...]:
    """What the judgement rests on, the most telling first."""
    found = list(told)
    if best and best.loadable:
        found.append(Evidence("checkpoints", best.path, "loads"))
    found += [Evidence("checkpoints", bad.path, bad.problem or "does not load") for bad in torn[:2]]
    found += link.evidence
    found += [Evidence("contradiction", "", text) for text in contradictions]
    return tuple(found[:MAX_EVIDENCE])
