"""Ending a whole sweep on both sides, as a changed config asks for: its Slurm tasks one by one, then W&B."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import Field

from tools.actions import programs
from tools.actions.evidence import checkpoint_of, lost_with
from tools.actions.service import ask, away, bound, others_live, saw, send, served, sweep_is_mine, sweep_now, where
from tools.actions.world import World, read_queue, read_world
from tools.acts import Action, Observation, Outcome, Proposal, Ran
from tools.base import ActArgs, ActTool, Context, Denied
from tools.data import Job
from tools.diagnosis.join import Link
from tools.sources import wandb_api, wandb_changes
from tools.sources.wandb_http import ServiceError
from tools.sweep_rows import OVER
from tools.text import one_line, visible
from tools.wandb_data import ServerSweep

MOST = 40
"""Tasks that one approval may end."""
SETTLE_S = 6.0
_SHOWN = 6


class CancelSweepArgs(ActArgs):
    sweep: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    """Sweep id."""
    reason: str = Field(min_length=3, max_length=160)
    """Why, such as the config key that was wrong: it goes into ACTIVE_SWEEPS.md."""


def propose(context: Context, args: CancelSweepArgs) -> tuple[Proposal, ...]:
    """End a sweep on both sides, for a change of its config: every job and array task of it that runs or waits is
    cancelled by its own id, then the sweep on W&B. Only where the person typed the sweep's id. What is lost of each run
    is shown; the steps that follow (a new sweep, new agents) are listed. The document gets the reason."""
    world = read_world(context)
    found, _ = sweep_now(context, world, args.sweep)
    jobs, doubtful = jobs_of(args.sweep, world)
    if not jobs and found.state in OVER:
        raise Denied(f"sweep {args.sweep} is {found.state}, and no job of it runs or waits: there is nothing to end")
    reason = one_line(visible(context.place.redactor.clean(args.reason)), 160)
    action = Action(
        verb="end",
        subject=args.sweep,
        names=(args.sweep,),
        thing="sweep",
        identity=(("sweep", found.node), *where(world), ("state", found.state), ("reason", reason), *started(jobs)),
        change=changes(args.sweep, found.state, jobs),
        confirm=f"cancel sweep {args.sweep}",
        shows=(
            f"reason, for ACTIVE_SWEEPS.md: {reason}",
            *losses(jobs, world),
            *ended_elsewhere(args.sweep, world),
            *left_out(doubtful),
            "then: create_sweep with the mended config, launch_agents",
        ),
        pages=world.pages(None, args.sweep),
        says=args.says,
    )
    return (Proposal(action, seen_of(found, jobs, world, context)),)


def perform(context: Context, action: Action) -> Ran:
    """Each task by its id, read once more just before; then the sweep. One that can't be cancelled, or is another job
    by now, keeps the sweep as it is."""
    approved = dict(zip(bound(action, "jobs").split(), bound(action, "starts").split(), strict=True))
    for job, start in approved.items():
        try:
            now = {one.id: one for one in read_queue(context) if one.active or one.waiting}
            program = programs.scancel(job, context.place)
        except Denied as why:
            return Ran(1, err=f"{why}; the sweep on W&B was left as it is")
        if job not in now:
            continue  # it has ended by itself
        if _stamp(now[job]) != start:
            return Ran(1, err=f"{job} was started anew since the approval; the sweep on W&B was left as it is")
        ran = programs.run(context, program)
        if ran.code != 0:
            return Ran(ran.code, ran.out, f"{job}: {ran.err}; the sweep on W&B was left as it is", ran.seconds)
    return end_on_wandb(context, action)


def end_on_wandb(context: Context, action: Action) -> Ran:
    """Cancel the sweep that the action is bound to."""
    entity, project, node = (bound(action, name) for name in ("entity", "project", "sweep"))
    return send(
        context, action, lambda remote: wandb_changes.set_sweep_state(remote, entity, project, node, "CANCELED")
    )


def settle(context: Context, action: Action, since: float, ran: Ran | None) -> Outcome:
    """Which of its tasks are gone from the queue, and what W&B calls the sweep."""
    left = _still_there(context, action)
    try:
        entity, project = bound(action, "entity"), bound(action, "project")
        found = ask(context, lambda remote: wandb_api.read_sweep(remote, entity, project, action.subject), action)
    except ServiceError as error:
        return Outcome("unknown", f"what W&B calls it now is not known: {error}")
    state = found.state if found else "gone"
    if left is None:
        return Outcome("unknown", f"W&B calls it {state}; the queue can't be read")
    jobs = bound(action, "jobs").split()
    told = f"{len(jobs) - len(left)} of {len(jobs)} jobs ended" + (
        f", still there: {', '.join(left[:5])}" if left else ""
    )
    done = not left and state in OVER
    return Outcome("done" if done else "not_done", f"{told}; W&B calls it {state}")


CANCEL_SWEEP = ActTool("cancel_sweep", CancelSweepArgs, "end", propose, perform, settle)


def jobs_of(sweep: str, world: World) -> tuple[list[Job], list[str]]:
    """The jobs and array tasks of the queue that belong to the sweep, and the ids of those that only a log's words tie
    to it: what a program prints names no target by itself."""
    links: dict[str, list[Link]] = {}
    for link in world.seen.links:
        if link.job:
            links.setdefault(link.job.id, []).append(link)
    sure: list[Job] = []
    doubtful: list[Job] = []
    for job in world.queue:
        own = links.get(job.id, ())
        now = [link for link in own if link.current] or own[-1:]  # it may have gone on to another sweep
        if (job.active or job.waiting) and any(link.sweep == sweep for link in now):
            said = any(_second_source(link, sweep, world) for link in own if link.sweep == sweep)
            (sure if said else doubtful).append(job)
    return sure, [job.id for job in doubtful]


def _second_source(link: Link, sweep: str, world: World) -> bool:
    """Whether Slurm, W&B or W&B's files say too that the job is of the sweep."""
    words = set(re.split(r"[\s/=,:;'\"]+", link.job.command)) if link.job else set()
    told = served(world).runs.get(link.run or "")
    on_disk = any(folder.sweep == sweep for folder in link.run_dirs) or (link.params and link.params.sweep == sweep)
    scripted = link.job is not None and world.seen.script_sweeps.get(link.job.id) == sweep
    return bool(sweep in words or on_disk or scripted or (told and told.sweep == sweep))


