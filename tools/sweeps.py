"""The whole status from one look."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from datetime import UTC, datetime

from tools.diagnosis.join import Link
from tools.look import Seen, look
from tools.place import Place
from tools.rows import Judged, judge
from tools.run_health import with_health
from tools.sources import crew
from tools.status import RunRow, SourceRow, Status
from tools.sweep_rows import sweep_rows

MANY = 1_000
"""Rows that are worth copies of the process: judging one takes an eighth of a millisecond."""


def read_status(place: Place, now: Callable[[], float] = time.time) -> tuple[Status, Seen]:
    """Look once and judge everything: the status, without secrets and control characters, and what it rests on."""
    collecting = gc.isenabled()
    # a look makes many objects and no cycles: collecting would walk through all of them again and again
    gc.disable()
    try:
        return _read_status(place, now)
    finally:
        if collecting:
            gc.enable()


def _read_status(place: Place, now: Callable[[], float]) -> tuple[Status, Seen]:
    seen = look(place, now)
    judged = with_health(_judged(seen, place), seen)
    status = Status(
        at=datetime.fromtimestamp(seen.at, UTC).isoformat(timespec="seconds"),
        workspace=str(place.workspace),
        entity=_entity(seen),
        project=_project(seen),
        cluster=place.layout.cluster,
        demo=place.demo,
        other_jobs=seen.other_jobs,
        sources=tuple(
            SourceRow(
                name=source.name,
                ok=source.ok,
                age_s=round(max(0.0, seen.at - source.at), 1),
                error=source.error,
                detail=source.detail,
            )
            for source in seen.sources
        ),
        sweeps=sweep_rows(judged, seen),
        runs=tuple(sorted((entry.row for entry in judged), key=_order)),
    )
    return status.cleaned(place.redactor.clean), seen


def _judged(seen: Seen, place: Place) -> list[Judged]:
    if len(seen.links) < MANY:
        return [judge(link, seen, place) for link in seen.links]

    def one(link: Link) -> tuple[RunRow, bool]:
        judged = judge(link, seen, place)
        return judged.row, judged.finished  # the link is known here, and need not come back from a copy

    told, _ = crew.each(one, seen.links, many=MANY)
    pairs = zip(told, seen.links, strict=True)
    return [Judged(found[0], link, found[1]) if found else judge(link, seen, place) for found, link in pairs]


def _order(row: object) -> tuple[str, int, int, str]:
    job = getattr(row, "job", None) or ""
    array, _, task = job.partition("_")
    return (
        getattr(row, "sweep", None) or "\uffff",
        int(array or 10**15),
        int(task or -1),
        getattr(row, "run", None) or "",
    )


def _entity(seen: Seen) -> str | None:
    if seen.settings.entity:
        return seen.settings.entity
    return next((link.part.entity for link in seen.links if link.part and link.part.entity), None)


def _project(seen: Seen) -> str | None:
    if seen.settings.project:
        return seen.settings.project
    return next((link.part.project for link in seen.links if link.part and link.part.project), None)
