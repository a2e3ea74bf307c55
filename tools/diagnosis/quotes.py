"""Lines of a log quoted as evidence: how far it got, how it ended, its last words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tools.data import Evidence, Progress
from tools.data_log import LogText
from tools.diagnosis import crash_patterns as table
from tools.diagnosis.traits import FINISHED, STOPPED, traits_of

LAST = 200
"""Lines from the end in which a script says that it is done, or stops early."""
MOST = 3
"""Quotes of one kind; one more place is for what accounting says."""


def _last_saying(log: LogText, what: int, says: Callable[[str], object]) -> list[Evidence]:
    """The last line that says it, if any does."""
    for i in traits_of(log).closing(what, LAST):
        if says(log.lines[i]):
            return [_quote(log, i)]
    return []


def _finished(line: str) -> bool:
    # what most logs of an agent end with is no matter for a pattern
    return "Received exit command" in line or bool(table.FINISHED.search(line))


def distinct(evidence: Iterable[Evidence]) -> list[Evidence]:
    found: dict[str, Evidence] = {}
    for one in evidence:
        found.setdefault(f"{one.where}\0{one.text}", one)
    return list(found.values())


def _quote(log: LogText, i: int) -> Evidence:
    source = {"err": "stderr", "out": "stdout", "both": "log"}[log.stream]
    return Evidence(source, log.where(i), log.lines[i].strip()[:300])


def finish_lines(logs: Sequence[LogText], progress: Progress) -> tuple[Evidence, ...]:
    """The line with the newest progress, and the script's own word that it ended."""
    found = []
    for log in logs:
        if progress.where and (i := log.index_of(progress.where)) is not None:
            found.append(_quote(log, i))
        found += _last_saying(log, FINISHED, _finished)
    return tuple(distinct(found))[:MOST]


def last_words(logs: Sequence[LogText]) -> list[Evidence]:
    """The last line of each stream: little, but what there is."""
    return [_quote(log, len(log.lines) - 1) for log in reversed(logs) if log.lines and log.lines[-1].strip()][:2]


def stop_lines(logs: Sequence[LogText]) -> list[Evidence]:
    return [said for log in logs for said in _last_saying(log, STOPPED, table.stops_early)][:2]
