"""Cancelling one job or one array task: the narrowest act there is, with what shows that it is right."""

from __future__ import annotations

from tools.actions.evidence import checkpoint_of, going_on, lost_with, no_progress
from tools.actions.programs import perform, scancel
from tools.actions.world import World, read_queue, read_world
from tools.acts import Action, Observation, Outcome, Proposal, Ran
from tools.base import ActArgs, ActTool, Context, Denied
from tools.data import Job
from tools.slurm_tools import JobId
from tools.status import RunRow
from tools.text import duration, one_line, some, visible

SETTLE_S = 6.0
"""How long a cancelled job is watched: scancel returns at once, a job may take its KillWait (30 s) to end."""


class ScancelArgs(ActArgs):
    job_id: JobId
    """One job or one array task, such as 48213_7; never a whole array, a range or a list."""


def propose(context: Context, args: ScancelArgs) -> tuple[Proposal, ...]:
    """Cancel one job or array task. The program checks that it is in the queue, the user's own and makes no progress
    (or that the person typed its id), then asks the person, cancels, and reports what is so. Call it only when
    cancelling is what the person wants or needs; a denial tells what is missing."""
    world = read_world(context)
    job_id = args.job_id
    tasks = [job.id for job in world.queue if job.array_id == job_id and job.task is not None]
    known = [row.job for row in world.status.runs if row.job and row.job.startswith(f"{job_id}_")]
    if tasks or known:
        raise Denied(
            f"{job_id} names a whole array ({len({*tasks, *known})} tasks): only one task is cancelled at a time, and "
            f"which one is the person's to say. In the queue: {some(tasks)}"
        )
    job = world.job(job_id)
    if job is None:
        raise Denied(_not_there(job_id, world))
    rows = [row for row in world.rows(job=job_id) if row.live or not row.superseded]
    row = next((row for row in rows if row.live), rows[0] if rows else None)
    siblings = [other for other in world.queue if other.task is not None and other.array_id == job.array_id]
    others = tuple((other.id, other.state) for other in siblings if other.id != job_id)
    action = Action(
        verb="cancel",
        subject=job_id,
        names=tuple(filter(None, (job_id, row.run if row else None))),
        within=(row.sweep,) if row and row.sweep else (),
        thing="job",
        identity=_identity(job),
        program=scancel(job_id, context.place),
        shows=_shown(job, row, len(others)),
        pages=world.pages(row.run if row else None, row.sweep if row else None),
        keeps=others,
        together=(row.sweep if row else None) or job_id,
        says=args.says,
    )
    return (Proposal(action, _seen(job, row, world, context.place.user)),)


def settle(context: Context, action: Action, since: float, ran: Ran | None) -> Outcome:
    """What is so of the job and its siblings, whatever scancel said."""
    until = context.clock() + SETTLE_S
    while True:
        try:
            queue = {job.id: job for job in read_queue(context)}
        except Denied as error:
            return Outcome("unknown", f"whether it ended is not known: {error}")
        job = queue.get(action.subject)
        same = job is not None and _identity(job) == action.identity
        if not (same and job is not None and (job.active or job.waiting) and job.state != "COMPLETING"):
            break
        if context.clock() >= until:
            return Outcome("not_done", f"still {job.state}")
        context.sleep(0.5)
    told = "no longer in the queue" if job is None else job.state if same else "ended; it was requeued since"
    return Outcome("done", f"{told}. {_siblings(action, queue)}".strip())


SCANCEL = ActTool("scancel_with_approval", ScancelArgs, "cancel", propose, perform, settle)


def _identity(job: Job) -> tuple[tuple[str, str], ...]:
    """Another start of the same id is another job; ids are used again after a while."""
    start = f"{job.start:.0f}" if job.start is not None and not job.waiting else ""
    return (
        ("job", job.id),
        ("user", job.user),
        ("name", job.name),
        ("submitted", f"{job.submit or 0:.0f}"),
        ("started", start),
        ("restarts", str(job.restarts)),
    )


def _not_there(job_id: str, world: World) -> str:
    of_raw = next((job.id for job in world.queue if job.raw_id == job_id), None)
    if of_raw:
        return f"{job_id} is Slurm's own number of {of_raw}: name it as {of_raw}"
    ended = next((row for row in world.rows(job=job_id) if row.slurm_state), None)
    if ended:
        return f"{job_id} is {ended.slurm_state}: it is not in the queue, so there is nothing to cancel"
    return f"{job_id} is no job of yours in the queue now. Another user's job is never touched"


def _seen(job: Job, row: RunRow | None, world: World, user: str) -> tuple[Observation, ...]:
    alive = job.active or job.waiting
    stalled, why = no_progress(row)
    known, told = checkpoint_of(row)
    return (
        world.saw("queued", job.id, alive, "squeue", f"{job.state}{f' on {job.nodes}' if job.nodes else ''}"),
        world.saw("mine", job.id, job.user == user, "squeue", f"owner {job.user}"),
        world.saw("one_task", job.id, True, "squeue", f"{'array task' if job.task else 'job'} {job.id}"),
        world.saw("checkpoint_known", job.id, known, "checkpoints", told),
        world.saw("not_progressing", job.id, stalled, "logs", why),
    )


def _shown(job: Job, row: RunRow | None, others: int) -> tuple[str, ...]:
    told = f"user {job.user}  {job.state} {duration(job.elapsed_s)} {job.nodes}".rstrip()
    lines = [f"job {job.id}  {one_line(visible(job.name), 40)!r}  {told}"]
    if row is not None and row.run is not None:
        where = f"epoch {row.epoch:g}" if row.epoch is not None else "epoch unknown"
        where += f" of {row.target_epochs:g}" if row.target_epochs else ""
        where += f" ({int(row.percent)} %)" if row.percent is not None else ""
        lines.append(f"run {row.run}{f' of sweep {row.sweep}' if row.sweep else ''}  {where}")
    lines += going_on(row)
    if others or job.task is not None:
        lines.append(f"NOT touched: {others} other task{'' if others == 1 else 's'} of array {job.array_id}")
    waits = "loses its place in the queue; it trains nothing now"
    lines.append(waits if job.waiting else lost_with(row))
    return tuple(lines)


def _siblings(action: Action, queue: dict[str, Job]) -> str:
    if not action.keeps:
        return ""
    there = [job_id for job_id, _ in action.keeps if job_id in queue and queue[job_id].state != "CANCELLED"]
    gone = [job_id for job_id, _ in action.keeps if job_id not in there]
    text = f"{len(there)} other task{'' if len(there) == 1 else 's'} of its array untouched"
    return f"{text[0].upper()}{text[1:]}." if not gone else f"{text}; no longer in the queue: {', '.join(gone[:5])}."
