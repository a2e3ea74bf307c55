"""What W&B and Slurm say of the same run, held against one another (the rules' two tables)."""

from __future__ import annotations

from tools.data import ACTIVE_STATES, WAITING_STATES

STALE_S = 30 * 60.0
"""A heartbeat older than this is stale (the rules)."""
LAPSED_S = 5 * 60.0
"""After so long without a heartbeat the service itself takes a run for crashed (wandb, pull request 12500); a client
sends one at least every 30 s (measured)."""
_ENDED_FROM_OUTSIDE = frozenset("PREEMPTED TIMEOUT NODE_FAIL OUT_OF_MEMORY DEADLINE CANCELLED BOOT_FAIL".split())


def is_zombie(wandb: str | None, slurm: str | None, heartbeat_age_s: float | None) -> bool:
    """Whether W&B calls a run running that nothing trains: no job of it is active or waits, and no heartbeat comes.

    Only for a run of this user, with the queue read: another person's job is not seen here.
    """
    if wandb != "running" or slurm in ACTIVE_STATES or slurm in WAITING_STATES:
        return False
    return heartbeat_age_s is None or heartbeat_age_s > LAPSED_S


def is_stale(wandb: str | None, slurm: str | None, heartbeat_age_s: float | None) -> bool:
    """Whether the job of a run that W&B calls running is active and sends no heartbeat: it may hang."""
    return wandb == "running" and slurm in ACTIVE_STATES and heartbeat_age_s is not None and heartbeat_age_s > STALE_S


def disagreement(
    wandb: str | None, slurm: str | None, *, reached: bool | None, heartbeat_age_s: float | None = None
) -> str | None:
    """What is odd about the two states, and what to do; None where nothing is.

    ``slurm`` None: no job has the run. ``reached``: whether the run is at its target, None where nobody knows.
    ``heartbeat_age_s`` is in seconds, of a run that W&B calls running.
    """
    if wandb == "running":
        return _running(slurm, heartbeat_age_s)
    if wandb in {"crashed", "failed", "killed"}:
        if slurm == "COMPLETED":
            return f"W&B says {wandb}, Slurm COMPLETED: the job's clean-up ran, the log has the real error"
        if slurm in ACTIVE_STATES:
            return f"W&B says {wandb}, the job still runs: it trains nothing, or W&B is behind and will follow"
    if wandb == "finished":
        if slurm in _ENDED_FROM_OUTSIDE and reached is False:
            return f"W&B says finished, Slurm {slurm} short of the target: believe Slurm and the log"
        if slurm in _ENDED_FROM_OUTSIDE:
            return f"W&B says finished, Slurm {slurm}: the run was done before its job was ended"
        if reached is False:
            return "W&B says finished short of the target: an early stop, or a failure that was caught"
    return None


def _running(slurm: str | None, heartbeat_age_s: float | None) -> str | None:
    age = int((heartbeat_age_s or 0) // 60)
    if is_stale("running", slurm, heartbeat_age_s):
        return f"heartbeat {age} min old: look at its log"
    if slurm in ACTIVE_STATES or slurm in WAITING_STATES:
        return None
    if slurm is not None and heartbeat_age_s is not None and is_zombie("running", slurm, heartbeat_age_s):
        return f"zombie: W&B still says running, the job is {slurm} and its last heartbeat {age} min old"
    if slurm is not None:
        advice = ", then resume" if slurm == "PREEMPTED" else ""  # the rules' table
        return f"stale: W&B still says running, the job is {slurm}; W&B will time it out{advice}"
    if not is_zombie("running", slurm, heartbeat_age_s):
        return f"W&B got a heartbeat {age} min ago, and no job of yours here has it: it runs somewhere else"
    last = f" (last heartbeat {age} min ago)" if heartbeat_age_s is not None else ""
    return f"zombie: W&B says running, and no job has it{last}"
