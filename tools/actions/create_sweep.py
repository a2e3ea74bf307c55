"""Making a sweep on W&B from a config of the workspace."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from pydantic import Field

from tools import sweep_checks
from tools.actions.programs import digest_of
from tools.actions.service import ask, bound, saw, served, where
from tools.actions.wandb_program import perform, wandb
from tools.actions.world import World, read_world
from tools.acts import Action, Observation, Outcome, Program, Proposal, Ran
from tools.base import ActArgs, ActTool, Context, Denied
from tools.diagnosis.naming import job_name
from tools.place import Place
from tools.sources import wandb_api
from tools.sources.index import inside
from tools.sources.wandb_http import Remote, ServiceError
from tools.sweep_rows import ACCEPTING
from tools.wandb_data import ServerProject, ServerSweep, SweepConfig

CLOCKS_DIFFER_S = 60.0
"""A second's difference between the service's clock and what it tells of it, with some to spare."""


class CreateArgs(ActArgs):
    config: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]{0,255}\.ya?ml$")
    """The sweep's config file in the workspace, such as experiments/glue.yaml."""


def propose(context: Context, args: CreateArgs) -> tuple[Proposal, ...]:
    """Make a new sweep on W&B from a config file of the workspace, named by the naming rule. The program checks the
    config and that no sweep of it still accepts agents, asks the person, makes it, and reports its id. It starts no
    agents: launch_agents does."""
    world = read_world(context)
    config = config_of(args.config, world)
    name = job_name(config.path)
    short = config.path.removeprefix(f"{world.seen.index.workspace}/")
    action = Action(
        verb="create",
        subject=short,
        names=(short, name),
        thing="sweep",
        identity=(("config", short), *where(world), ("name", name), *named_so(name, world)),
        program=program_for(short, name, world, context.place),
        change=((f"W&B {served(world).project.project}", f"a new sweep {name} of {short}"),),
        shows=(
            f"{short}  method {config.method or '?'}  {len(config.parameters)} parameters  name {name}",
            *not_mended(short, config, world),
        ),
        says=args.says,
    )
    return (Proposal(action, checks(short, config, world)),)


def settle(context: Context, action: Action, since: float, ran: Ran | None) -> Outcome:
    """The sweep of that name that is there now and was not before."""
    try:
        made = new_sweep(context, action, since)
    except ServiceError as error:
        return Outcome("unknown", f"whether it was made is not known: {error}")
    if made is None:
        return Outcome("not_done", "no new sweep of that name is there")
    return Outcome("done", f"sweep {made.sweep} is {made.state}; no agent runs yet (launch_agents starts some)")


CREATE_SWEEP = ActTool("create_sweep", CreateArgs, "create", propose, perform, settle)


def config_of(named: str, world: World) -> SweepConfig:
    """The sweep config of the workspace under that name. Raises Denied."""
    configs = world.seen.sweep_yamls.configs
    fits = [one for path, one in configs.items() if path.endswith(f"/{named}") and inside(path, world.seen.index.roots)]
    if len(fits) != 1:
        known = ", ".join(os.path.basename(path) for path in list(configs)[:8]) or "none"
        raise Denied(f"{named} is {'several configs' if fits else 'no sweep config'} of this workspace; seen: {known}")
    return fits[0]


def program_for(short: str, name: str, world: World, place: Place) -> Program:
    """``wandb sweep``, bound to the config's bytes."""
    project = served(world).project
    path = os.path.join(world.seen.index.workspace, short)
    args = ("sweep", "--entity", project.entity, "--project", project.project, "--name", name, path)
    return wandb(place, args, files=((path, digest_of(path)),))


def checks(short: str, config: SweepConfig, world: World, replaces: str | None = None) -> tuple[Observation, ...]:
    """What creating a sweep needs to have been seen; ``replaces``: the sweep that it takes the place of."""
    found = sweep_checks.problems(config, (), world.seen, has_target=None)
    blocking = [one.text for one in found if one.key not in {"job name", "target"}]
    sound = config.problem is None and bool(config.method and config.parameters) and not blocking
    told = (
        config.problem
        or "; ".join(blocking[:2])
        or (
            f"method {config.method}, {len(config.parameters)} parameters"
            if config.method and config.parameters
            else "no method or no parameters"
        )
    )
    open_ones = _open_sweeps(short, config, world, replaces)
    at = world.seen.at
    return (
        world.saw("config_checked", short, sound, "configs", told),
        saw("no_other_sweep", short, not open_ones, at, ", ".join(open_ones) or ("none other" if replaces else "none")),
    )


def not_mended(short: str, config: SweepConfig, world: World) -> tuple[str, ...]:
    """What a request says where runs of this very config died of an error in it: new ones would die of it too."""
    sweeps = {row.id for row in world.status.sweeps if row.config == short}
    died = [row for row in world.status.runs if row.sweep in sweeps and row.cause == "config_error"]
    ended = [row.ended_at for row in died if not row.superseded and row.ended_at is not None]
    try:
        changed = os.stat(config.path).st_mtime
    except OSError:
        return ()
    if not ended or changed > max(ended):
        return ()
    runs = f"{len(ended)} run{'s' * (len(ended) > 1)}"
    return (f"NOT MENDED: {runs} of this config died of a config error, and it was not changed since",)


def named_so(name: str, world: World) -> tuple[tuple[str, str], ...]:
    """For an action's identity: the sweeps of that name that are there before it."""
    told = served(world).project.sweeps.values()
    return (("named so", " ".join(sorted(one.sweep for one in told if one.shown == name))),)


def new_sweep(context: Context, action: Action, since: float) -> ServerSweep | None:
    """The newest sweep of the action's name made after ``since`` (epoch seconds) that was not there when it was
    approved. Raises ServiceError."""
    entity, project, name = (bound(action, key) for key in ("entity", "project", "name"))
    since -= CLOCKS_DIFFER_S

    def read(remote: Remote) -> tuple[ServerProject, float]:
        found = wandb_api.read_project(remote, entity, project, since)
        return found, remote.skew_s or 0.0

    found, skew = ask(context, read, action)
    before = bound(action, "named so").split()
    made = [
        one
        for one in found.sweeps.values()
        if one.shown == name and one.sweep not in before and one.created is not None and one.created >= since + skew
    ]
    return max(made, key=lambda one: one.created or 0.0, default=None)


def _open_sweeps(short: str, config: SweepConfig, world: World, replaces: str | None) -> list[str]:
    """Sweeps of the same config that still give agents runs."""
    told = served(world).project.sweeps
    own = {row.id for row in world.status.sweeps if row.config == short}
    name = job_name(config.path)
    own |= {sweep for sweep, one in told.items() if one.shown in (name, config.name)}
    opened = [sweep for sweep in sorted(own) if sweep != replaces and sweep in told]
    return [
        f"{sweep} ({told[sweep].state}, made {_day(told[sweep].created)})"
        for sweep in opened
        if told[sweep].state in {*ACCEPTING, "PAUSED"}
    ]


def _day(at: float | None) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d") if at else "at an unknown time"
