"""The lines of one log that explain an end: named causes, and the exception at the root of the tracebacks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from tools.compact import compact
from tools.data import Cause, Evidence
from tools.data_log import LogText
from tools.diagnosis import crash_patterns as table
from tools.diagnosis.beside import told_beside
from tools.diagnosis.exceptions import CONSEQUENCES, WRAPPERS, Raised, Thread, handled, root, wrapper
from tools.diagnosis.labels import unlabelled
from tools.diagnosis.lives import BY_ITSELF, is_progress, last_life, last_progress, told_to_end
from tools.diagnosis.origins import by_origin
from tools.diagnosis.sign import CONSEQUENCE_WEIGHT, EXCEPTION_WEIGHT, SLURM, WRAPPER_WEIGHT, Sign
from tools.diagnosis.traits import SIGN, traits_of

LAST_LINES = 4000
"""Lines from the end that are searched: what ended a job stands near its end."""
QUOTED = 300
"""Characters of a line that are shown."""
QUOTED_BEFORE = 40
_NAME = r"(?:[A-Za-z_]\w{0,60}\.){0,6}[A-Z]\w{1,80}"
_EXCEPTION = re.compile(
    rf"(?P<name>{_NAME}(?<=Error|ption|rrupt|.Exit|ation|ilure|meout|Fault|Group))(?:: .{{0,2000}}|:?\s{{0,3}})$"
)
# At the end of a traceback any class may stand.
_RAISED = re.compile(rf"(?P<name>{_NAME})(?:: .{{0,2000}}|:?\s{{0,3}})$")
_ROOT_RANK = re.compile(r"rank\s{1,8}: (\d{1,5}) \(local_rank")
_LIVED_ON = re.compile(
    r"(?i)\bretry|\bskipping\b|(?<!try )\breducing\b|falling back|trying again|: ignored|\bcaught (?:an )?oom"
    r"|--- Logging error|ran out of memory in worker|recovered from|failed call to cuinit"
)
_LIBRARY = ("site-packages", "/lib/python", "<frozen ", "<string>")
# Told, and done without: by Python itself, or at an exit that comes anyway.
_SWALLOWED = ("Exception ignored in", "Error in atexit._run_exitfuncs")
_BOX = ("│", "╭", "╰", "┃", "└", "├")
# What typer and tyro frame; everything else in a box is a rich traceback's source code.
_BOXED = ("No such option", "Missing option", "Missing argument", "Invalid value for", "nrecognized options: ")


@compact
class Hit:
    cause: Cause
    weight: int
    evidence: Evidence
    detail: Mapping[str, str]
    order: int
    """Index of the line in its log."""
    survived: bool = False
    """The training went on after it."""
    more: tuple[Evidence, ...] = ()
    """What lines near it tell: the field, the parameter, the assertion."""


def read_hits(log: LogText, state: str | None) -> list[Hit]:
    """Everything in the last life of the job that explains its end; ``state`` is Slurm's word for it."""
    lines, within = log.lines, range(len(log.lines))
    traits = traits_of(log)
    oldest = max(0, len(lines) - LAST_LINES)
    if traits.first_sign(oldest) is None:
        return []
    first = last_life(log, oldest, state)
    alive = cache(lambda: last_progress(log, first))
    source = {"err": "stderr", "out": "stdout", "both": "log"}[log.stream]
    threads: dict[str, Thread] = {}
    main = threads.setdefault("", Thread())
    open_tracebacks = 0
    root_rank: str | None = None
    node: str | None = None
    cancelled_at = len(lines)
    hits: list[Hit] = []
    spent: set[bytes] = set()
    ahead = traits.having(SIGN)
    start = traits.first_sign(first)
    i = len(lines) if start is None else start - 1
    while (i := i + 1 if open_tracebacks else ahead.find(1, i + 1)) in within:
        shape = traits.shape(i)
        signs = traits.signs(i) if ahead[i] and shape not in spent else None
        if signs is None and not open_tracebacks:
            if match := _ROOT_RANK.search(lines[i]):
                root_rank = match[1]  # torchrun lists the root cause last
            continue
        line = lines[i]
        text, rank = unlabelled(line)
        by_slurm = "CANCELLED AT" in text or "oom" in text or "memory limit" in text
        thread = threads.setdefault(rank, Thread()) if rank else main
        if "Traceback (most recent" in text:
            if not thread.in_traceback:
                open_tracebacks += 1
            thread.in_traceback = True
            thread.own = None
            of_the_one_before = bool(thread.raised) and thread.raised[-1].order == i - 2
            thread.survived = i > 0 and not of_the_one_before and bool(_LIVED_ON.search(lines[i - 1]))
            continue
        if text.startswith("Exception in thread ") and text.endswith(":"):
            thread.aside = True
            continue
        if any(word in text for word in _SWALLOWED):
            thread.ignored = True
            continue
        if "The above exception was the direct" in text or "During handling of the above" in text:
            thread.chained = True
            continue
        if not by_slurm and (
            (line.startswith(_BOX) and not any(word in line for word in _BOXED))
            or (thread.in_traceback and (text.startswith(("  ", "\t")) or not text.strip(" ^~")))
        ):
            if text.startswith('  File "'):
                thread.frame = text
                thread.own = thread.own if any(word in text for word in _LIBRARY) else i
            continue
        if ("Warning: " in text or text.startswith("wandb: ")) and not by_slurm and "failed runs" not in text:
            continue
        if match := _ROOT_RANK.search(text):
            root_rank = match[1]
        evidence = Evidence(source, log.where(i), _quoted(line))
        ended = (_RAISED if thread.in_traceback else _EXCEPTION).match(text)
        if ended and thread.in_traceback and not _EXCEPTION.match(text) and is_progress(text):
            ended = None  # another stream speaks between the lines of the traceback
        if ended and thread.ignored:
            thread.ignored = thread.chained = thread.aside = False
            open_tracebacks -= thread.in_traceback
            thread.in_traceback = False
            continue
        if match := table.NODE.search(text) if "error: " in text or "CANCELLED" in text else None:
            node = match["node"] or match["node2"]
        if "CANCELLED AT" in text and "STEP " not in text:
            cancelled_at = min(cancelled_at, i)
        lived_on = thread.survived or (ended and i + 1 < len(lines) and bool(_LIVED_ON.search(lines[i + 1])))
        told = [(sign, match) for sign in signs or () if (match := sign.pattern.search(text))]
        survived = (bool(told or ended) and not by_slurm and i < alive()) or bool(ended and lived_on)
        found = [_hit(sign, match, evidence, i, survived=survived) for sign, match in told]
        if found and not ended and not by_slurm and _LIVED_ON.search(text):
            continue
        if ended:
            name = ended["name"].rpartition(".")[2]
            peer = name in WRAPPERS or any(hit.cause in {"nccl", "killed", "cancelled"} for hit in found)
            origin = f"{ended['name']} {thread.frame if thread.in_traceback else ''}"
            thread.raised.append(
                Raised(
                    i,
                    name,
                    evidence,
                    rank,
                    thread.chained,
                    peer,
                    origin,
                    thread.own if thread.in_traceback else None,
                    thread.aside or survived,
                )
            )
            open_tracebacks -= thread.in_traceback
            thread.in_traceback = thread.chained = thread.aside = thread.survived = False
            found = [_with_detail(hit, {"exception": name}) for hit in found]
        hits += found
        if not (signs or ended or open_tracebacks):
            spent.add(shape)
    caught = handled(threads.values())
    hits = [hit for hit in hits if hit.order not in caught]
    if raised := root(threads.values(), root_rank):
        weight = CONSEQUENCE_WEIGHT if raised.name in CONSEQUENCES else EXCEPTION_WEIGHT
    elif raised := wrapper(threads.values()):
        weight = WRAPPER_WEIGHT
    if raised:
        detail = {"exception": raised.name}
        cause, more = by_origin(raised.origin) if weight == EXCEPTION_WEIGHT else ("python_exception", 0)
        framed = (Evidence(source, log.where(raised.frame), _quoted(lines[raised.frame])),) if raised.frame else ()
        hits.append(Hit(cause, weight + more, raised.evidence, detail, raised.order, raised.order < alive(), framed))
    killed = cancelled_at < len(lines) and told_to_end(lines[cancelled_at])
    if killed and state in BY_ITSELF and any(_of_new_start(hit, cancelled_at) for hit in hits):
        # Slurm would call it PREEMPTED if that had been the end: it was started anew, and died of its own error
        return read_hits(log.part(cancelled_at + 1, len(lines)), state)
    # what a job says after it was told to end is the consequence of that
    kept = [_told_more(hit, log, source) for hit in hits if hit.order <= cancelled_at or hit.weight >= SLURM]
    return [_with_detail(hit, {"node": node}) for hit in kept] if node else kept


