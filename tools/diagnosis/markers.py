"""Which runs a job trained, and which lines of its log belong to each.

W&B's own lines are the evidence (mostly on standard error); a lab's ``Run:`` and ``Sweep ID:`` lines count too.
One agent job may train many runs one after the other: each gets its own part of the log.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tools.compact import compact
from tools.data import Evidence
from tools.data_log import LogText
from tools.diagnosis.lines import has
from tools.diagnosis.lives import by_slurm
from tools.diagnosis.marker_lines import BEFORE, CLOSING, COMMAND, ENDED, MENTION, Sweep, run_in, sweep_in
from tools.diagnosis.reading import Reading, read
from tools.diagnosis.traits import EPOCH, MARKER, traits_of

_SOURCE = {"err": "stderr", "out": "stdout", "both": "log"}
_EPOCH = re.compile(r"(?:^|[\s'\"{\[(|])[Ee]poch['\"]?[\s:=\[#]{1,4}'?(\d{1,9})")


@compact
class RunPart:
    """One run's share of a job's logs."""

    run: str | None
    reading: Reading | None = None
    sweep: str | None = None
    entity: str | None = None
    project: str | None = None
    command: str | None = None
    """What the agent was told to run."""
    ended: Evidence | None = None
    """The agent's word that this run is over (whatever its exit code); the job may go on with another."""
    found: Evidence | None = None
    alone: bool = True
    """The job trained no other run."""
    doubt: str | None = None
    """Why lines of this run could not be told from those of another."""
    beside: bool = False
    """Another run is trained at the same time in the same job."""


@dataclass(slots=True)
class _Span:
    run: str
    start: int
    end: int
    found: Evidence
    sweep: str | None = None
    entity: str | None = None
    project: str | None = None
    command: str | None = None
    ended: Evidence | None = None
    beside: bool = False


def parts(logs: Sequence[LogText], state: str | None, *, detailed: bool = False) -> tuple[RunPart, ...]:
    """The runs of a job in the order they ran, each with what its lines tell; one part where no line names a run.

    ``state`` is Slurm's word for the job: of an agent's runs only the last is what the job is doing.
    ``detailed`` as in ``reading.read``.
    """
    scanned = [(log, *_scan(log)) for log in logs]
    if not any(spans for _, spans, _ in scanned):
        run, seen = _only_mention(logs)
        return (RunPart(run, read(logs, state, detailed=detailed), *_first_sweep(scanned), found=seen),)
    leading = max((spans for _, spans, _ in scanned), key=len)
    anywhere = _first_sweep(scanned)
    result = []
    for position, span in enumerate(leading):
        own: list[LogText] = []
        doubt = f"{span.found.where.rpartition(':')[0]}: agents side by side write to it" if span.beside else None
        for log, spans, _ in scanned:
            if span.beside:
                continue
            mine = next((other for other in spans if other.run == span.run), None)
            if mine is not None:
                own.append(_cut(log, mine.start, mine.end))
                span.ended = span.ended or mine.ended
                span.command = span.command or mine.command
            elif not spans:
                piece, doubt = _share(log, position, len(leading))
                own += [piece] if piece else []
        if position < len(leading) - 1 and not span.ended and not span.beside:
            # a script that trains one run after the other says nothing about the end of each
            later = leading[position + 1]
            span.ended = Evidence(later.found.source, later.found.where, f"the job went on with run {later.run}")
        sweep = (span.sweep, span.entity, span.project) if span.sweep else anywhere
        result.append(
            RunPart(
                run=span.run,
                reading=read(own, None if span.ended else state, detailed=detailed),
                sweep=sweep[0],
                entity=sweep[1],
                project=sweep[2],
                command=span.command,
                ended=span.ended,
                found=span.found,
                alone=len(leading) == 1,
                doubt=doubt,
                beside=span.beside,
            )
        )
    return tuple(result)


def _first_sweep(scanned: Sequence[tuple[LogText, list[_Span], Sweep | None]]) -> Sweep:
    return next((found for _, _, found in scanned if found), (None, None, None))


