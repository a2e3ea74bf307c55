"""Which part of a log is the job's last life, and where in it the training was still alive."""

from __future__ import annotations

from tools.data import LogText
from tools.diagnosis.traits import ALIVE, ALIVE_WORDS, SIGN, traits_of

ALIVE_AFTER = 3
"""Progress lines after an error that show that the job lived on (a caught and retried OOM)."""


def _is_progress(line: str) -> bool:
    return any(word in line for word in ALIVE_WORDS) and "rror" not in line and "Traceback" not in line


def last_progress(log: LogText, first: int) -> int:
    """Index before which errors were survived: at least ALIVE_AFTER progress lines follow it."""
    seen = 0
    for i in traits_of(log).back(ALIVE, first):
        if _is_progress(log.lines[i]):
            seen += 1
            if seen >= ALIVE_AFTER:
                return i
    return 0


_RESTART = ("Resuming", "resuming", "Restor", "Tracking run with wandb", "Starting wandb agent", "oad checkpoint",
            "oading checkpoint", "Loaded checkpoint", "JobEnvironment(")  # fmt: skip
_KILLS = ("DUE TO JOB REQUEUE", "DUE TO PREEMPTION", "DUE TO NODE FAILURE", "DUE TO TIME LIMIT")


def last_life(log: LogText, first: int, state: str | None) -> int:
    """Where the last start of a requeued job begins: after Slurm's word about the one before."""
    lines = log.lines
    ends = [
        i
        for i in traits_of(log).where(SIGN, first)
        if "CANCELLED AT" in lines[i] and "JOB " in lines[i] and any(kill in lines[i] for kill in _KILLS)
    ]
    for i in reversed(ends[-5:]):
        after = lines[i + 1 :]
        # the killed may print for a while: only an end of its own tells that these are lines of a new start
        by_itself = state in {"COMPLETED", "FAILED", "OUT_OF_MEMORY"} and sum(map(_is_progress, after)) >= ALIVE_AFTER
        if "JOB REQUEUE" in lines[i] or by_itself or any(word in line for line in after for word in _RESTART):
            return i + 1
    return first
