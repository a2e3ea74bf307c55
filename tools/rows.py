"""From what one look read to the rows of the status: every value with its reason, nothing guessed."""

from __future__ import annotations

from dataclasses import replace

from tools.compact import compact
from tools.data import ACTIVE_STATES, Checkpoint, Progress, Resumable
from tools.diagnosis import crash, resume
from tools.diagnosis.join import Link
from tools.diagnosis.targets import Target
from tools.diagnosis.verdict import CUT_OFF, lost_before
from tools.look import Seen
from tools.next_step import commands_for
from tools.place import Place
from tools.reasons import checkpoint_ahead, checkpoints_read, evidence_rows, maybe_its_own, missing_values
from tools.run_states import Standing, disagreements, missing_state, standing, without_job
from tools.run_time import times_of
from tools.run_values import counted_step, is_training, percent_of, progress_of, target_of
from tools.sources.users import user_of
from tools.status import CheckpointRow, RunRow
from tools.wandb_rows import last_row


@compact
class Judged:
    row: RunRow
    link: Link
    finished: bool
    """It truly reached its end."""


def judge(link: Link, seen: Seen, place: Place) -> Judged:
    """One row: progress, target, cause, resumability, and what to do."""
    job, run = link.job, link.run
    flags: list[str] = []
    superseded = link.superseded_by is not None
    logged = None if superseded else last_row(link, seen)
    progress, source_note = progress_of(link, logged, seen)
    flags += source_note
    # what lies there now is the later job's
    best, torn = (None, ()) if superseded else seen.newest.get(run or "", (None, ()))
    target = target_of(link, progress, seen, place.layout)
    if target.epochs is None and target.steps is None and not (job and job.waiting):
        flags.append("target: no config, command or log line names one")
    its = standing(link, seen)
    diagnosis = without_job(link, its, progress, target) or _chained(_diagnose(link, progress, target, place), link)
    percent = percent_of(progress, target)
    flags += _shared(link)
    flags += diagnosis.flags
    flags += disagreements(link, its, seen, percent, early="early_stopped" in diagnosis.flags)
    if torn and best and best.loadable:
        flags.append(f"newer_checkpoint_does_not_load: {torn[0].path.rpartition('/')[2]}: {torn[0].problem}")
    if link.earlier:
        flags.append(f"requeued: {len(link.earlier)}")
        if link.next_run and diagnosis.cause in CUT_OFF and not link.superseded_by:
            flags.append(f"begun_anew: started again, its job began run {link.next_run} instead of going on with it")
    step = progress.step
    if step is None and (step := counted_step(logged)) is not None:
        flags.append("step_from: the rows it has logged to W&B (_step)")
    maybe = maybe_its_own(link, seen)
    known = checkpoints_read(link, best, maybe, seen)
    silent_s = place.layout.thresholds.silent_s
    flags += missing_values(link, progress.epoch, step, seen, silent_s, checkpoints_known=known, maybe=maybe)
    flags += missing_state(link, its, seen)
    flags += checkpoint_ahead(link, progress, best, seen)
    times = times_of(link, target, best, known, logged, seen)
    flags += times.flags
    lost = lost_before(diagnosis, progress.losses)
    flags += ["diverged: its last losses are not finite"] if lost else []
    answer, action = (None, None) if its.other_owner else _next(link, seen, place, lost or diagnosis, best, known)
    if answer in {"yes", "maybe"} and run and seen.hydra_paths and run not in seen.hydra_paths:
        flags.append("no_config: other runs here keep a Hydra config, this one has none to resume with")
    reason = job.reason or None if job else None
    row = RunRow(
        job=job.id if job else None,
        run=run,
        sweep=link.sweep,
        name=_name(link, its),
        owner=its.other_owner,
        slurm_state=job.state if job else None,
        nodes=(job.nodes or None) if job else None,
        reason=f"goes on as {link.queued_as}" if link.queued_as and "continued" in diagnosis.flags else reason,
        wandb_state=its.state,
        heartbeat_age_s=its.heartbeat_age_s,
        epoch=progress.epoch,
        step=step,
        target_epochs=target.epochs,
        target_steps=target.steps,
        percent=percent,
        loss=progress.loss,
        health=None,
        elapsed_s=job.elapsed_s if job else None,
        limit_s=job.limit_s if job else None,
        left_s=None if lost else times.left_s,  # what has diverged comes no nearer to its target
        idle_s=times.idle_s,
        unsaved_s=times.unsaved_s,
        unsaved_gpu_hours=times.unsaved_gpu_hours,
        ended_at=job.end if job else None,
        checkpoint=_checkpoint_row(best),
        cause=diagnosis.cause,
        evidence=evidence_rows(link, (*diagnosis.evidence, *times.evidence), diagnosis.contradictions, best, torn),
        resumable=answer,
        action=action,
        flags=tuple(dict.fromkeys(flags)),
        live=link.current,
    )
    over = job is not None and job.state not in ACTIVE_STATES and not job.waiting
    done = diagnosis.cause == "none" and "continued" not in diagnosis.flags
    return Judged(row, link, finished=done and (over or bool(link.part and link.part.ended)))


