"""The rows of the sweeps: state, agents, zombies, and what is wrong with each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tools import sweep_checks
from tools.diagnosis.consistency import is_stale, is_zombie
from tools.diagnosis.context import purpose_of
from tools.look import Seen
from tools.rows import Judged
from tools.run_states import queue_read
from tools.run_values import page
from tools.sources import slurm
from tools.status import SweepRow
from tools.wandb_data import ServerSweep, SweepConfig

ACCEPTING = frozenset(("RUNNING", "PENDING"))
"""States of a sweep that gives an agent a run."""
OVER = frozenset(("FINISHED", "CANCELED", "CANCELLED", "STOPPED", "CRASHED", "FAILED"))
"""States of a sweep that gives its agents no more runs."""


def sweep_rows(judged: Sequence[Judged], seen: Seen) -> tuple[SweepRow, ...]:
    """One row for each sweep that a run or job here is of, and for each new one that no agent has begun."""
    groups: dict[str, list[Judged]] = defaultdict(list)
    for entry in judged:
        if entry.row.sweep:
            groups[entry.row.sweep].append(entry)
    told = seen.served.project.sweeps if seen.served else {}
    new = {sweep for sweep, entry in told.items() if sweep not in groups and _is_new(entry, seen.at)}
    return tuple(_row(sweep, groups[sweep], told.get(sweep), seen) for sweep in sorted({*groups, *new}))


def _is_new(told: ServerSweep, now: float) -> bool:
    return told.state in ACCEPTING and told.runs == 0 and now - (told.created or 0.0) < slurm.WINDOW_DAYS * 86_400


def _row(sweep: str, group: Sequence[Judged], told: ServerSweep | None, seen: Seen) -> SweepRow:
    path = next((found for entry in group if (found := seen.sweep_yamls.of(entry.link))), None)
    config = seen.sweep_yamls.configs.get(path or "", SweepConfig(path=""))
    active = {entry.row.job for entry in group if entry.link.job and entry.link.job.active}
    expected = _expected(group)
    zombies, stale = _zombies(group, seen), _stale(group, seen)
    url = _url(sweep, group, seen)
    issues = list(_agents(group, active, expected, told))
    them = "them" if zombies and len(zombies) > 1 else "it"
    issues += [f"zombies: {_listed(zombies)} running on W&B, and no job has {them}"] if zombies else []
    issues += [f"stale: {_listed(stale)} sent no heartbeat for over 30 min"] if stale else []
    if config.path:
        target = any(entry.row.target_epochs or entry.row.target_steps for entry in group)
        links = [entry.link for entry in group]
        issues += [problem.text for problem in sweep_checks.problems(config, links, seen, has_target=target)]
    if url is None:
        issues.append("no link: the W&B entity or project is not known (set WANDB_ENTITY and WANDB_PROJECT)")
    if told is None:
        asked = "the W&B service does not list it" if seen.served else "the W&B service was not asked"
        issues.append(f"state unknown: {asked}")
    purpose = purpose_of(config)
    about = purpose.text if purpose else told.description if told else None
    return SweepRow(
        id=sweep,
        url=url,
        config=path.removeprefix(f"{seen.index.workspace}/") if path else None,
        name=config.name or _one_name(group) or (told.shown if told else None),
        purpose=about[:300] if about else None,
        method=config.method or (told.method if told else None),
        state=told.state if told else None,
        expected_agents=expected,
        active_agents=len(active),
        zombies=len(zombies) if zombies is not None else None,
        stale=len(stale) if stale is not None else None,
        issues=tuple(issues),
    )


def _agents(
    group: Sequence[Judged], active: Iterable[str | None], expected: int | None, told: ServerSweep | None
) -> Iterable[str]:
    """What is wrong with the number of its agents, or with what they do."""
    active = set(active)
    if told and told.state in OVER:
        training = {entry.row.job for entry in group if entry.row.live}
        if idle := sorted(job for job in active - training if job):
            yield f"idle: the sweep is {told.state} and gives no more runs, yet {_listed(idle)} still runs"
        return
    if told and told.runs == 0 and not group:
        yield "no agent has begun a run of it"
    if expected is not None and len(active) < expected:
        yield f"under capacity: {len(active)} of {expected} agents"
    if told and told.state == "PAUSED":
        yield "paused: agents get no new runs until the sweep is resumed"


def _zombies(group: Sequence[Judged], seen: Seen) -> list[str] | None:
    """Runs of this user that W&B calls running and nothing trains; None where the service or the queue was not read."""
    if seen.served is None or not queue_read(seen):
        return None
    viewer = seen.served.project.viewer
    return [
        row.run
        for row in (entry.row for entry in group)
        if row.run
        and not row.superseded
        and row.run in seen.served.runs
        and (row.job is not None or (viewer is not None and seen.served.runs[row.run].owner == viewer))
        and is_zombie(row.wandb_state, row.slurm_state, row.heartbeat_age_s)
    ]


def _stale(group: Sequence[Judged], seen: Seen) -> list[str] | None:
    """Runs whose job is active and whose heartbeats stopped."""
    if seen.served is None:
        return None
    rows = [entry.row for entry in group if not entry.row.superseded]
    return [row.run for row in rows if row.run and is_stale(row.wandb_state, row.slurm_state, row.heartbeat_age_s)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _one_name(group: Sequence[Judged]) -> str | None:
    """The name of the sweep's jobs, where they all have the same."""
    names = {entry.link.job.name for entry in group if entry.link.job}
    return next(iter(names)) if len(names) == 1 else None


def _url(sweep: str, group: Sequence[Judged], seen: Seen) -> str | None:
    return page([entry.link for entry in group], seen, "sweeps", sweep)


def _expected(group: Sequence[Judged]) -> int | None:
    """The smaller of an array's throttle and its tasks whose training is not finished, of the arrays in force.

    An array is in force while a task of it runs or waits; where none does, the last one submitted. Single jobs set
    no number of agents. A task that a later job went on with needs no agent of its own unless that job still lives;
    what was launched to make up for dead tasks makes no more of them.
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
    return expected - _stood_in([arrays[array] for array in in_force])


def _stood_in(arrays: Sequence[Mapping[str, Judged]]) -> int:
    """Dead tasks that tasks of a later array stand in for: those were submitted after the others had died."""
    found = 0
    for tasks in arrays:
        jobs = [entry.link.job for entry in tasks.values() if entry.link.job]
        began = min((job.submit for job in jobs if job.submit is not None), default=None)
        others = (entry for other in arrays if other is not tasks for entry in other.values() if not entry.finished)
        ends = [entry.link.job.end for entry in others if entry.link.job and entry.link.superseded_by is None]
        dead = sum(end is not None and began is not None and end <= began for end in ends)
        found += min(len(jobs), max(0, dead - found))
    return found
