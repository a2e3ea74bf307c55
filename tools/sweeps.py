"""The rows of the sweeps, and the whole status."""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

from tools import sweep_checks
from tools.diagnosis.context import context_of
from tools.look import Seen, look
from tools.place import Place
from tools.rows import Judged, judge
from tools.run_health import with_health
from tools.run_values import entity_and_project
from tools.status import SourceRow, Status, SweepRow
from tools.wandb_data import SweepConfig


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
        sweeps=_sweeps(judged, seen, place),
        runs=tuple(sorted((entry.row for entry in judged), key=_order)),
    )
    return status.cleaned(place.redactor.clean), seen


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
        path = next((found for entry in group if (found := seen.sweep_yamls.of(entry.link))), None)
        config = seen.sweep_yamls.configs.get(path or "", SweepConfig(path=""))
        active = {entry.row.job for entry in group if entry.link.job and entry.link.job.active}
        expected = _expected(group)
        issues = []
        if expected is not None and len(active) < expected:
            issues.append(f"under capacity: {len(active)} of {expected} agents")
        if config.path:
            target = any(entry.row.target_epochs or entry.row.target_steps for entry in group)
            links = [entry.link for entry in group]
            issues += [problem.text for problem in sweep_checks.problems(config, links, seen, has_target=target)]
        url = _url(sweep, group, seen)
        if url is None:
            issues.append("no link: the W&B entity or project is not known (set WANDB_ENTITY and WANDB_PROJECT)")
        issues.append("state unknown: the W&B service was not asked")
        rows.append(
            SweepRow(
                id=sweep,
                url=url,
                config=path.removeprefix(f"{seen.index.workspace}/") if path else None,
                name=config.name or _one_name(group),
                purpose=purpose.text[:300] if (purpose := context_of(config).purpose) else None,
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


def _one_name(group: list[Judged]) -> str | None:
    """The name of the sweep's jobs, where they all have the same."""
    names = {entry.link.job.name for entry in group if entry.link.job}
    return next(iter(names)) if len(names) == 1 else None


def _url(sweep: str, group: list[Judged], seen: Seen) -> str | None:
    entity, project = entity_and_project([entry.link for entry in group], seen)
    if not entity or not project:
        return None
    base = seen.settings.base_url.rstrip("/")
    return f"{base}/{quote(entity, safe='')}/{quote(project, safe='')}/sweeps/{quote(sweep, safe='')}"


def _expected(group: list[Judged]) -> int | None:
    """The smaller of an array's throttle and its tasks whose training is not finished, of the arrays in force.

    An array is in force while a task of it runs or waits; where none does, the last one submitted. Single jobs set
    no number of agents. A task that a later job went on with needs no agent of its own unless that job still lives.
    """
    arrays: dict[str, dict[str, Judged]] = defaultdict(dict)
    for entry in group:
        if entry.link.job and entry.link.job.task is not None:
            arrays[entry.link.job.array_id][entry.link.job.id] = entry
    if not arrays:
        return None
    jobs = {array: [entry.link.job for entry in tasks.values() if entry.link.job] for array, tasks in arrays.items()}
    in_force = [array for array in arrays if any(job.active or job.waiting for job in jobs[array])]
    in_force = in_force or [max(arrays, key=lambda array: max(job.submit or 0.0 for job in jobs[array]))]
    live = {entry.row.job for entry in group if entry.row.live}
    expected = 0
    for array in in_force:
        unfinished = sum(
            1 if entry.link.superseded_by is None else entry.link.superseded_by in live
            for entry in arrays[array].values()
            if not entry.finished
        )
        throttle = max((job.throttle or 0 for job in jobs[array]), default=0)
        expected += min(unfinished, throttle) if throttle else unfinished
    return expected
