"""Queue and accounting brought together: one entry a job or array task, with its earlier incarnations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from tools.compact import compact
from tools.data import Job


@compact
class History:
    """One job or array task: its latest incarnation and the ones before it."""

    job: Job
    earlier: tuple[Job, ...] = ()


def histories(queue: Sequence[Job] | None, accounting: Sequence[Job] | None) -> tuple[History, ...]:
    """Queue and accounting brought together, one entry a job id, newest submission first.

    The queue knows what is now, accounting knows how it ended. ``None`` means the source could not be read.
    """
    rows: dict[str, list[Job]] = defaultdict(list)
    for job in accounting or ():
        rows[job.id].append(job)
    for group in rows.values():
        if len(group) > 1:
            group.sort(key=lambda job: (job.start or job.submit or 0.0, job.submit or 0.0))
    found: dict[str, History] = {}
    for job in queue or ():
        before = rows.pop(job.id, [])
        found[job.id] = _with_queue(job, before)
    for job_id, group in rows.items():
        latest = group[-1]
        if len(group) == 1:
            found[job_id] = History(latest)
            continue
        if latest.array_size is not None:
            latest = next(job for job in reversed(group) if job.array_size is None)
        found[job_id] = History(latest, tuple(job for job in group if job is not latest))
    return tuple(sorted(found.values(), key=_order))


def _with_queue(job: Job, before: list[Job]) -> History:
    same = before[-1] if before and _same_start(job, before[-1]) else None
    if same is None:
        return History(job, tuple(before))
    over = not job.active and not job.waiting
    # not replace(): it takes twice as long, and most live jobs come through here
    merged = Job(
        id=job.id,
        raw_id=job.raw_id,
        name=job.name,
        user=job.user,
        state=same.state if over and not same.active and not same.waiting else job.state,
        source=job.source,
        reason=job.reason,
        exit_code=same.exit_code if over else None,
        cancelled_by=same.cancelled_by,
        submit=job.submit,
        start=job.start,
        end=same.end if over else None,
        elapsed_s=same.elapsed_s if over else job.elapsed_s,
        limit_s=job.limit_s if job.limit_s is not None else same.limit_s,
        restarts=job.restarts,
        partition=job.partition,
        nodes=job.nodes,
        gpus=same.gpus,
        memory=same.memory,
        node_count=same.node_count,
        workdir=job.workdir,
        stdout=job.stdout or same.stdout,
        stderr=job.stderr if job.stdout else same.stderr,
        command=same.command or job.command,
        throttle=job.throttle,
        array_size=job.array_size,
    )
    return History(merged, tuple(before[:-1]))


def _same_start(job: Job, row: Job) -> bool:
    """The accounting row of the incarnation that the queue shows, not of the one before a requeue."""
    if job.waiting:
        return row.waiting
    return job.start is None or row.start is None or abs(job.start - row.start) <= 5


def _order(entry: History) -> tuple[float, int, int]:
    array, _, task = entry.job.id.partition("_")
    return -(entry.job.submit or 0.0), int(array), int(task or -1)
