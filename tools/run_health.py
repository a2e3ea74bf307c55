"""How the runs that train now are learning, each seen beside the others of its sweep: the second pass over the rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from tools.diagnosis.join import Link
from tools.diagnosis.reading import Reading
from tools.diagnosis.series import Point, Series, with_history
from tools.diagnosis.siblings import SIBLINGS
from tools.diagnosis.training import judge
from tools.look import Seen
from tools.readers import course_of, read_again
from tools.rows import Judged
from tools.wandb_rows import last_row

MAX_SIBLINGS = 12
"""Runs of a sweep that one is compared with: a median of more says the same, and costs more."""


def series_of(link: Link, seen: Seen, *, anew: bool = False) -> Series:
    """The values of one run, from its own part of the log, else its own console, else W&B's last row.

    ``anew``: the log is read again where the look kept only the last losses of it.
    """
    reading = _whole_reading(link, seen, anew=anew)
    series = reading.series if reading and reading.series else _of_last(reading)
    row = last_row(link, seen)
    return with_history(series, row.values, row.where) if row else series


def siblings_of(link: Link, seen: Seen) -> list[tuple[Point, ...]]:
    """The courses of other runs of its sweep."""
    group = [other for other in seen.links if other.sweep == link.sweep] if link.sweep else []
    return _others(link, _courses(group, seen, anew=True))


def with_health(judged: Sequence[Judged], seen: Seen) -> list[Judged]:
    """The rows with health, where it is asked: of what trains now, and of what died of its loss."""
    asked = {id(entry) for entry in judged if entry.row.live or entry.row.cause == "nan_loss"}
    groups: dict[str | None, list[Link]] = defaultdict(list)
    for entry in judged:
        groups[entry.link.sweep].append(entry.link)
    live = {entry.link.sweep for entry in judged if entry.row.live and entry.link.sweep}
    courses = {sweep: _courses(groups[sweep], seen) for sweep in live}
    return [
        _with(entry, seen, courses.get(entry.link.sweep or "", [])) if id(entry) in asked else entry for entry in judged
    ]


def _with(entry: Judged, seen: Seen, courses: Sequence[tuple[str | None, tuple[Point, ...]]]) -> Judged:
    health = judge(series_of(entry.link, seen), _others(entry.link, courses) if entry.row.live else ())
    flags = (*entry.row.flags, f"behind_siblings: {health.behind.words}") if health.behind else entry.row.flags
    row = replace(
        entry.row,
        health=health.verdict,
        trend=health.arrow,
        health_note=health.note if entry.row.live or health.verdict else None,
        flags=flags,
    )
    return Judged(row, entry.link, entry.finished)


def _courses(group: Sequence[Link], seen: Seen, *, anew: bool = False) -> list[tuple[str | None, tuple[Point, ...]]]:
    """The course of each run once, those that train now first; nothing where they are too few to compare.

    Of what is over only the courses that the look has read; ``anew`` reads the logs of others once more.
    """
    chosen: dict[str | None, tuple[Point, ...]] = {}
    for link in sorted(group, key=lambda link: not link.current):
        if len(chosen) >= MAX_SIBLINGS:
            break
        known = anew or link.current or course_of(link) in seen.courses
        if link.run and link.run not in chosen and known and _reading(link, seen):
            reading = _whole_reading(link, seen, anew=anew)
            chosen[link.run] = reading.series.curve if reading and reading.series else ()
    return list(chosen.items()) if len(chosen) > SIBLINGS else []


def _others(link: Link, courses: Sequence[tuple[str | None, tuple[Point, ...]]]) -> list[tuple[Point, ...]]:
    return [curve for run, curve in courses if run != link.run]


def _whole_reading(link: Link, seen: Seen, *, anew: bool) -> Reading | None:
    """That of its log, or the one with its whole course where only that has it."""
    reading = _reading(link, seen)
    if reading is None or reading.series is None:
        reading = seen.courses.get(course_of(link)) or reading
    if anew and link.job and (reading is None or reading.series is None):
        reading = read_again(link.run, seen.log_files.get(link.job.id, ())) or reading
    return reading


def _reading(link: Link, seen: Seen) -> Reading | None:
    return link.part.reading if link.part and link.part.reading else seen.run_logs.get(link.run or "")


def _of_last(reading: Reading | None) -> Series:
    """The last losses alone, where the whole course was not read."""
    if reading is None:
        return Series()
    where = reading.progress.where or ""
    return Series(tuple(Point(None, None, loss, where) for loss in reading.progress.losses))