def _of_new_start(hit: Hit, told: int) -> bool:
    """Whether an error stands after the line that told the job to end, and is none that such an end leads to."""
    return hit.order > told and hit.weight >= EXCEPTION_WEIGHT and hit.cause not in {"nccl", "killed", "cancelled"}


def _quoted(line: str) -> str:
    """The line as it is shown; one that is cut says so."""
    text = line.strip()
    return text if len(text) <= QUOTED else f"{text[: QUOTED - 1]}…"


def _told_more(hit: Hit, log: LogText, source: str) -> Hit:
    more, key = told_beside(log, hit.order, source)
    return _with_detail(replace(hit, more=(*more, *hit.more)), {"key": key} if key else {}) if more else hit


def _hit(sign: Sign, match: re.Match[str], evidence: Evidence, order: int, *, survived: bool) -> Hit:
    text = match.string
    found = {name.rstrip("23456"): value.strip() for name, value in match.groupdict().items() if value}
    if ("allocat" in text or "request for" in text) and (size := table.SIZE.search(text)):
        found["size"] = size["size"]
    if match.end() > QUOTED:  # what tells stands far behind in a line of many words
        start = max(match.end() - QUOTED, match.start() - QUOTED_BEFORE)
        evidence = replace(evidence, text=_quoted(text[start:]))
    return Hit(sign.cause, sign.weight, evidence, found, order, survived)


def _with_detail(hit: Hit, more: Mapping[str, str]) -> Hit:
    return replace(hit, detail={**more, **hit.detail})
