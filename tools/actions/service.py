"""The W&B service as an act sees it: the sweep or run read this moment, and a change sent once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tools.actions.world import World
from tools.acts import Action, Observation, Ran, Value
from tools.base import Context, Denied
from tools.diagnosis.consistency import STALE_S
from tools.service import Served, opener
from tools.sources import wandb_api, wandb_settings
from tools.sources.wandb_http import Remote, ServiceError
from tools.sources.wandb_login import NotAsked
from tools.wandb_data import ServerRun, ServerSweep

_T = TypeVar("_T")


def served(world: World) -> Served:
    """What the look's own question to the service found. Raises Denied where it was not asked or did not answer."""
    if world.seen.served is None:
        error = next(source.error for source in world.seen.sources if source.name == "wandb_api")
        raise Denied(f"the W&B service was not read ({error}), and nothing is changed on it without that")
    return world.seen.served


def ask(context: Context, work: Callable[[Remote], _T], action: Action | None = None) -> _T:
    """``work`` with the service open; of an ``action`` with the server alone that it is bound to. Raises ServiceError;
    NotAsked is told as one that was refused."""
    settings = wandb_settings.read_settings(context.place.workspace, context.place.environ)
    server = dict(action.identity).get("server") if action else None
    if server not in (None, settings.api_url):
        raise ServiceError(f"it is bound to {server}, and {settings.api_url} would be asked now", refused=True)
    try:
        service = opener(context.place, settings)()
    except NotAsked as why:
        raise ServiceError(str(why), refused=True) from None
    try:
        return work(service)
    finally:
        service.close()


def sweep_now(context: Context, world: World, sweep: str) -> tuple[ServerSweep, float]:
    """The sweep as the service has it now, and when that was read (epoch seconds). Raises Denied."""
    project = served(world).project

    def read() -> tuple[ServerSweep | None, float]:
        at = context.clock()
        return ask(context, lambda remote: wandb_api.read_sweep(remote, project.entity, project.project, sweep)), at

    try:
        found, at = context.recent(f"sweep {sweep}", read)
    except ServiceError as error:
        raise Denied(f"sweep {sweep} can't be read ({error}), and nothing is changed on W&B without that") from None
    if found is None:
        raise Denied(f"{project.entity}/{project.project} has no sweep {sweep} on W&B; check_sweeps lists those seen")
    return found, at


def run_now(context: Context, world: World, run: str) -> tuple[ServerRun, float]:
    """The run as the service has it now, and when that was read (epoch seconds). Raises Denied."""
    project = served(world).project
    if run in served(world).elsewhere:
        raise Denied(
            f"run {run} is of another project by its own files, and {project.entity}/{project.project} was asked: what "
            "has that id there is another run. WANDB_ENTITY and WANDB_PROJECT name the project that is asked"
        )

    def read() -> tuple[ServerRun | None, float]:
        at = context.clock()
        names = [run]
        return ask(context, lambda one: wandb_api.read_runs(one, project.entity, project.project, names)).get(run), at

    try:
        found, at = context.recent(f"run {run}", read)
    except ServiceError as error:
        raise Denied(f"run {run} can't be read ({error}), and nothing is changed on W&B without that") from None
    if found is None:
        raise Denied(f"{project.entity}/{project.project} has no run {run} on W&B")
    return found, at


def silent_for(context: Context, world: World, run: ServerRun) -> int | None:
    """Seconds since the run's last heartbeat by the server's own clock, whatever this machine's says."""
    skew = served(world).skew_s
    if run.heartbeat is None or skew is None:
        return None
    return max(0, int(context.clock() + skew - run.heartbeat))


def is_mine(run: ServerRun, world: World) -> tuple[bool | None, str]:
    """Whether the key's owner started it; a job of this user that trained it counts too, where more than a name or a
    log ties the two."""
    viewer = served(world).project.viewer
    if viewer is not None and run.owner == viewer:
        return True, f"started by {run.owner}"
    own = [link for link in world.seen.links if link.run == run.run and link.job]
    if any(link.run_dirs or link.params or (link.job and link.job.id == run.job) for link in own):
        return True, "a job of yours trained it"
    if viewer is None or run.owner is None:
        return None, "W&B does not say who started it"
    return False, f"started by {run.owner}"


def others_live(sweep: str, world: World) -> list[str]:
    """Live runs of other people in a sweep, each with its owner: ending the sweep would end them too."""
    runs = [one for one in served(world).project.runs.values() if one.sweep == sweep and one.state == "running"]
    return [f"{run.run} of {run.owner}" for run in runs if is_mine(run, world)[0] is not True]


def sweep_is_mine(found: ServerSweep, world: World) -> tuple[bool, str]:
    """Whether a run of this person's is in the sweep; W&B does not say who made one that has none yet."""
    rows = [row for row in world.status.runs if row.sweep == found.sweep and row.owner is None]
    return bool(rows) or found.runs == 0, f"{len(rows)} of its runs are yours"


def away(sweep: str, world: World) -> frozenset[str]:
    """Runs of the sweep that W&B hears of and that no job seen here trains: on another cluster, or by hand."""
    here = {row.run for row in world.status.runs if row.live}
    return frozenset(
        run.run
        for run in served(world).project.runs.values()
        if run.sweep == sweep
        and run.state == "running"
        and run.run not in here
        and run.heartbeat is not None
        and world.seen.at + (served(world).skew_s or 0.0) - run.heartbeat <= STALE_S
    )


def saw(kind: str, subject: str, value: Value, at: float, text: str = "") -> Observation:
    """An observation of what the service just told."""
    return Observation(kind, subject, value, at, "wandb_api", text)


def where(world: World) -> tuple[tuple[str, str], ...]:
    """The identity of the project that an act is in, and of its server."""
    project = served(world).project
    return (("server", world.seen.settings.api_url), ("entity", project.entity), ("project", project.project))


def send(context: Context, action: Action, change: Callable[[Remote], None]) -> Ran:
    """Send a change, once. What did not answer may have been carried out: that is told by reading."""
    began = time.monotonic()
    try:
        ask(context, change, action)
    except ServiceError as error:
        return Ran(1 if error.refused else None, err=str(error), seconds=time.monotonic() - began)
    return Ran(0, seconds=time.monotonic() - began)


def bound(action: Action, name: str) -> str:
    """One value of an action's identity, as a person approved it."""
    return dict(action.identity)[name]
