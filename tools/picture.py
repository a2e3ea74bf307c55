"""From one look to the whole status: every run judged, every sweep counted, nothing in it that must not be shown."""

from __future__ import annotations

from datetime import UTC, datetime

from tools.look import Seen
from tools.place import Place
from tools.rows import judge
from tools.run_health import with_health
from tools.status import SourceRow, Status
from tools.sweep_rows import sweep_rows


def status_of(seen: Seen, place: Place) -> Status:
    """What was seen, judged; without secrets and control characters."""
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
    return status.cleaned(place.redactor.clean, place.redactor.plain)


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
