"""The lines of one log that explain an end: named causes, and the exception at the root of the tracebacks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tools.data import Cause, Evidence, LogText
from tools.diagnosis import crash_patterns as table

LAST_LINES = 4000
"""Lines from the end that are searched: what ended a job stands near its end."""
ALIVE_AFTER = 3
"""Progress lines after an error that show that the job lived on (a caught and retried OOM)."""

_PROGRESS = ("{'loss'", '"loss"', "epoch=", "poch:", "poch ", "step=", "tep:", "tep ", "loss=", "loss:", "it/s]")
# What srun -l, torchrun, mpirun, exception groups and the W&B agent put before a line.
_LABEL = re.compile(
    r"(?:(?P<task>\d{1,5}):(?: |$)|\[\d{1,5},\d{1,5}\]<std\w{3}>: ?|\[?rank ?(?P<rank>\d{1,5})\]?: ?"
    r"|\(\w{1,60} pid=\d{1,9}[^)]{0,80}\) |\s{0,8}\| ?|wandb: ERROR )"
)
_NAME = r"(?:[A-Za-z_]\w{0,60}\.){0,6}[A-Z]\w{1,80}"
_EXCEPTION = re.compile(
    rf"(?P<name>{_NAME}(?<=Error|ption|rrupt|.Exit|ation|ilure|meout|Fault|Group))(?:: .{{0,2000}}|:?\s{{0,3}})$"
)
# At the end of a traceback any class may stand.
_RAISED = re.compile(rf"(?P<name>{_NAME})(?:: .{{0,2000}}|:?\s{{0,3}})$")
_ROOT_RANK = re.compile(r"rank\s{1,8}: (\d{1,5}) \(local_rank")
_LIVED_ON = re.compile(
    r"(?i)\bretry|\bskipping\b|\breducing\b|\blowering\b|falling back|trying again|: ignored|\bcaught (?:an )?oom"
    r"|ran out of memory in worker|recovered from"
)
# They wrap or accompany what really happened.
_WRAPPERS = frozenset(
    "SignalException ChildFailedError CalledProcessError SystemExit KeyboardInterrupt ProcessExitedException "
    "ProcessRaisedException BrokenProcessPool ExceptionGroup BaseExceptionGroup RayTaskError FailedJobError".split()
)
_CONSEQUENCES = frozenset(
    "BrokenPipeError ConnectionResetError ConnectionRefusedError ConnectionAbortedError EOFError".split()
)
# Raised to be caught: what came up while one of these was handled is what went wrong.
_CONTROL_FLOW = frozenset("StopIteration KeyError IndexError Empty QueueEmpty TimeoutError".split())
_BOX = ("│", "╭", "╰", "┃", "└", "├")


@dataclass(frozen=True, slots=True)
class Hit:
    cause: Cause
    weight: int
    evidence: Evidence
    detail: Mapping[str, str]
    order: int
    """Index of the line in its log."""
    survived: bool = False
    """The training went on after it."""


@dataclass(slots=True)
class _Raised:
    order: int
    name: str
    evidence: Evidence
    rank: str | None
    chained: bool
    """It was raised while, or because, the one before it was handled."""
    peer: bool
    """A broken connection or a signal: something else happened first."""


@dataclass(slots=True)
class _Thread:
    """What one rank, told apart by its label, is in the middle of saying."""

    in_traceback: bool = False
    ignored: bool = False
    chained: bool = False
    raised: list[_Raised] = field(default_factory=list)


def read_hits(log: LogText, state: str | None) -> list[Hit]:
    """Everything in the last life of the job that explains its end; ``state`` is Slurm's word for it."""
    lines = log.lines
    first = _last_life(lines, max(0, len(lines) - LAST_LINES), state)
    alive = _last_progress(lines, first)
    source = {"err": "stderr", "out": "stdout", "both": "log"}[log.stream]
    threads: dict[str, _Thread] = {}
    main = threads.setdefault("", _Thread())
    open_tracebacks = 0
    root_rank: str | None = None
    node: str | None = None
    cancelled_at = len(lines)
    hits: list[Hit] = []
    for i in range(first, len(lines)):
        line = lines[i]
        if not open_tracebacks and not any(map(line.__contains__, table.GATE)):
            if "local_rank" in line and (match := _ROOT_RANK.search(line)):
                root_rank = match[1]  # torchrun lists the root cause last
            continue
        text, rank = _unlabelled(line)
        by_slurm = "CANCELLED AT" in text or "oom" in text
        thread = threads.setdefault(rank, _Thread()) if rank else main
        if "Traceback (most recent" in text:
            if not thread.in_traceback:
                open_tracebacks += 1
            thread.in_traceback = True
            continue
        if "Exception ignored in" in text:
            thread.ignored = True
            continue
        if "The above exception was the direct" in text or "During handling of the above" in text:
            thread.chained = True
            continue
        if not by_slurm and (
            line.startswith(_BOX) or (thread.in_traceback and (text.startswith(("  ", "\t")) or not text.strip(" ^~")))
        ):
            continue
        if ("Warning: " in text or text.startswith("wandb: ")) and not by_slurm and "failed runs" not in text:
            continue
        if match := _ROOT_RANK.search(text):
            root_rank = match[1]
        evidence = Evidence(source, f"{log.path}:{log.numbers[i]}", line.strip()[:300])
        ended = (_RAISED if thread.in_traceback else _EXCEPTION).match(text)
        if ended and thread.in_traceback and any(word in text for word in _PROGRESS):
            ended = None  # another stream speaks between the lines of the traceback
        if ended and thread.ignored:
            thread.ignored = thread.chained = False
            open_tracebacks -= thread.in_traceback
            thread.in_traceback = False
            continue
        if match := table.NODE.search(text) if "error: " in text or "CANCELLED" in text else None:
            node = match["node"] or match["node2"]
        if "CANCELLED AT" in text and "STEP " not in text:
            cancelled_at = min(cancelled_at, i)
        if _LIVED_ON.search(text) and not by_slurm:
            continue
        found = [*_signs(text, evidence, i, survived=i < alive and not by_slurm)]
        if ended:
            name = ended["name"].rpartition(".")[2]
            peer = name in _WRAPPERS or any(hit.cause in {"nccl", "killed", "cancelled"} for hit in found)
            thread.raised.append(_Raised(i, name, evidence, rank, thread.chained, peer))
            open_tracebacks -= thread.in_traceback
            thread.in_traceback = thread.chained = False
            found = [_with_detail(hit, {"exception": name}) for hit in found]
        hits += found
    hits = _without_handled(hits, threads.values())
    if root := _root(threads.values(), root_rank):
        weak = root.name in _CONSEQUENCES
        weight = 47 if weak else table.EXCEPTION_WEIGHT
        hits.append(
            Hit("python_exception", weight, root.evidence, {"exception": root.name}, root.order, root.order < alive)
        )
    # what a job says after it was told to end is the consequence of that
    kept = [hit for hit in hits if hit.order <= cancelled_at or hit.weight >= table.SLURM]
    return [_with_detail(hit, {"node": node}) for hit in kept] if node else kept


