"""One row from log text alone, such as somebody was sent."""

from __future__ import annotations

from collections.abc import Sequence

from tools.data import Progress
from tools.data_log import LogText
from tools.diagnosis import crash, markers, resume, targets
from tools.diagnosis.series import Series
from tools.diagnosis.targets import Target
from tools.diagnosis.training import judge
from tools.layout import Thresholds
from tools.run_values import percent_of
from tools.status import RunRow


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
    part = markers.parts(logs, state, detailed=True)[-1]
    progress = part.reading.progress if part.reading else Progress()
    target = Target(progress.epochs_total, progress.steps_total, "log").or_else(Target(target_epochs))
    if part.command:
        target = target.or_else(targets.in_command(part.command, "agent's command"))
    training = judge(part.reading.series if part.reading and part.reading.series else Series())
    diagnosis = crash.classify(
        state=state,
        exit_code=exit_code,
        elapsed_s=elapsed_s,
        reading=part.reading,
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
        percent=percent_of(progress, target),
        loss=progress.loss,
        health=training.verdict,
        trend=training.arrow,
        health_note=training.note,
        elapsed_s=elapsed_s,
        checkpoint=None,
        cause=diagnosis.cause,
        evidence=tuple(diagnosis.evidence),
        resumable=resume.resumable(diagnosis.cause, None, checkpoints_read=False),
        action=None,
        flags=(*diagnosis.flags, "checkpoint: only log files were given"),
    )
