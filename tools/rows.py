"""From what one look read to the rows of the status: every value with its reason, nothing guessed."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.data import ACTIVE_STATES, Checkpoint, Evidence, Job, LogText, Progress
from tools.diagnosis import crash, markers, resume, targets
from tools.diagnosis.join import Link
from tools.diagnosis.progress import merge_progress, read_progress
from tools.diagnosis.targets import Target
from tools.layout import Layout, Thresholds
from tools.look import Place, Seen
from tools.sources.log_paths import read_submit_line
from tools.status import CheckpointRow, EvidenceRow, RunRow

MAX_EVIDENCE = 6
# Names of the values in W&B history rows, most telling first.
_EPOCH_NAMES = ("epoch", "train/epoch", "trainer/epoch")
_STEP_NAMES = ("train/global_step", "trainer/global_step", "global_step", "step")
_LOSS_NAMES = ("loss", "train/loss", "train_loss", "train/train_loss")


@dataclass(frozen=True, slots=True)
class Judged:
    row: RunRow
    link: Link
    finished: bool
    """It truly reached its end."""


def judge(link: Link, seen: Seen, place: Place) -> Judged:
    """One row: progress, target, cause, resumability, and what to do."""
    job, run = link.job, link.run
    flags: list[str] = []
    progress, source_note = _progress(link, seen)
    flags += source_note
    best, torn = seen.newest.get(run or "", (None, ()))
    checkpoints_read = next(source.ok for source in seen.sources if source.name == "checkpoints")
    target = _target(link, progress, seen, place.layout)
    if target.epochs is None and target.steps is None and not (job and job.waiting):
        flags.append("target: no config, command or log line names one")
    diagnosis = _diagnose(link, progress, target, place)
    percent = _percent(progress, target)
    superseded = link.superseded_by is not None
    if superseded:
        flags.append("superseded")
        flags.append(f"continued_by: {link.superseded_by}")
    flags += diagnosis.flags
    if torn and best and best.loadable:
        flags.append(f"newer_checkpoint_does_not_load: {torn[0].path.rpartition('/')[2]}: {torn[0].problem}")
    if link.earlier:
        flags.append(f"requeued: {len(link.earlier)}")
    flags += _missing(link, progress, seen)
    answer = None if superseded else resume.resumable(diagnosis.cause, best, checkpoints_read)
    commands = _commands(link, seen, place)
    row = RunRow(
        job=job.id if job else None,
        run=run,
        sweep=link.sweep,
        name=job.name if job else link.run_dirs[-1].name if link.run_dirs else None,
        slurm_state=job.state if job else None,
        reason=job.reason or None if job else None,
        wandb_state=_wandb_state(link),
        epoch=progress.epoch,
        step=progress.step,
        target_epochs=target.epochs,
        target_steps=target.steps,
        percent=percent,
        loss=progress.loss,
        health=_health(progress),
        elapsed_s=job.elapsed_s if job else None,
        limit_s=job.limit_s if job else None,
        ended_at=job.end if job else None,
        checkpoint=_checkpoint_row(best),
        cause=diagnosis.cause,
        evidence=_evidence(link, diagnosis, best, torn),
        resumable=answer,
        action=None
        if superseded
        else resume.action(
            diagnosis.cause,
            answer,
            best,
            commands,
            diagnosis.detail.get("key", ""),
            diagnosis.detail.get("module", ""),
        ),
        flags=tuple(dict.fromkeys(flags)),
        live=link.current,
    )
    over = job is not None and job.state not in ACTIVE_STATES and not job.waiting
    return Judged(
        row, link, finished=diagnosis.cause == "none" and (over or bool(link.part and link.part.ended))
    )


def from_logs(
    logs: Sequence[LogText],
    *,
    state: str | None,
    exit_code: str | None,
    elapsed_s: int | None,
    target_epochs: float | None,
    thresholds: Thresholds,
) -> RunRow:
    """One row from log text alone; what Slurm and the config said may be given. The last run in the log counts."""
    part = markers.parts(logs)[-1]
    progress = Progress()
    for log in part.logs:
        progress = merge_progress(progress, read_progress(log))
    target = Target(progress.epochs_total, progress.steps_total, "log").or_else(Target(target_epochs))
    if part.command:
        target = target.or_else(targets.in_command(part.command, "agent's command"))
    diagnosis = crash.classify(
        state=state,
        exit_code=exit_code,
        elapsed_s=elapsed_s,
        logs=part.logs,
        progress=progress,
        target_epochs=target.epochs,
        target_steps=target.steps,
        short_run_s=thresholds.short_run_s,
    )
    return RunRow(
        job=None,
        run=part.run,
        sweep=part.sweep,
        slurm_state=state,
        wandb_state=None,
        epoch=progress.epoch,
        step=progress.step,
        target_epochs=target.epochs,
        target_steps=target.steps,
        percent=_percent(progress, target),
        loss=progress.loss,
        health=_health(progress),
        elapsed_s=elapsed_s,
        checkpoint=None,
        cause=diagnosis.cause,
        evidence=tuple(EvidenceRow(source=e.source, where=e.where, text=e.text) for e in diagnosis.evidence),
        resumable=resume.resumable(diagnosis.cause, None, checkpoints_read=False),
        action=None,
        flags=(*diagnosis.flags, "checkpoint: only log files were given"),
    )


def _progress(link: Link, seen: Seen) -> tuple[Progress, list[str]]:
    """The run's own part of the log; where that is mute, W&B's last row on disk, then the checkpoint."""
    progress = Progress()
    for log in link.part.logs if link.part else ():
        progress = merge_progress(progress, read_progress(log))
    if (own := seen.run_logs.get(link.run or "")) and progress.epoch is None and progress.step is None:
        progress = merge_progress(progress, read_progress(own))
    notes: list[str] = []
    latest = next((folder for folder in reversed(link.run_dirs) if folder.history or folder.summary), None)
    if latest and (progress.epoch is None or progress.step is None):
        row = {**latest.summary, **latest.history}
        epoch = progress.epoch if progress.epoch is not None else _number(row, _EPOCH_NAMES)
        step = progress.step if progress.step is not None else _whole(_number(row, _STEP_NAMES))
        loss = progress.loss if progress.loss is not None else _number(row, _LOSS_NAMES)
        if (epoch, step, loss) != (progress.epoch, progress.step, progress.loss):
            notes.append("progress_from: W&B files, as far as they reached the disk")
            progress = _with(progress, epoch, step, loss)
    best, _ = seen.newest.get(link.run or "", (None, ()))
    if best and best.loadable and progress.epoch is None and progress.step is None:
        progress = _with(progress, best.epoch, best.step, progress.loss)
        notes.append("progress_from: newest checkpoint")
    return progress, notes


def _with(progress: Progress, epoch: float | None, step: int | None, loss: float | None) -> Progress:
    return Progress(
        epoch, step, progress.epochs_total, progress.steps_total, loss, progress.losses, progress.where
    )


def _target(link: Link, progress: Progress, seen: Seen, layout: Layout) -> Target:
    """The log's own ``N/T``; the run's config; what the agent was told to run; project file; sweep YAML."""
    target = Target(progress.epochs_total, progress.steps_total, "log" if progress.where else None)
    for folder in reversed(link.run_dirs):
        target = target.or_else(targets.in_config(folder.config, f"{folder.path} config"))
    if link.run in seen.hydra:
        target = target.or_else(targets.in_config(seen.hydra[link.run], "hydra config"))
    if link.part and link.part.command:
        target = target.or_else(targets.in_command(link.part.command, "agent's command"))
    if link.params:
        target = target.or_else(targets.in_config(link.params.params, link.params.path))
    if link.job and link.job.command:
        target = target.or_else(targets.in_command(link.job.command, "job's command"))
    target = target.or_else(Target(layout.target.epochs, layout.target.steps, "sweep-agent.yaml"))
    if path := config_of(link, seen):
        target = target.or_else(targets.in_sweep_parameters(seen.sweep_yaml[path].get("parameters"), path))
    return target


def config_of(link: Link, seen: Seen) -> str | None:
    """The sweep's YAML: named in the job's command, or the only one with this run's parameters."""
    words = [word.rpartition("/")[2] for word in (link.job.command.split() if link.job else [])]
    for path in seen.sweep_yaml:
        if path.rpartition("/")[2] in words:
            return path
    if link.params:
        wanted = set(link.params.params)
        fits = [path for path, raw in seen.sweep_yaml.items() if set(raw["parameters"]) == wanted]
        if len(fits) == 1:
            return fits[0]
    if link.job:
        fits = [path for path in seen.sweep_yaml if _named_after(link.job.name, path)]
        if len(fits) == 1:
            return fits[0]
    return None


