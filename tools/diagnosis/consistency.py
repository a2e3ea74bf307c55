"""What W&B and Slurm say of the same run, held against one another (the rules' table)."""

from __future__ import annotations

from tools.data import ACTIVE_STATES

STALE_S = 30 * 60.0
"""A heartbeat older than this is stale (the rules)."""
_ENDED_FROM_OUTSIDE = frozenset("PREEMPTED TIMEOUT NODE_FAIL OUT_OF_MEMORY DEADLINE CANCELLED BOOT_FAIL".split())


def disagreement(
    wandb: str | None, slurm: str | None, *, reached: bool | None, heartbeat_age_s: float | None = None
) -> str | None:
    """What is odd about the two states, and what to do; None where nothing is.

    ``slurm`` None: no job has the run. ``reached``: whether the run is at its target, None where nobody knows.
    ``heartbeat_age_s`` is in seconds, of a run that W&B calls running.
    """
    if wandb == "running":
        if slurm in ACTIVE_STATES:
            stale = heartbeat_age_s is not None and heartbeat_age_s > STALE_S
            return f"heartbeat {int((heartbeat_age_s or 0) // 60)} min old: look at its log" if stale else None
        if slurm is None:
            return "zombie: W&B says running, and no job has it"
        return f"stale: W&B still says running, the job is {slurm}; it will time out, then resume"
    if wandb in {"crashed", "failed", "killed"}:
        if slurm == "COMPLETED":
            return f"W&B says {wandb}, Slurm COMPLETED: the job's clean-up ran, the log has the real error"
        if slurm in ACTIVE_STATES:
            return f"W&B says {wandb}, the job still runs: it trains nothing, or another run by now"
    if wandb == "finished":
        if slurm in _ENDED_FROM_OUTSIDE and reached is False:
            return f"W&B says finished, Slurm {slurm} short of the target: believe Slurm and the log"
        if slurm in _ENDED_FROM_OUTSIDE:
            return f"W&B says finished, Slurm {slurm}: the run was done before its job was ended"
        if reached is False:
            return "W&B says finished short of the target: an early stop, or a failure that was caught"
    return None
