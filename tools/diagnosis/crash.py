"""Why a job ended: the log's own words first, then accounting, judged by the root and not by its consequences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tools.data import ACTIVE_STATES, WAITING_STATES, Cause, Evidence, LogText, Progress
from tools.diagnosis import crash_patterns as table

MAX_EVIDENCE = 4
LAST_LINES = 4000
"""Lines from the end that are searched: what ended a job stands near its end."""
ALIVE_AFTER = 3
"""Progress lines after an error that show that the job lived on (a caught and retried OOM)."""

_BY_STATE: Mapping[str, Cause] = {
    "PREEMPTED": "preempted",
    "TIMEOUT": "time_limit",
    "DEADLINE": "time_limit",
    "NODE_FAIL": "node_fail",
    "BOOT_FAIL": "node_fail",
    "OUT_OF_MEMORY": "host_oom",
}
# sacct shows a shell's 128+N as N:0, and a signal to the job itself as 0:N.
_SIGNALS: Mapping[int, Cause] = {9: "killed", 15: "killed", 11: "segfault", 7: "segfault", 6: "killed", 2: "killed"}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    cause: Cause
    evidence: tuple[Evidence, ...] = ()
    detail: Mapping[str, str] = field(default_factory=dict)
    """What the evidence names: ``size``, ``key``, ``module``, ``node``, ``exception``."""
    contradictions: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Hit:
    cause: Cause
    weight: int
    evidence: Evidence
    detail: Mapping[str, str]
    order: int


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
    if state in WAITING_STATES:
        return Diagnosis("none")
    if state in ACTIVE_STATES:
        return Diagnosis("none")
    hits = sorted((hit for log in logs for hit in _scan(log)), key=lambda hit: (hit.weight, hit.order), reverse=True)
    best = hits[0] if hits else None
    detail = dict(best.detail) if best else {}
    told = _by_accounting(state, exit_code, cancelled_by, reason)
    reached = _reached(progress, target_epochs, target_steps)
    flags = ["early_stopped"] if any(_stopped_early(log) for log in logs) else []

    if state == "COMPLETED" and reached and (best is None or best.weight < 80):
        return Diagnosis("none", flags=tuple(flags))
    if best is not None and (best.weight >= 80 or told is None or told.cause in {"cancelled", "killed", "unknown"}):
        # a kill by the scheduler explains every complaint of the killed; accounting knows it best
        if told and told.cause in {"preempted", "time_limit", "node_fail"} and best.weight < 100:
            return _with(told, hits, detail, flags)
        if told and told.cause == "cancelled" and best.cause in {"killed", "cancelled", "nccl"}:
            return _with(told, hits, detail, flags)
        if told and told.weight > best.weight:
            return _with(told, hits, detail, flags)
        contradictions = []
        if told and told.cause != best.cause and told.cause not in {"killed", "cancelled", "unknown"}:
            contradictions.append(f"Slurm says {state}, the log says {best.cause}: the log is nearer to it")
        if state == "COMPLETED":
            contradictions.append(f"Slurm says COMPLETED, but the log shows {best.cause.replace('_', ' ')}")
        evidence = [hit.evidence for hit in hits if hit.cause == best.cause] + ([told.evidence] if told else [])
        return Diagnosis(best.cause, tuple(evidence[:MAX_EVIDENCE]), detail, tuple(contradictions), tuple(flags))
    if told is not None:
        return _with(told, hits, detail, flags)
    if state == "COMPLETED" or (state is None and exit_code == "0:0"):
        return _completed(state, elapsed_s, logs, progress, target_epochs, target_steps, flags, short_run_s)
    return Diagnosis("unknown", flags=tuple(flags))


def _with(told: _Hit, hits: Sequence[_Hit], detail: Mapping[str, str], flags: Sequence[str]) -> Diagnosis:
    own = [hit.evidence for hit in hits if hit.cause == told.cause]
    other = [hit.evidence for hit in hits if hit.cause != told.cause][:1]
    return Diagnosis(told.cause, (*own[:2], told.evidence, *other)[:MAX_EVIDENCE], detail, (), tuple(flags))


def _scan(log: LogText) -> Iterator[_Hit]:
    """Every line that explains something, unless the job demonstrably lived on after it."""
    lines = log.lines
    first = max(0, len(lines) - LAST_LINES)
    source = {"err": "stderr", "out": "stdout", "both": "log"}[log.stream]
    last_progress = _last_progress(lines, first)
    exceptions: list[tuple[int, str, str]] = []
    for i in range(first, len(lines)):
        line = lines[i]
        if len(line) < 6:
            continue
        if i < last_progress and not any(hint in line for hint in ("DUE TO", "oom")):
            continue
        evidence = Evidence(source, f"{log.path}:{log.numbers[i]}", line.strip()[:300])
        for sign in (*table.SLURM, *table.ERRORS, *table.SYMPTOMS):
            if any(hint in line for hint in sign.hints) and (match := sign.pattern.search(line)):
                if sign.cause == "cuda_oom" and "CPU" in line and "GPU" not in line:
                    continue
                found = {name.rstrip("2345"): value for name, value in match.groupdict().items() if value}
                if size := table.SIZE.search(line):
                    found["size"] = size["size"]
                yield _Hit(sign.cause, sign.weight, evidence, found, i)
        if match := table.EXCEPTION.match(line.strip()):
            exceptions.append((i, match["name"], line.strip()[:300]))
    if exceptions:
        i, name, text = _root(exceptions, lines)
        short = name.rpartition(".")[2]
        if short not in {"SignalException", "ChildFailedError", "CalledProcessError", "SystemExit", "KeyboardInterrupt"}:
            where = Evidence(source, f"{log.path}:{log.numbers[i]}", text)
            yield _Hit("python_exception", 50, where, {"exception": short}, i)


def _root(exceptions: list[tuple[int, str, str]], lines: Sequence[str]) -> tuple[int, str, str]:
    """Of a chain, the first; else the last one."""
    last = exceptions[-1]
    for before, after in zip(reversed(exceptions[:-1]), reversed(exceptions[1:]), strict=True):
        if any(table.CHAINED.search(line) for line in lines[before[0] : after[0]]):
            last = before
        else:
            break
    return last


_PROGRESS = ("{'loss'", '"loss"', "epoch=", "poch:", "poch ", "step=", "tep:", "loss=", "loss:", "it/s]")


def _last_progress(lines: Sequence[str], first: int) -> int:
    """Index before which errors were survived: at least ALIVE_AFTER progress lines follow it."""
    seen = 0
    for i in range(len(lines) - 1, first - 1, -1):
        line = lines[i]
        if any(word in line for word in _PROGRESS) and "rror" not in line and "Traceback" not in line:
            seen += 1
            if seen >= ALIVE_AFTER:
                return i
    return 0


def _by_accounting(state: str | None, exit_code: str | None, by: str | None, reason: str | None) -> _Hit | None:
    if state in _BY_STATE:
        weight = 94 if state == "OUT_OF_MEMORY" else 99
        return _Hit(_BY_STATE[state], weight, Evidence("sacct", "State", state), {}, -1)
    if state and state.startswith("CANCELLED"):
        who = f" by {by}" if by else ""
        return _Hit("cancelled", 45, Evidence("sacct", "State", f"CANCELLED{who}"), {}, -1)
    code, _, signal = (exit_code or "").partition(":")
    numbers = [int(value) for value in (signal, code) if value.isdigit() and value != "0"]
    if code == "127":
        return _Hit("missing_dependency", 55, Evidence("sacct", "ExitCode", f"{exit_code} (command not found)"), {}, -1)
    if code == "0" and signal == "53":
        return _Hit("config_error", 55, Evidence("sacct", "ExitCode", "0:53 (the log's folder can't be written)"), {}, -1)
    for number in numbers:
        if number in _SIGNALS:
            text = f"{exit_code} (signal {number})"
            return _Hit(_SIGNALS[number], 45, Evidence("sacct", "ExitCode", text), {"signal": str(number)}, -1)
    return None


def _reached(progress: Progress, epochs: float | None, steps: int | None) -> bool:
    """At its target; many scripts count epochs from 0, so one less is there too."""
    if epochs is not None and progress.epoch is not None:
        return progress.epoch >= epochs - 1 - 1e-9 if epochs > 1 else progress.epoch >= epochs * 0.99
    if steps is not None and progress.step is not None:
        return progress.step >= steps - max(1, steps // 100)
    return False


def _stopped_early(log: LogText) -> bool:
    return any("top" in line and table.EARLY_STOP.search(line) for line in log.lines[-200:])


def _completed(
    state: str | None,
    elapsed_s: int | None,
    logs: Sequence[LogText],
    progress: Progress,
    epochs: float | None,
    steps: int | None,
    flags: list[str],
    short_run_s: int,
) -> Diagnosis:
    """COMPLETED proves nothing: what was trained does."""
    said = Evidence("sacct", "State", f"{state or 'exit code 0'} after {elapsed_s if elapsed_s is not None else '?'} s")
    if progress.losses and len(progress.losses) >= 3 and not any(map(math.isfinite, progress.losses[-3:])):
        where = Evidence("log", progress.where or "", f"last losses: {', '.join(map(str, progress.losses[-3:]))}")
        return Diagnosis("nan_loss", (where, said), flags=tuple(flags))
    if "early_stopped" in flags:
        return Diagnosis("none", flags=tuple(flags))
    trained = progress.epoch is not None or progress.step is not None
    known = (epochs is not None and progress.epoch is not None) or (steps is not None and progress.step is not None)
    short = elapsed_s is not None and elapsed_s < short_run_s
    if known or (not trained and (epochs or steps)):
        at = f"epoch {progress.epoch:g}" if progress.epoch is not None else "nothing"
        of = f" of {epochs:g}" if epochs else f" of {steps} steps" if steps else ""
        reached = Evidence("log", progress.where or (logs[0].path if logs else ""), f"reached {at}{of}")
        return Diagnosis("false_success", (said, reached), flags=(*flags, *(["short_run"] if short else [])))
    if not trained and short and logs:
        nothing = Evidence("log", logs[0].path, "no line of the log shows any training")
        return Diagnosis("false_success", (said, nothing), flags=(*flags, "short_run"))
    if trained:
        return Diagnosis("none", (said,), flags=(*flags, *(["short_run"] if short else [])))
    return Diagnosis("unknown", (said,), flags=tuple(flags))
