"""Restarting a sweep from nothing: the last resort, since what its runs trained is left behind."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pydantic import Field

from tools.actions import cancel_sweep, wandb_program
from tools.actions.create_sweep import checks, config_of, named_so, new_sweep, not_mended, program_for
from tools.actions.service import away, saw, sweep_now, where
from tools.actions.world import read_world
from tools.acts import Action, Outcome, Proposal, Ran
from tools.base import ActArgs, ActTool, Context, Denied
from tools.diagnosis.naming import job_name
from tools.sources.wandb_http import ServiceError
from tools.status import RunRow

LISTED = 12
"""So many runs that are left behind are named in a request, the most trained first."""


class RestartArgs(ActArgs):
    sweep: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    """Sweep id."""


def propose(context: Context, args: RestartArgs) -> tuple[Proposal, ...]:
    """Begin a sweep anew from its config: a new sweep is made first, then the old one's jobs are cancelled one by one
    and the old sweep is cancelled on W&B. Resume first: where any run could be resumed or trains, the person must
    type how many epochs of how many runs are left behind. Agents of the new sweep are started by launch_agents."""
    world = read_world(context)
    found, at = sweep_now(context, world, args.sweep)
    row = next((row for row in world.status.sweeps if row.id == args.sweep), None)
    if row is None or row.config is None:
        raise Denied(f"no config of sweep {args.sweep} is in this workspace, so it can't be begun anew")
    config = config_of(row.config, world)
    name = job_name(row.config)
    runs = [one for one in world.status.runs if one.sweep == args.sweep and not one.superseded and one.owner is None]
    elsewhere = away(args.sweep, world)
    trained = [one for one in runs if worth(one) or one.run in elsewhere]
    trained.sort(key=lambda one: (one.epoch or 0.0, one.step or 0, one.live), reverse=True)
    loss = lost(trained)
    jobs, doubtful = cancel_sweep.jobs_of(args.sweep, world)
    ending = {job.id for job in jobs}
    first = (f"makes a new sweep {name} of {row.config} first, then ends {args.sweep}",)
    then = (
        *cancel_sweep.left_out(doubtful),
        *not_mended(row.config, config, world),
        f"{'resuming would keep all of that' if trained else 'no run of it could be resumed'}; "
        "checkpoints stay on disk; no agents start",
    )
    left = [_named(one, elsewhere, ending) for one in trained[:LISTED]]
    left += [f"{lost(trained[LISTED:])} more, none further"] if len(trained) > LISTED else []
    action = Action(
        verb="restart",
        subject=args.sweep,
        names=(args.sweep, row.config),
        thing="sweep",
        identity=(
            ("sweep", found.node),
            *where(world),
            ("state", found.state),
            ("config", row.config),
            ("name", name),
            *named_so(name, world),
            ("left behind", " ".join(one.run or "?" for one in trained)),
            *cancel_sweep.started(jobs),
        ),
        program=program_for(row.config, name, world, context.place),
        change=cancel_sweep.changes(args.sweep, found.state, jobs),
        confirm=f"lose {loss} of {args.sweep}" if trained else f"restart sweep {args.sweep}",
        shows=(*first, *(f"LEFT BEHIND  {line}" for line in left), *then),
        brief=(*first, *((f"LEFT BEHIND  {'; '.join(left)}",) if left else ()), *then),
        pages=world.pages(None, args.sweep),
        says=args.says,
    )
    unknown = [one.run or "?" for one in runs if one.resumable == "unknown"]
    told = f"{len(trained)} runs have something to keep" if trained else "none could be resumed, and none trains"
    return (
        Proposal(
            action,
            (
                *checks(args.sweep, config, world, replaces=args.sweep),
                *(one for one in cancel_sweep.seen_of(found, jobs, world, context) if one.kind != "checkpoint_known"),
                world.saw(
                    "checkpoint_known", args.sweep, not unknown, "checkpoints", ", ".join(unknown[:3]) or "of every run"
                ),
                world.saw("nothing_to_resume", args.sweep, not trained, "checkpoints", told),
                saw("loss_is_typed", args.sweep, bool(trained) and loss in action.confirm, at, loss),
            ),
        ),
    )


def perform(context: Context, action: Action) -> Ran:
    """The new sweep first; the old one is touched only when that is there."""
    began = context.clock()
    made = wandb_program.perform(context, action)
    if made.code != 0:
        return Ran(made.code, made.out, f"{made.err}; the old sweep was left as it is", made.seconds)
    try:
        there = new_sweep(context, action, began)
    except ServiceError as error:
        return Ran(1, made.out, f"whether the new sweep is there is not known ({error}); the old one was left as it is")
    if there is None:
        return Ran(1, made.out, "the new sweep is not there; the old one was left as it is", made.seconds)
    ended = cancel_sweep.perform(context, action)
    return Ran(ended.code, made.out + ended.out, ended.err, made.seconds + ended.seconds)


def settle(context: Context, action: Action, since: float, ran: Ran | None) -> Outcome:
    """Whether the new sweep is there, and the old one ended."""
    try:
        made = new_sweep(context, action, since)
    except ServiceError as error:
        return Outcome("unknown", f"whether the new sweep is there is not known: {error}")
    if made is None:
        return Outcome("not_done", "no new sweep is there; the old one was left as it is")
    old = cancel_sweep.settle(context, action, since, ran)
    text = f"new sweep {made.sweep} is {made.state} and has no agents yet; of the old one {old.text}"
    return Outcome(old.state, text)


RESTART_SWEEP = ActTool("restart_sweep", RestartArgs, "restart", propose, perform, settle)


def worth(row: RunRow) -> bool:
    """Whether a run has something that a restart would leave behind: it trains, or its checkpoint loads."""
    loads = row.checkpoint is not None and row.checkpoint.loadable
    return row.live or row.resumable in ("yes", "maybe") or (loads and row.cause != "none")


def lost(runs: Sequence[RunRow]) -> str:
    """What is left behind, as the person must type it."""
    epochs = sum(row.epoch or 0.0 for row in runs)
    steps = sum(row.step or 0 for row in runs if row.epoch is None)
    count = f"{len(runs)} run{'' if len(runs) == 1 else 's'}"
    return f"{epochs:.0f} epochs in {count}" if epochs or not steps else f"{steps} steps in {count}"


def _named(row: RunRow, elsewhere: Collection[str], ending: Collection[str]) -> str:
    """How far a run that is left behind has come, and what becomes of it."""
    reached = f"epoch {row.epoch:g}" if row.epoch is not None else f"step {row.step}" if row.step is not None else "?"
    state = row.cause.replace("_", " ") + (", resumable" if row.resumable == "yes" else "")
    if row.live or row.run in elsewhere:
        state = "DIVERGED (loss is not finite)" if row.health == "diverged" else "trains now"
        if row.run in elsewhere:
            state += ", no job here has it: W&B ENDS it"
        else:
            state += f", {row.job} is CANCELLED" if row.job in ending else f": W&B ENDS it, not its job {row.job}"
    return f"{row.run} {reached} {state}"