def _scan(log: LogText) -> tuple[list[_Span], Sweep | None]:
    spans: list[_Span] = []
    sweep: Sweep | None = None
    waiting: int | None = 0
    command: str | None = None
    source = _SOURCE[log.stream]
    for i in traits_of(log).where(MARKER):
        line = log.lines[i]
        if waiting is None and has(line, BEFORE):
            waiting = i
        if "About to run" in line and (match := COMMAND.search(line)):
            command = match[1]
        if "inish" in line and (match := ENDED.search(line)):
            for span in spans:
                if span.run == match[1]:
                    span.ended, span.end = _evidence(source, log, i), i + 1
            waiting = None if waiting is None or waiting == 0 else waiting
            continue
        if found := sweep_in(line):
            sweep = found
            # a run's own start prints this line; what it has else is from the runs before it
            if spans and not spans[-1].ended and (spans[-1].sweep is None or "View sweep" in line):
                spans[-1].sweep, spans[-1].entity, spans[-1].project = found
        if run := run_in(line):
            if spans and not spans[-1].ended and CLOSING.search(line) and all(span.run != run for span in spans):
                continue
            if spans and spans[-1].run != run and _side_by_side(spans, run):
                continue
            if not spans or spans[-1].run != run:
                start = i if waiting is None else waiting
                if spans and not spans[-1].ended:
                    spans[-1].end = start
                spans.append(_Span(run, start, len(log.lines), _evidence(source, log, i)))
                if sweep:
                    spans[-1].sweep, spans[-1].entity, spans[-1].project = sweep
                spans[-1].command, command = command, None
            elif spans[-1].ended:  # the same run again: told to resume, or W&B's closing lines
                spans[-1].end = len(log.lines)
                if "Running runs" in line or "Agent Start" in line:
                    spans[-1].ended = None
            waiting = None
    return _merged(spans), sweep


def _side_by_side(spans: list[_Span], run: str) -> bool:
    """A run that is spoken of again before the later one has ended: two agents share the job."""
    again = next((span for span in spans[:-1] if span.run == run and not span.ended), None)
    if again is None or spans[-1].ended:
        return False
    again.beside = spans[-1].beside = True
    return True


def _merged(spans: list[_Span]) -> list[_Span]:
    """One span a run: a run that was left and taken up again in the same log keeps its last stretch."""
    last: dict[str, _Span] = {}
    for span in spans:
        last.pop(span.run, None)
        last[span.run] = span
    return list(last.values())


def _only_mention(logs: Sequence[LogText]) -> tuple[str | None, Evidence | None]:
    """The one run whose folder the logs name, in whatever line."""
    named: dict[str, Evidence] = {}
    for log in logs:
        for i in traits_of(log).where(MARKER):
            if "run-" in log.lines[i] and (match := MENTION.search(log.lines[i])):
                named.setdefault(match[1].rstrip(".,;)"), _evidence(_SOURCE[log.stream], log, i))
    return next(iter(named.items())) if len(named) == 1 else (None, None)


def _evidence(source: str, log: LogText, i: int) -> Evidence:
    return Evidence(source, log.where(i), log.lines[i].strip()[:300])


def _cut(log: LogText, start: int, end: int) -> LogText:
    return log.part(start, end)


def _share(log: LogText, position: int, count: int) -> tuple[LogText | None, str | None]:
    """A run's share of a stream in which W&B says nothing: split where the epoch starts over.

    What Slurm says of the job's end is of the last run, whoever else wrote there.
    """
    if count == 1:
        return log, None
    starts = [0]
    last = -1
    for i in traits_of(log).where(EPOCH):
        if match := _EPOCH.search(log.lines[i]):
            epoch = int(match[1])
            if epoch < last:
                starts.append(i)
            last = epoch
    if len(starts) == count:
        ends = [*starts[1:], len(log.lines)]
        return _cut(log, starts[position], ends[position]), None
    doubt = f"{log.path} holds {count} runs and nothing in it tells them apart"
    if position == count - 1 and len(starts) > 1:
        return _cut(log, starts[-1], len(log.lines)), None
    if position == count - 1 and (end := by_slurm(log)) is not None:
        return _cut(log, end, len(log.lines)), doubt
    return None, doubt
