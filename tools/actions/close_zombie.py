"""Closing a run that W&B calls running although nothing trains it, as far as the service lets anybody."""

from __future__ import annotations

from pydantic import Field

from tools.actions.service import ask, bound, is_mine, run_now, saw, send, silent_for, where
from tools.actions.world import read_world
from tools.acts import Action, Outcome, Proposal, Ran
from tools.base import ActArgs, ActTool, Context
from tools.diagnosis.consistency import STALE_S
from tools.sources import wandb_api, wandb_changes
from tools.sources.wandb_http import ServiceError


class CloseArgs(ActArgs):
    run: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")
    """W&B run id."""


def propose(context: Context, args: CloseArgs) -> tuple[Proposal, ...]:
    """Close a zombie: a run of this person's that W&B calls running, with no Slurm job and no heartbeat for 30 min. A
    run of a sweep can't be set to crashed by anybody; its stream is ended with exit code 1 instead, and W&B decides
    what to call it. Its checkpoints stay, so that it can be resumed. For several, call it once for each in a turn."""
    world = read_world(context)
    run, at = run_now(context, world, args.run)
    carrying = world.carrying(args.run, context.submitted)
    live, why = world.not_live((args.run,), context.submitted)
    waiting = [job.id for job in carrying if job.waiting]
    age = silent_for(context, world, run)
    told = "how long ago is not known" if age is None else f"last heartbeat {age // 60} min ago"
    mine, whose = is_mine(run, world)
    how = "end its stream (exit code 1): W&B lets nobody set the state of a run of a sweep"
    action = Action(
        verb="close",
        subject=args.run,
        names=(args.run,),
        within=(run.sweep,) if run.sweep else (),
        thing="run",
        identity=(("node", run.node), *where(world), ("sweep", run.sweep or ""), ("state", run.state)),
        change=((f"W&B run {args.run}", how if run.sweep else "state running → failed"),),
        shows=(f"{args.run}  {run.sweep or 'no sweep'}  {run.state} on W&B, {told}; its checkpoints stay",),
        pages=world.pages(args.run, run.sweep),
        says=args.says,
    )
    return (
        Proposal(
            action,
            (
                saw("running_there", args.run, run.state == "running", at, f"W&B says {run.state}"),
                saw("silent", args.run, None if age is None else age > STALE_S, at, told),
                saw("mine", args.run, mine, at, whose),
                world.saw("not_live", args.run, live, "squeue", why),
                world.saw("not_queued", args.run, not waiting, "squeue", f"job {waiting[0]}" if waiting else "no job"),
            ),
        ),
    )


def perform(context: Context, action: Action) -> Ran:
    """Say to the service what the run's own client would have said at its end."""
    entity, project, node = (bound(action, name) for name in ("entity", "project", "node"))
    if bound(action, "sweep"):
        return send(context, action, lambda remote: wandb_changes.end_stream(remote, entity, project, action.subject))
    return send(context, action, lambda remote: wandb_changes.fail_run(remote, node))


def settle(context: Context, action: Action, since: float, ran: Ran | None) -> Outcome:
    """What W&B calls it now."""
    entity, project, run = bound(action, "entity"), bound(action, "project"), action.subject
    try:
        found = ask(context, lambda remote: wandb_api.read_runs(remote, entity, project, [run]), action).get(run)
    except ServiceError as error:
        return Outcome("unknown", f"what W&B calls it now is not known: {error}")
    state = found.state if found else "gone"
    return Outcome("not_done" if state == "running" else "done", f"W&B calls it {state} now")


CLOSE_ZOMBIE_RUN = ActTool("close_zombie_run", CloseArgs, "close", propose, perform, settle)
