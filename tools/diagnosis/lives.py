"""Which part of a log is the job's last life, and where in it the training was still alive."""

from __future__ import annotations

import re

from tools.data_log import LogText
from tools.diagnosis.lines import has
from tools.diagnosis.traits import ALIVE, ALIVE_WORDS, SIGN, traits_of

ALIVE_AFTER = 3
"""Progress lines after an error that show that the job lived on (a caught and retried OOM)."""

# A count or a loss behind the word: `Job step aborted` and `Loss is nan` are the words of an end.
_TOLD = re.compile(
    r"(?i)(?:epoch|step|iter(?:ation)?|loss)['\"]?[\s:=\[(#|]{1,12}['\"]?[-+]?(?:\d|nan\b|inf\b)|(?:it/s|s/it)[\],]"
)
# what most bars end with is no matter for a pattern
_SPEED = ("it/s]", "s/it]", "it/s,", "s/it,")
# not the metric: `error 18.10`
_ERROR = re.compile(r"(?i)error(?!s?['\"]?[\s:=]{1,3}[\d.])")


def is_progress(line: str) -> bool:
    """Whether it shows that the training goes on."""
    if not has(line, ALIVE_WORDS) or "Traceback" in line:
        return False
    if has(line, ("rror", "ERROR")) and _ERROR.search(line):
        return False
    return has(line, _SPEED) or bool(_TOLD.search(line))


def last_progress(log: LogText, first: int) -> int:
    """Index before which errors were survived: at least ALIVE_AFTER progress lines follow it."""
    seen = 0
    for i in traits_of(log).back(ALIVE, first):
        if is_progress(log.lines[i]):
            seen += 1
            if seen >= ALIVE_AFTER:
                return i
    return 0


_RESTART = ("Resuming", "resuming", "Restor", "Tracking run with wandb", "Starting wandb agent", "oad checkpoint",
            "oading checkpoint", "Loaded checkpoint", "JobEnvironment(")  # fmt: skip
_KILLS = ("DUE TO JOB REQUEUE", "DUE TO PREEMPTION", "DUE TO NODE FAILURE", "DUE TO TIME LIMIT")


BY_ITSELF = frozenset(("COMPLETED", "FAILED", "OUT_OF_MEMORY"))
"""States of a job that was not ended from outside."""


def told_to_end(line: str) -> bool:
    """Whether Slurm says in it that it ends the job, and may start it anew."""
    return "CANCELLED AT" in line and "JOB " in line and any(kill in line for kill in _KILLS)


def by_slurm(log: LogText) -> int | None:
    """Where Slurm tells of the job's end; None where it does not."""
    told = (i for i in traits_of(log).where(SIGN) if "CANCELLED AT" in log.lines[i] and "JOB " in log.lines[i])
    return max(told, default=None)


def last_life(log: LogText, first: int, state: str | None) -> int:
    """Where the last start of a requeued job begins: after Slurm's word about the one before."""
    lines = log.lines
    ends = [i for i in traits_of(log).where(SIGN, first) if told_to_end(lines[i])]
    for i in reversed(ends[-5:]):
        after = lines[i + 1 :]
        # the killed may print for a while: only an end of its own tells that these are lines of a new start
        by_itself = state in BY_ITSELF and sum(map(is_progress, after)) >= ALIVE_AFTER
        if "JOB REQUEUE" in lines[i] or by_itself or any(word in line for line in after for word in _RESTART):
            return i + 1
    return first