def _named_after(job_name: str, path: str) -> bool:
    """The rules' naming: ``comprehensive_bayes_tx.yaml`` runs as ``bayes-tx``, ``llm_glue_sweep.yaml`` as ``llm-glue``."""
    stem = path.rpartition("/")[2].rpartition(".")[0].replace("_", "-").lower()
    name = job_name.replace("_", "-").lower()
    return len(name) >= 4 and f"-{name}-" in f"-{stem}-"


def _diagnose(link: Link, progress: Progress, target: Target, place: Place) -> crash.Diagnosis:
    job, part = link.job, link.part
    logs = part.logs if part else ()
    state = job.state if job else None
    if job and part and part.ended:
        state = "COMPLETED"  # the agent went on: whatever ended the job later did not end this run
    elif job and job.active and not link.current:
        state = None
    return crash.classify(
        state=state,
        exit_code=job.exit_code if job and not (part and part.ended) else None,
        elapsed_s=job.elapsed_s if job else None,
        logs=logs,
        progress=progress,
        target_epochs=target.epochs,
        target_steps=target.steps,
        cancelled_by=job.cancelled_by if job else None,
        reason=job.reason if job else None,
        short_run_s=place.layout.thresholds.short_run_s,
    )


def _percent(progress: Progress, target: Target) -> float | None:
    if progress.epoch is not None and target.epochs:
        share = progress.epoch / target.epochs
    elif progress.step is not None and target.steps:
        share = progress.step / target.steps
    else:
        return None
    return min(100.0, math.floor(share * 1000 + 1e-9) / 10)


