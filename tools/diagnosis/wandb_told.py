"""Why a run ended that no Slurm job is known of, as far as the W&B service tells."""

from __future__ import annotations

from tools.data import Evidence, Progress
from tools.diagnosis.completed import End
from tools.diagnosis.verdict import Diagnosis, diverged

UNFINISHED = frozenset(("running", "pending", "preempting"))
ENDED_BADLY = frozenset(("crashed", "failed", "killed", "preempted"))


def judge(
    state: str, where: str, heartbeat: str, progress: Progress, epochs: float | None, steps: int | None
) -> Diagnosis:
    """``state`` is W&B's word for the run ``where``; ``heartbeat`` says in words when the last one came.

    W&B calls a run crashed when its heartbeats stop, whatever stopped them, so that word alone is no cause.
    """
    said = Evidence("wandb_api", where, f"W&B says {state}{heartbeat}")
    if state in UNFINISHED:
        return Diagnosis("none", (said,))
    if diverged(progress.losses):
        return Diagnosis("nan_loss", (said,))
    if state == "preempted":
        return Diagnosis("preempted", (said,))
    if state == "killed":
        return Diagnosis("killed", (said,))
    if state != "finished":
        return Diagnosis("unknown", (said,))
    end = End(None, None, None, progress, epochs, steps, short_run_s=0, ended=said)
    measured = (epochs is not None and progress.epoch is not None) or (steps is not None and progress.step is not None)
    if not measured or end.reached:
        return Diagnosis("none", (said,))
    at = f"epoch {progress.epoch:g} of {epochs:g}" if progress.epoch is not None and epochs else ""
    short = Evidence("wandb_api", where, f"reached {at or f'step {progress.step} of {steps}'}")
    return Diagnosis("false_success", (said, short))
