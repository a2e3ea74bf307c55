"""The whole status from one look."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from datetime import UTC, datetime

from tools.look import Seen, look
from tools.place import Place
from tools.rows import judge
from tools.run_health import with_health
from tools.status import SourceRow, Status
from tools.sweep_rows import sweep_rows


def read_status(place: Place, now: Callable[[], float] = time.time) -> tuple[Status, Seen]:
    """Look once and judge everything: the status, without secrets and control characters, and what it rests on."""
    collecting = gc.isenabled()
    if gc.get_freeze_count():
        gc.collect()  # what has become garbage since the last look would be kept for good
    # a look makes many objects and no circles: collecting would walk through all of them again and again, and once
    # more afterwards and at the program's end
    gc.disable()
    try:
        return _read_status(place, now)
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


def _read_status(place: Place, now: Callable[[], float]) -> tuple[Status, Seen]:
    seen = look(place, now)
    judged = with_health([judge(link, seen, place) for link in seen.links], seen)
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
    cleaned = status.cleaned(place.redactor.clean, place.redactor.plain)
    seen.saving()
    return cleaned, seen


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
