"""The rows of the sweeps, and the whole status."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

from tools.data import SweepConfig
from tools.look import Place, Seen, look
from tools.rows import Judged, judge
from tools.run_health import with_health
from tools.run_values import config_of
from tools.status import SourceRow, Status, SweepRow


def read_status(place: Place, now: Callable[[], float] = time.time) -> tuple[Status, Seen]:
    """Look once and judge everything: the status, without secrets and control characters, and what it rests on."""
    seen = look(place, now)
    judged = with_health([judge(link, seen, place) for link in seen.links], seen)
    status = Status(
        at=datetime.fromtimestamp(seen.at, UTC).isoformat(timespec="seconds"),
        workspace=str(place.workspace),
        entity=_entity(seen),
        project=_project(seen),
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
        sweeps=_sweeps(judged, seen, place),
        runs=tuple(sorted((entry.row for entry in judged), key=_order)),
    )
    return Status.model_validate(place.redactor.clean_all(status.model_dump())), seen


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


def _sweeps(judged: list[Judged], seen: Seen, place: Place) -> tuple[SweepRow, ...]:
    groups: dict[str, list[Judged]] = defaultdict(list)
    for entry in judged:
        if entry.row.sweep:
            groups[entry.row.sweep].append(entry)
    rows = []
    for sweep, group in sorted(groups.items()):
        path = next((found for entry in group if (found := config_of(entry.link, seen))), None)
        config = seen.sweep_configs.get(path or "", SweepConfig(path=""))
        active = {entry.row.job for entry in group if entry.link.job and entry.link.job.active}
        expected = _expected(group)
        issues = []
        if expected is not None and len(active) < expected:
            issues.append(f"under capacity: {len(active)} of {expected} agents")
        url = _url(sweep, group, seen)
        if url is None:
            issues.append("no link: the W&B entity or project is not known (set WANDB_ENTITY and WANDB_PROJECT)")
        issues.append("state unknown: the W&B service was not asked")
        rows.append(
            SweepRow(
                id=sweep,
                url=url,
                config=path.removeprefix(f"{seen.index.workspace}/") if path else None,
                name=config.name or (group[0].row.name if group[0].link.job else None),
                purpose=config.description or " ".join(config.comments)[:300] or None,
                method=config.method,
                state=None,
                expected_agents=expected,
                active_agents=len(active),
                zombies=None,
                stale=None,
                issues=tuple(issues),
            )
        )
    return tuple(rows)


def _url(sweep: str, group: list[Judged], seen: Seen) -> str | None:
    """The run's own log names entity and project best; then the settings."""
    parts = [entry.link.part for entry in group if entry.link.part and entry.link.part.entity]
    dirs = [folder for entry in group for folder in entry.link.run_dirs if folder.entity and folder.project]
    entity = parts[-1].entity if parts else dirs[-1].entity if dirs else seen.settings.entity
    project = parts[-1].project if parts else dirs[-1].project if dirs else seen.settings.project
    if not entity or not project:
        return None
    base = seen.settings.base_url.rstrip("/")
    return f"{base}/{quote(entity, safe='')}/{quote(project, safe='')}/sweeps/{quote(sweep, safe='')}"


def _expected(group: list[Judged]) -> int | None:
    """The smaller of the array's throttle and its tasks whose training is not finished."""
    jobs = {entry.link.job.id: entry for entry in group if entry.link.job and not entry.row.superseded}
    if not jobs:
        return None
    unfinished = sum(1 for entry in jobs.values() if not entry.finished)
    throttles = [entry.link.job.throttle for entry in jobs.values() if entry.link.job and entry.link.job.throttle]
    return min(unfinished, max(throttles)) if throttles else unfinished