def _signs(text: str, evidence: Evidence, order: int, *, survived: bool) -> Iterator[Hit]:
    for sign in table.SIGNS:
        if any(hint in text for hint in sign.hints) and (match := sign.pattern.search(text)):
            found = {name.rstrip("23456"): value.strip() for name, value in match.groupdict().items() if value}
            if size := table.SIZE.search(text):
                found["size"] = size["size"]
            yield Hit(sign.cause, sign.weight, evidence, found, order, survived)


def _with_detail(hit: Hit, more: Mapping[str, str]) -> Hit:
    return Hit(hit.cause, hit.weight, hit.evidence, {**more, **hit.detail}, hit.order, hit.survived)


def _unlabelled(line: str) -> tuple[str, str]:
    """The line without labels, and the rank that they name (empty: none)."""
    rank = ""
    at = 0
    for _ in range(3):
        match = _LABEL.match(line, at)
        if match is None:
            break
        rank = match["rank"] or match["task"] or rank
        at = match.end()
    return line[at:], rank


def _root(threads: Collection[_Thread], root_rank: str | None) -> _Raised | None:
    """The exception that came first: of a chain its head, of several ranks the one torchrun names or the first."""
    heads: list[_Raised] = []
    for thread in threads:
        head: _Raised | None = None
        for raised in thread.raised:
            if raised.chained and head is not None and head.name not in _CONTROL_FLOW:
                continue
            if raised.chained and heads and heads[-1] is head:
                heads.pop()
            head = raised
            heads.append(raised)
    heads = [head for head in heads if not head.peer]
    own = [head for head in heads if root_rank is not None and head.rank == root_rank]
    strong = [head for head in heads if head.name not in _CONSEQUENCES]
    ranked = [head for head in strong if head.rank]
    if own:
        return own[-1]
    if ranked:
        return min(ranked, key=lambda head: head.order)
    return max(strong or heads, key=lambda head: head.order, default=None)


def _without_handled(hits: list[Hit], threads: Collection[_Thread]) -> list[Hit]:
    """``StopIteration`` that was caught (``except StopIteration: iterator = iter(loader)``) explains nothing."""
    handled = {
        before.order
        for thread in threads
        for before, after in zip(thread.raised, thread.raised[1:], strict=False)
        if after.chained and before.name in _CONTROL_FLOW
    }
    return [hit for hit in hits if hit.order not in handled]


def _is_progress(line: str) -> bool:
    return any(word in line for word in _PROGRESS) and "rror" not in line and "Traceback" not in line


def _last_progress(lines: Sequence[str], first: int) -> int:
    """Index before which errors were survived: at least ALIVE_AFTER progress lines follow it."""
    seen = 0
    for i in range(len(lines) - 1, first - 1, -1):
        if _is_progress(lines[i]):
            seen += 1
            if seen >= ALIVE_AFTER:
                return i
    return 0


_RESTART = ("Resuming", "resuming", "Restor", "Tracking run with wandb", "Starting wandb agent", "oad checkpoint",
            "oading checkpoint", "Loaded checkpoint", "JobEnvironment(")  # fmt: skip
_KILLS = ("DUE TO JOB REQUEUE", "DUE TO PREEMPTION", "DUE TO NODE FAILURE", "DUE TO TIME LIMIT")


def _last_life(lines: Sequence[str], first: int, state: str | None) -> int:
    """Where the last start of a requeued job begins: after Slurm's word about the one before."""
    ends = [
        i
        for i in range(first, len(lines))
        if "CANCELLED AT" in lines[i] and "JOB " in lines[i] and any(kill in lines[i] for kill in _KILLS)
    ]
    for i in reversed(ends[-5:]):
        after = lines[i + 1 :]
        # the killed may print for a while: only an end of its own tells that these are lines of a new start
        by_itself = state in {"COMPLETED", "FAILED", "OUT_OF_MEMORY"} and sum(map(_is_progress, after)) >= ALIVE_AFTER
        if "JOB REQUEUE" in lines[i] or by_itself or any(word in line for line in after for word in _RESTART):
            return i + 1
    return first