def started(jobs: Sequence[Job]) -> tuple[tuple[str, str], ...]:
    """What each job is now: another start of the same id is another job."""
    return (("jobs", " ".join(job.id for job in jobs)), ("starts", " ".join(map(_stamp, jobs))))


def _stamp(job: Job) -> str:
    start = 0.0 if job.waiting else job.start or 0.0  # of a waiting one it is a guess
    return f"{job.id}@{job.submit or 0:.0f}/{start:.0f}/{job.restarts}"


def changes(sweep: str, state: str, jobs: Sequence[Job]) -> tuple[tuple[str, str], ...]:
    """What is done, for the request: the jobs on one line."""
    ids = " ".join(job.id for job in jobs)
    first = ((f"scancel each of {len(jobs)}", ids),) if jobs else ()
    return (*first, (f"W&B sweep {sweep}", f"state {state} → CANCELED"))


def losses(jobs: Sequence[Job], world: World) -> list[str]:
    """What ending each job costs, the furthest first."""
    rows = [row for job in jobs for row in world.rows(job=job.id) if row.live]
    rows.sort(key=lambda row: -(row.percent or 0.0))
    lines = [
        f"{row.job}  {row.run or 'no run'}  {f'{int(row.percent)} %' if row.percent is not None else '? %'}  "
        f"{lost_with(row)}"
        for row in rows[:_SHOWN]
    ]
    return lines + ([f"and {len(rows) - _SHOWN} more that train"] if len(rows) > _SHOWN else [])


def ended_elsewhere(sweep: str, world: World) -> list[str]:
    """Which runs W&B ends that no job here trains."""
    runs = sorted(away(sweep, world))
    return [f"ENDS too, no job here has them: {', '.join(runs[:5])}{' …' * (len(runs) > 5)}"] if runs else []


def left_out(doubtful: Sequence[str]) -> list[str]:
    """Which jobs are left alone, since nothing but their log's words ties them to the sweep."""
    if not doubtful:
        return []
    return [f"NOT cancelled: {', '.join(doubtful[:5])}: only the log says it is of this sweep; name it to cancel it"]


def seen_of(found: ServerSweep, jobs: Sequence[Job], world: World, context: Context) -> tuple[Observation, ...]:
    """What ending a sweep needs to have been seen. Raises Denied where nothing could be cancelled."""
    if jobs:
        programs.find("scancel", context.place)
    sweep = found.sweep
    mine_there, whose = sweep_is_mine(found, world)
    rows = [row for job in jobs for row in world.rows(job=job.id) if row.live]
    unknown = [row.run or "?" for row in rows if checkpoint_of(row)[0] is None]
    foreign = [job.id for job in jobs if job.user != context.place.user]
    others = others_live(sweep, world)
    return (
        world.saw(
            "mine", sweep, mine_there and not foreign, "squeue", f"job {foreign[0]} is not" if foreign else whose
        ),
        world.saw("few_enough", sweep, len(jobs) <= MOST, "squeue", f"{len(jobs)} jobs"),
        world.saw("checkpoint_known", sweep, not unknown, "checkpoints", ", ".join(unknown[:3]) or "all looked for"),
        saw("no_other_owner", sweep, not others, world.seen.at, ", ".join(others[:3]) or "no live run of others"),
    )


def _still_there(context: Context, action: Action) -> list[str] | None:
    """Its jobs that are in the queue still, after a few seconds; None where the queue can't be read."""
    wanted = set(bound(action, "jobs").split())
    until = context.clock() + SETTLE_S
    while True:
        try:
            queue = read_queue(context)
        except Denied:
            return None
        alive = [one for one in queue if (one.active or one.waiting) and one.state != "COMPLETING"]
        left = [one.id for one in alive if one.id in wanted]
        if not left or context.clock() >= until:
            return left
        context.sleep(0.5)
