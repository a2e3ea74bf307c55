"""Pausing, resuming, stopping or cancelling a sweep on W&B, with what that does to its live runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from tools.actions.service import ask, away, bound, others_live, saw, send, sweep_is_mine, sweep_now, where
from tools.actions.world import read_world
from tools.acts import Action, Outcome, Proposal, Ran
from tools.base import ActArgs, ActTool, Context, Denied
from tools.sources import wandb_api, wandb_changes
from tools.sources.wandb_changes import SweepState
from tools.sources.wandb_http import ServiceError
from tools.status import RunRow
from tools.text import one_line
from tools.wandb_data import ServerSweep

Change = Literal["pause", "resume", "stop", "cancel"]
STATES: Mapping[Change, SweepState] = {"pause": "PAUSED", "resume": "RUNNING", "stop": "FINISHED", "cancel": "CANCELED"}
# What the client itself lets through (wandb 0.31, `wandb sweep --pause|--resume|--stop|--cancel`).
FROM: Mapping[Change, frozenset[str]] = {
    "pause": frozenset(("RUNNING", "PENDING")),
    "resume": frozenset(("PAUSED", "FINISHED", "STOPPED", "CRASHED")),
    "stop": frozenset(("RUNNING", "PAUSED", "PENDING")),
    "cancel": frozenset(("RUNNING", "PAUSED", "PENDING")),
}
_EFFECT: Mapping[Change, str] = {
    "pause": "agents get no new runs until the sweep is resumed",
    "resume": "agents that run or are launched get runs again",
    "stop": "agents get no new runs and end with the run they have",
    "cancel": "agents END their runs at once; their Slurm jobs end after that",
}
MAX_SHOWN = 5


class SweepStateArgs(ActArgs):
    sweep: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    """Sweep id."""
    change: Change
    """pause: no new runs; resume: after a pause; stop: no new runs, live ones finish; cancel: live ones are ended."""


def propose(context: Context, args: SweepStateArgs) -> tuple[Proposal, ...]:
    """Pause, resume, stop or cancel a sweep on W&B (nothing is cancelled on Slurm). The program reads its state and its
    live runs, shows what the change does to them, asks the person, and reads the state again."""
    world = read_world(context)
    found, at = sweep_now(context, world, args.sweep)
    if found.state == STATES[args.change]:
        raise Denied(f"sweep {args.sweep} is {found.state} already: there is nothing to do")
    elsewhere = away(args.sweep, world)
    rows = [row for row in world.status.runs if row.sweep == args.sweep and not row.superseded]
    live = [row for row in rows if row.live or row.run in elsewhere]
    others = others_live(args.sweep, world)
    ends = args.change == "cancel"
    action = Action(
        verb="set",
        subject=args.sweep,
        names=(args.sweep,),
        thing="sweep",
        identity=(("sweep", found.node), *where(world), ("state", found.state), ("to", STATES[args.change])),
        change=((f"W&B sweep {args.sweep}", f"state {found.state} → {STATES[args.change]}"),),
        confirm=f"{args.change} sweep {args.sweep}",
        shows=_shown(found, args.change, live),
        pages=world.pages(None, args.sweep),
        says=args.says,
    )
    mine, whose = sweep_is_mine(found, world)
    allowed = found.state in FROM[args.change]
    safe = not (ends and live)
    return (
        Proposal(
            action,
            (
                saw("state_allows", args.sweep, allowed, at, f"it is {found.state}"),
                saw("mine", args.sweep, mine, at, whose),
                saw("no_other_owner", args.sweep, not (ends and others), at, ", ".join(others[:3]) or "none of others"),
                saw(
                    "ends_nothing",
                    args.sweep,
                    safe,
                    at,
                    f"{len(live)} live runs, none of which ends" if live and safe else f"{len(live)} live runs",
                ),
            ),
        ),
    )


def perform(context: Context, action: Action) -> Ran:
    """Set the state that was approved."""
    entity, project, node = (bound(action, name) for name in ("entity", "project", "sweep"))
    to = next(state for state in STATES.values() if state == bound(action, "to"))
    return send(context, action, lambda remote: wandb_changes.set_sweep_state(remote, entity, project, node, to))


def settle(context: Context, action: Action, since: float, ran: Ran | None) -> Outcome:
    """The state that the service tells now."""
    entity, project = bound(action, "entity"), bound(action, "project")
    try:
        found = ask(context, lambda remote: wandb_api.read_sweep(remote, entity, project, action.subject), action)
    except ServiceError as error:
        return Outcome("unknown", f"its state is not known: {error}")
    state = found.state if found else "gone"
    if state != bound(action, "to"):
        return Outcome("not_done", f"it is {state} now")
    return Outcome("done", f"it is {state} now: {'; '.join(action.shows[1:])}")


SET_SWEEP_STATE = ActTool("set_sweep_state", SweepStateArgs, "set", propose, perform, settle)


def _shown(found: ServerSweep, to: Change, live: list[RunRow]) -> tuple[str, ...]:
    name = f" · {one_line(found.shown, 40)!r}" if found.shown else ""
    lines = [f"sweep {found.sweep}{name}  {found.state}, {found.runs or 0} runs", _EFFECT[to]]
    for row in live[:MAX_SHOWN] if to == "cancel" else ():
        done = f"{int(row.percent)} %" if row.percent is not None else "progress unknown"
        lines.append(f"ENDS  {row.run}  {f'job {row.job}' if row.job and row.live else 'no job here has it'}  {done}")
    if to == "cancel" and len(live) > MAX_SHOWN:
        lines.append(f"ENDS  {len(live) - MAX_SHOWN} more live runs")
    if to in {"pause", "stop"}:
        many = f"{len(live)} live runs go on to their end" if live else "no run of it is live"
        lines.append("1 live run goes on to its end" if len(live) == 1 else many)
    return tuple(lines)
