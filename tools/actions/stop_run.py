"""Stopping a live run through W&B: its client interrupts the training, as Ctrl-C would."""

from __future__ import annotations

from pydantic import Field

from tools.actions.evidence import checkpoint_of, going_on, lost_with, no_progress
from tools.actions.service import ask, bound, is_mine, run_now, saw, send, silent_for, where
from tools.actions.world import read_world
from tools.acts import Action, Outcome, Proposal, Ran
from tools.base import ActArgs, ActTool, Context
from tools.sources import wandb_api, wandb_changes
from tools.sources.wandb_http import ServiceError
from tools.text import one_line

HEARD_S = 300
"""A run whose last heartbeat is older hears nothing: its client sends one every 30 s (measured)."""


class StopRunArgs(ActArgs):
    run: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")
    """W&B run id."""


def propose(context: Context, args: StopRunArgs) -> tuple[Proposal, ...]:
    """Ask a live run to stop, through W&B: its client interrupts the training within about 15 s; its Slurm job ends
    with it, unless its agent takes the sweep's next run. The program checks that it is alive and makes no progress (or
    that the person typed its id), shows what is lost, asks, and reads back what came of it."""
    world = read_world(context)
    run, at = run_now(context, world, args.run)
    rows = [row for row in world.rows(run=args.run) if not row.superseded]
    row = next((row for row in rows if row.live), rows[0] if rows else None)
    age = silent_for(context, world, run)
    alive = None if age is None else run.state == "running" and age < HEARD_S
    told = "no heartbeat is known" if age is None else f"{run.state}, last heartbeat {age} s ago"
    mine, whose = is_mine(run, world)
    stalled, why = no_progress(row)
    known, saved = checkpoint_of(row)
    job = f"  job {row.job}" if row and row.job else "  no job of yours here has it"
    action = Action(
        verb="stop",
        subject=args.run,
        names=tuple(filter(None, (args.run, row.job if row else None))),
        within=(run.sweep,) if run.sweep else (),
        thing="run",
        identity=(("node", run.node), *where(world), ("job", (row.job if row else None) or "")),
        change=((f"W&B run {args.run}", "is asked to stop"),),
        shows=(
            f"run {args.run}  {one_line(run.name or '', 40)!r}{job}  {told}",
            *going_on(row),
            *((f"job {row.job} ends with it, unless its agent takes the sweep's next run",) if row and row.job else ()),
            lost_with(row),
        ),
        pages=world.pages(args.run, run.sweep),
        says=args.says,
    )
    return (
        Proposal(
            action,
            (
                saw("alive", args.run, alive, at, told),
                saw("mine", args.run, mine, at, whose),
                world.saw("checkpoint_known", args.run, known, "checkpoints", saved),
                world.saw("not_progressing", args.run, stalled, "logs", why),
            ),
        ),
    )


def perform(context: Context, action: Action) -> Ran:
    """Leave the wish to stop with the service."""
    return send(context, action, lambda remote: wandb_changes.stop_run(remote, bound(action, "node")))


def settle(context: Context, action: Action, since: float, ran: Ran | None) -> Outcome:
    """Whether it ended, or the service holds the wish: the run's client asks for that every 15 s."""
    entity, project, run = bound(action, "entity"), bound(action, "project"), action.subject
    try:
        found = ask(context, lambda remote: wandb_api.read_runs(remote, entity, project, [run]), action).get(run)
        if found and found.state != "running":
            return Outcome("done", f"it is {found.state} now")
        asked = ask(context, lambda remote: wandb_api.stop_asked(remote, entity, project, run), action)
    except ServiceError as error:
        return Outcome("unknown", f"whether it stops is not known: {error}")
    if asked:
        return Outcome(
            "done",
            "W&B holds the wish to stop; its client asks every 15 s, then interrupts it; its job may end with it",
        )
    return Outcome("not_done", "W&B holds no wish to stop it")


STOP_RUN = ActTool("stop_run", StopRunArgs, "stop", propose, perform, settle)