def _health(progress: Progress) -> str | None:
    """First version: diverged (the last three losses not finite), else the trend of the last losses."""
    losses = progress.losses
    if len(losses) >= 3 and not any(math.isfinite(loss) for loss in losses[-3:]):
        return "diverged"
    finite = [loss for loss in losses if math.isfinite(loss)]
    if len(finite) < 6:
        return None
    third = len(finite) // 3
    before, after = sum(finite[:third]) / third, sum(finite[-third:]) / third
    change = (after - before) / max(abs(before), 1e-12)
    return "falling" if change < -0.01 else "rising" if change > 0.01 else "flat"


def _wandb_state(link: Link) -> str | None:
    """What the exit record on disk says; a run without one may live, or have been killed."""
    latest = link.run_dirs[-1] if link.run_dirs else None
    if latest is None or latest.exit_code is None:
        return None
    if latest.exit_code == 0:
        return "finished"
    return "preempted" if latest.preempting else "failed"


def _missing(link: Link, progress: Progress, seen: Seen) -> list[str]:
    """Why a value is null."""
    notes = []
    job, part = link.job, link.part
    if job and not job.waiting and not (part and part.logs):
        notes.append(
            part.doubt and f"log: {part.doubt}" or "log: no log file found for this job" if part else ""
        )
    elif job and not job.waiting and link.run is None:
        notes.append("run: the log names no W&B run")
    if job and part and part.logs and not job.waiting:
        if progress.epoch is None:
            notes.append("epoch: no line of the log names one")
        if progress.step is None:
            notes.append("step: no line of the log names one")
    if not link.run_dirs and link.run:
        notes.append("wandb_state: no run folder on disk")
    elif link.run_dirs and link.run_dirs[-1].exit_code is None:
        notes.append("wandb_state: no exit record on disk, and the service was not asked")
    if link.current and part and part.logs:
        age = int(seen.at - max(log.mtime for log in part.logs))
        if age > 3600:
            notes.append(f"log_silent: {age // 60} min")
    return [note for note in notes if note]


def _commands(link: Link, seen: Seen, place: Place) -> resume.Commands:
    config = config_of(link, seen)
    shown = config.removeprefix(f"{seen.index.workspace}/") if config else None
    again = None
    if link.run:
        again = resume.resume_command(
            place.layout.resume,
            make_run=seen.launchers.make_run,
            run_script=seen.launchers.run_script,
            sweep=link.sweep,
            run=link.run,
        )
    return resume.Commands(again, _relaunch(link, place.layout, shown, seen), shown)


def _relaunch(link: Link, layout: Layout, config: str | None, seen: Seen) -> str | None:
    """One more agent for the same sweep: the project's template, else the job's own script and arguments."""
    entity, project = seen.settings.entity or "", seen.settings.project or ""
    if layout.launch:
        values = {"sweep": link.sweep, "config": config, "entity": entity, "project": project}
        if any(f"{{{name}}}" in layout.launch and not value for name, value in values.items()):
            return None
        return resume.fill(layout.launch, values)
    if link.job and link.sweep and (line := _own_submission(link.job, link.sweep)):
        return line
    script = seen.launchers.sweep_script
    if script and config and link.sweep and entity and project:
        return resume.shell("sbatch", script, config, f"{entity}/{project}/{link.sweep}")
    return None


def _own_submission(job: Job, sweep: str) -> str | None:
    """The job's own submit line, for its task alone; only where its script is there and it names the sweep."""
    given = read_submit_line(job.command)
    if not given.script or not any(sweep in word for word in given.arguments):
        return None
    # Slurm keeps the line without its quotes: a word that was split shows as a script that doesn't exist
    if not os.path.isfile(os.path.join(job.workdir, given.script)):
        return None
    task = (f"--array={job.task}",) if job.task is not None else ()
    return resume.shell("sbatch", *given.options, *task, given.script, *given.arguments)


def _checkpoint_row(best: Checkpoint | None) -> CheckpointRow | None:
    return (
        CheckpointRow(path=best.path, step=best.step, loadable=best.loadable, problem=best.problem)
        if best
        else None
    )


def _evidence(
    link: Link, diagnosis: crash.Diagnosis, best: Checkpoint | None, torn: tuple[Checkpoint, ...]
) -> tuple[EvidenceRow, ...]:
    found: list[Evidence] = list(diagnosis.evidence)
    if best and best.loadable:
        found.append(Evidence("checkpoints", best.path, "loads"))
    found += [Evidence("checkpoints", bad.path, bad.problem or "does not load") for bad in torn[:2]]
    found += link.evidence
    found += [Evidence("contradiction", "", text) for text in diagnosis.contradictions]
    return tuple(EvidenceRow(source=e.source, where=e.where, text=e.text) for e in found[:MAX_EVIDENCE])


def _number(row: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    for name in names:
        value = row.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None


def _whole(value: float | None) -> int | None:
    return int(value) if value is not None and math.isfinite(value) else None
