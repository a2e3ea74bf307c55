"""Why a job ended: the log's own words first, then accounting, judged by the root and not by its consequences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tools.data import ACTIVE_STATES, WAITING_STATES, Cause, Evidence, LogText, Progress
from tools.diagnosis.crash_lines import Hit, read_hits
from tools.diagnosis.quotes import distinct, last_words, quotes, stop_lines, stopped_early
from tools.diagnosis.sign import ROOT, SLURM

MAX_EVIDENCE = 4
NEAR = 12
"""Lines around the telling one that may name what it left out (a key, a file, a size)."""

_BY_STATE: Mapping[str, Cause] = {
    "PREEMPTED": "preempted",
    "TIMEOUT": "time_limit",
    "DEADLINE": "time_limit",
    "NODE_FAIL": "node_fail",
    "BOOT_FAIL": "node_fail",
    "OUT_OF_MEMORY": "host_oom",
}
# sacct shows a shell's 128+N as N:0, and a signal to the job itself as 0:N. A bare 2:0 is a usage error far
# more often than an interrupt.
_SIGNALS: Mapping[int, Cause] = {9: "killed", 15: "killed", 6: "killed", 11: "segfault", 7: "segfault"}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    cause: Cause
    evidence: tuple[Evidence, ...] = ()
    detail: Mapping[str, str] = field(default_factory=dict)
    """What the evidence names: ``size``, ``key``, ``module``, ``file``, ``node``, ``signal``, ``exception``."""
    contradictions: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def classify(
    *,
    state: str | None,
    exit_code: str | None,
    elapsed_s: int | None,
    logs: Sequence[LogText],
    progress: Progress,
    target_epochs: float | None,
    target_steps: int | None,
    cancelled_by: str | None = None,
    reason: str | None = None,
    short_run_s: int = 7200,
) -> Diagnosis:
    """One cause, with where it stands.

    ``state`` and ``exit_code`` are Slurm's (None: not known), ``elapsed_s`` is in seconds, ``logs`` are the job's
    own (one run's part of them). ``short_run_s`` is the rules' two hours.
    """
    if state in WAITING_STATES or state in ACTIVE_STATES:
        return Diagnosis("none")
    hits = [hit for log in logs for hit in read_hits(log, state)]
    hits.sort(key=lambda hit: (hit.weight, hit.order), reverse=True)
    flags = ["early_stopped"] if any(stopped_early(log) for log in logs) else []
    if state == "COMPLETED" or (state is None and exit_code == "0:0"):
        end = _End(state, elapsed_s, logs, progress, target_epochs, target_steps, short_run_s)
        return _completed(end, hits, flags)
    told = _by_accounting(state, exit_code, cancelled_by, reason)
    if told and told.cause == "cancelled":
        # ranks that are told to end complain of one another
        hits = [hit for hit in hits if hit.cause not in {"nccl", "killed"}]
    best = _best(hits)
    if told and (best is None or told.weight > best.weight):
        return _accounted(told, hits, logs, progress, flags)
    if best:
        contradictions = []
        if told and told.cause not in {best.cause, "killed", "cancelled"}:
            contradictions.append(f"Slurm says {state}, the log says {best.cause}: the log is nearer to it")
        return _explained(best, hits, told, contradictions, flags)
    if _diverged(progress):
        return Diagnosis("nan_loss", quotes(logs, progress), flags=tuple(flags))
    said = [Evidence("sacct", "State", f"{state} {exit_code or ''}".strip())] if state else []
    return Diagnosis("unknown", (*said, *last_words(logs)), flags=tuple(flags))


def _best(hits: Sequence[Hit]) -> Hit | None:
    """The heaviest that the job did not survive.

    Where nothing else explains the end, what it seemed to survive does: buffered output is written at the exit,
    after the traceback, and looks like training that went on.
    """
    return next((hit for hit in hits if not hit.survived), None) or (hits[0] if hits else None)


def _explained(
    best: Hit, hits: Sequence[Hit], told: Hit | None, contradictions: Sequence[str], flags: Sequence[str]
) -> Diagnosis:
    same = [best, *(hit for hit in hits if hit.cause == best.cause and hit is not best)]
    detail = dict(best.detail)
    for hit in same:
        if hit.evidence.source == best.evidence.source and abs(hit.order - best.order) <= NEAR:
            detail = {**hit.detail, **detail}
    evidence = [*distinct(hit.evidence for hit in same)][: MAX_EVIDENCE - bool(told)]
    if told:
        evidence.append(told.evidence)
    return Diagnosis(best.cause, tuple(evidence), detail, tuple(contradictions), tuple(flags))


def _accounted(
    told: Hit, hits: Sequence[Hit], logs: Sequence[LogText], progress: Progress, flags: Sequence[str]
) -> Diagnosis:
    own = [hit for hit in hits if hit.cause == told.cause]
    other = [hit.evidence for hit in hits if hit.cause != told.cause][:1]
    detail = {**(own[0].detail if own else {}), **told.detail}
    seen = [hit.evidence for hit in own]
    if not own and not other:
        other = list(quotes(logs, progress)[:1])
    evidence = distinct([*seen[:2], told.evidence, *other])
    return Diagnosis(told.cause, tuple(evidence)[:MAX_EVIDENCE], detail, (), tuple(flags))


def _by_accounting(state: str | None, exit_code: str | None, by: str | None, reason: str | None) -> Hit | None:
    """What Slurm's accounting says; heavier than the log's words where Slurm itself ended the job."""

    def hit(cause: Cause, weight: int, where: str, text: str, **detail: str) -> Hit:
        return Hit(cause, weight, Evidence("sacct", where, text), detail, -1)

    if state and state in _BY_STATE:
        # a memory kill can be the consequence of what the log says; the others happen from outside
        weight = 94 if state == "OUT_OF_MEMORY" else 101
        why = f" ({reason})" if reason and reason not in {"None", state} else ""
        return hit(_BY_STATE[state], weight, "State", f"{state}{why}")
    if state and state.startswith("CANCELLED"):
        return hit("cancelled", 45, "State", state if not by or " by " in state else f"{state} by {by}")
    code, _, signal = (exit_code or "").partition(":")
    if code == "127":
        return hit("missing_dependency", 55, "ExitCode", f"{exit_code} (command not found)")
    if code == "0" and signal == "53":
        return hit("config_error", 55, "ExitCode", "0:53 (the log's folder can't be written)")
    for number in (signal, code):
        if number.isdigit() and (cause := _SIGNALS.get(int(number[:6]))):
            return hit(cause, 45, "ExitCode", f"{exit_code} (signal {number})", signal=number)
    return None


@dataclass(frozen=True, slots=True)
class _End:
    """A job that ended with exit code 0, and how far it got."""

    state: str | None
    elapsed_s: int | None
    logs: Sequence[LogText]
    progress: Progress
    epochs: float | None
    steps: int | None
    short_run_s: int

    @property
    def reached(self) -> bool:
        """At its target; many scripts count epochs from 0, so one less is there too."""
        if self.epochs is not None and self.progress.epoch is not None:
            least = self.epochs - 1 - 1e-9 if self.epochs > 1 else self.epochs * 0.99
            return self.progress.epoch >= least
        if self.steps is not None and self.progress.step is not None:
            return self.progress.step >= self.steps - max(1, self.steps // 100)
        return False

    @property
    def full(self) -> bool:
        """At its target with nothing rounded in its favour."""
        if self.epochs is not None and self.progress.epoch is not None:
            return self.progress.epoch >= self.epochs
        return self.reached


def _completed(end: _End, hits: Sequence[Hit], flags: list[str]) -> Diagnosis:
    """COMPLETED proves nothing: what was trained does."""
    progress = end.progress
    elapsed = f"{end.elapsed_s} s" if end.elapsed_s is not None else "an unknown time"
    said = Evidence("sacct", "State", f"{end.state or 'exit code 0'} after {elapsed}")
    shown = quotes(end.logs, progress)
    if _diverged(progress):
        return Diagnosis("nan_loss", (*shown, said), flags=tuple(flags))
    best = next((hit for hit in hits if not hit.survived and hit.weight > 45), None)
    known = (end.epochs, progress.epoch) if end.epochs is not None else (end.steps, progress.step)
    if best is None and known[0] is not None and not end.reached:
        best = next((hit for hit in hits if hit.weight > 45), None)
    excused = end.full if best and best.weight < SLURM else end.reached and (not best or best.weight < ROOT)
    if (best is None and end.reached) or excused:
        return Diagnosis("none", (*shown, said), flags=tuple(flags))
    if best is not None:
        words = f"Slurm says {end.state or 'exit code 0'}, but the log shows {best.cause.replace('_', ' ')}"
        return _explained(best, hits, None, () if best.cause == "false_success" else (words,), flags)
    if "early_stopped" in flags:
        return Diagnosis("none", (*stop_lines(end.logs), said), flags=tuple(flags))
    trained = progress.epoch is not None or progress.step is not None
    measured = (end.epochs is not None and progress.epoch is not None) or (
        end.steps is not None and progress.step is not None
    )
    short = end.elapsed_s is not None and end.elapsed_s < end.short_run_s
    marked = (*flags, *(["short_run"] if short else []))
    if measured or (not trained and (end.epochs or end.steps)):
        at = f"epoch {progress.epoch:g}" if progress.epoch is not None else f"step {progress.step}" if trained else ""
        of = f"{end.epochs:g} epochs" if end.epochs else f"{end.steps} steps"
        reached = Evidence("log", progress.where or "", f"reached {at or 'nothing'} of {of}")
        return Diagnosis("false_success", (*shown, reached, said), flags=marked)
    if not trained and short and end.logs:
        nothing = Evidence("log", end.logs[0].path, "no line of the log shows any training")
        return Diagnosis("false_success", (*shown, nothing, said), flags=marked)
    if trained:
        return Diagnosis("none", (*shown, said), flags=marked)
    return Diagnosis("unknown", (*shown, said), flags=tuple(flags))


def _diverged(progress: Progress) -> bool:
    return len(progress.losses) >= 3 and not any(map(math.isfinite, progress.losses[-3:]))
