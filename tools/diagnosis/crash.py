"""Why a job ended: the log's own words first, then accounting, judged by the root and not by its consequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tools.data import ACTIVE_STATES, WAITING_STATES, Cause, Evidence, Progress
from tools.diagnosis import completed
from tools.diagnosis.crash_lines import Hit
from tools.diagnosis.quotes import distinct
from tools.diagnosis.reading import Reading
from tools.diagnosis.sign import WRAPPER_WEIGHT
from tools.diagnosis.verdict import MAX_EVIDENCE, Diagnosis, diverged, explained

__all__ = ["Diagnosis", "classify"]
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


def classify(
    *,
    state: str | None,
    exit_code: str | None,
    elapsed_s: int | None,
    reading: Reading | None,
    progress: Progress,
    target_epochs: float | None,
    target_steps: int | None,
    cancelled_by: str | None = None,
    reason: str | None = None,
    short_run_s: int = 7200,
    ended: Evidence | None = None,
    training: bool = True,
) -> Diagnosis:
    """One cause, with where it stands.

    ``state`` and ``exit_code`` are Slurm's (None: not known), ``elapsed_s`` is in seconds, ``reading`` is of the
    job's own logs (one run's part of them). ``short_run_s`` is the rules' two hours.
    ``ended`` is an agent's word that this run is over while its job went on: then state, exit code and time of the job
    say nothing about the run. ``training`` is whether anything says that the job was meant to train.
    """
    if ended:
        state, exit_code, elapsed_s = None, None, None
    if state in ACTIVE_STATES:
        # a job that lives has no cause; an error with nothing after it is worth a look
        last = reading.hits[0] if reading and reading.hits else None
        flags = (f"error_at_end: {last.cause}, {last.evidence.where}",) if last else ()
        return Diagnosis("none", (last.evidence, *last.more) if last else (), flags=flags)
    if state in WAITING_STATES:
        return Diagnosis("none")
    hits: Sequence[Hit] = reading.hits if reading else ()
    shown = reading.shown if reading else ()
    noted = ["early_stopped"] if reading and reading.stopped else []
    well = ended is not None or state == "COMPLETED" or (state is None and exit_code == "0:0")
    log_alone = state is None and exit_code is None
    end = None
    if well or log_alone:
        goal = target_epochs, target_steps
        end = completed.End(state, elapsed_s, reading, progress, *goal, short_run_s, ended, training)
    if end and well:
        return completed.judge(end, hits, noted)
    told = _by_accounting(state, exit_code, cancelled_by, reason)
    if told and told.cause == "cancelled":
        # ranks that are told to end complain of one another
        hits = [hit for hit in hits if hit.cause not in {"nccl", "killed"}]
    best = _best(hits, told)
    if best and best.cause == "python_exception" and diverged(progress.losses):
        # an index out of range, a matrix that can't be solved: what a loss that is no number leads to
        return Diagnosis("nan_loss", tuple(distinct((*shown[:1], best.evidence))), best.detail, (), tuple(noted))
    if told and (best is None or told.weight > best.weight):
        return _accounted(told, hits, shown, noted)
    if best:
        contradictions = []
        if told and told.cause not in {best.cause, "killed", "cancelled"}:
            contradictions.append(f"Slurm says {state}, the log says {best.cause}: the log is nearer to it")
        return explained(best, hits, told, contradictions, noted)
    if diverged(progress.losses):
        return Diagnosis("nan_loss", shown, flags=tuple(noted))
    if reading and end and (noted or end.orderly):
        # nothing but the log was given: its own word that it came to an end, with no error in it
        return Diagnosis("none", (*shown, *reading.stopped), flags=tuple(noted))
    said = [Evidence("sacct", "State", f"{state} {exit_code or ''}".strip())] if state else []
    words = reading.last_words if reading else ()
    return Diagnosis("unknown", (*said, *words), flags=tuple(noted))


def _best(hits: Sequence[Hit], told: Hit | None) -> Hit | None:
    """The heaviest that the job did not survive.

    Where nothing else explains the end, what it seemed to survive does: buffered output is written at the exit,
    after the traceback, and looks like training that went on. That srun cancels the step explains nothing.
    """
    best = next((hit for hit in hits if not hit.survived), None)
    if hits and (best is None or (told is None and best.weight <= WRAPPER_WEIGHT)):
        return hits[0]
    return best


def _accounted(told: Hit, hits: Sequence[Hit], shown: Sequence[Evidence], flags: Sequence[str]) -> Diagnosis:
    own = [hit for hit in hits if hit.cause == told.cause]
    other = [hit.evidence for hit in hits if hit.cause != told.cause][:1]
    detail = {**(own[0].detail if own else {}), **told.detail}
    seen = distinct(one for hit in own for one in (hit.evidence, *hit.more))
    if not own and not other:
        other = list(shown[:1])
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