def _chained(diagnosis: crash.Diagnosis, link: Link) -> crash.Diagnosis:
    """A link of a chain ends before the run's target by design: a later job goes on, or waits to go on."""
    if diagnosis.cause != "false_success" or not (link.superseded_by or link.queued_as):
        return diagnosis
    flags = tuple(flag for flag in diagnosis.flags if flag != "short_run")
    return replace(diagnosis, cause="none", flags=(*flags, "continued"))


def _name(link: Link, its: Standing) -> str | None:
    if link.job:
        return link.job.name
    return link.run_dirs[-1].name if link.run_dirs else its.told.name if its.told else None


def _shared(link: Link) -> list[str]:
    """What other jobs have to do with this run."""
    if link.superseded_by:
        return ["superseded", f"continued_by: {link.superseded_by}"]
    flags = [f"duplicate_run: job {other} trains this run too" for other in link.also_live]
    return [*flags, *([f"queued_as: {link.queued_as}"] if link.queued_as else [])]


def _next(
    link: Link, seen: Seen, place: Place, diagnosis: crash.Diagnosis, best: Checkpoint | None, known: bool
) -> tuple[Resumable | None, str | None]:
    """Whether it can be resumed and by what; nothing for a run that another job trains, or that is no training.

    ``known``: whether it is known what the run has saved.
    """
    if link.superseded_by or link.also_live or (link.run is None and not is_training(link)):
        if link.superseded_by or link.also_live or diagnosis.cause == "none":
            return None, None
        return None, resume.submit_again(diagnosis, commands_for(link, seen, place, diagnosis.cause).again)
    answer = resume.resumable(diagnosis.cause, best, known)
    if link.queued_as or answer is None or answer == "unknown":
        return answer, None
    return answer, resume.action(diagnosis, answer, commands_for(link, seen, place, diagnosis.cause))


def _diagnose(link: Link, progress: Progress, target: Target, place: Place) -> crash.Diagnosis:
    job, part = link.job, link.part
    gone_on = job is not None and job.active and not link.current
    return crash.classify(
        state=job.state if job and not gone_on else None,
        exit_code=job.exit_code if job else None,
        elapsed_s=job.elapsed_s if job else None,
        reading=part.reading if part else None,
        progress=progress,
        target_epochs=target.epochs,
        target_steps=target.steps,
        cancelled_by=user_of(job.cancelled_by) if job and job.cancelled_by else None,
        reason=job.reason if job else None,
        short_run_s=place.layout.thresholds.short_run_s,
        ended=part.ended if part and job and not job.waiting else None,
        training=is_training(link) or target.epochs is not None or target.steps is not None,
    )


def _checkpoint_row(best: Checkpoint | None) -> CheckpointRow | None:
    return CheckpointRow(best.path, best.step, best.loadable, best.problem, best.epoch, best.mtime) if best else None
