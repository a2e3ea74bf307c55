"""What a look asks of the W&B service: the listing while the disk is read, then the values of the runs that need them.

A workspace without a key, an entity or a network is looked at all the same; the source says why.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial

from tools.compact import compact
from tools.data import SourceState
from tools.diagnosis.markers import RunPart
from tools.place import Place
from tools.sources import slurm, wandb_api
from tools.sources.wandb_http import Remote, Service, ServiceError, meanwhile
from tools.sources.wandb_login import NotAsked, login_of
from tools.text import counted
from tools.wandb_data import RunDir, ServerProject, ServerRun, SweepParams, WandbSettings

MAX_DETAILED = 1_000
"""Runs of one look whose config and summary are asked for, the live ones first."""
ACTIVE_SWEEP = frozenset(("RUNNING", "PAUSED", "PENDING"))
UNFINISHED_RUN = frozenset(("running", "pending", "preempting", "preempted"))


@compact
class Served:
    """What the service told of this workspace's runs and sweeps."""

    project: ServerProject
    runs: Mapping[str, ServerRun]
    """Those that belong here: known by the workspace's files, or of the key's owner and not over."""
    elsewhere: Collection[str] = frozenset()
    """Runs that are of other projects by their own files: what this project has under such an id is another run."""
    skew_s: float | None = None
    """How far the server's clock is ahead of this machine's, None where it does not tell; heartbeats are by its own."""


def opener(place: Place, settings: WandbSettings) -> Callable[[], Remote]:
    """What opens the service of a place: the network's, or the demo's own. Raises NotAsked where it may not be."""
    if place.wandb:
        return place.wandb
    login = login_of(place.workspace, place.environ, settings)
    return lambda: Service(login)


class Asking:
    """One look's questions to the service. Made at its start; never raises."""

    def __init__(self, place: Place, settings: WandbSettings, now: Callable[[], float]) -> None:
        self._now, self._since = now, now() - slurm.WINDOW_DAYS * 86_400
        self._error: str | None = None
        self._opener: Callable[[], Remote] | None = None
        self._service: Remote | None = None
        self._listing: Callable[[], ServerProject] | None = None
        try:
            self._opener = opener(place, settings)
        except NotAsked as why:
            self._error = str(why)
            return
        self._begin(settings.entity, settings.project)

    def _begin(self, entity: str | None, project: str | None) -> None:
        open_service = self._opener
        if open_service is None or self._listing is not None or not entity or not project:
            return

        def read() -> ServerProject:
            self._service = open_service()  # imports the HTTP library: not on the way of the rest
            return wandb_api.read_project(self._service, entity, project, self._since)

        self._listing = partial(meanwhile(read), None)

    def served(
        self,
        run_dirs: Sequence[RunDir],
        parts: Iterable[RunPart],
        params: Iterable[SweepParams],
        sweeps: Iterable[str],
    ) -> tuple[Served | None, SourceState]:
        """Wait for the answers; the rest is what the workspace's own files tell, ``sweeps`` what its scripts name."""
        runs = {folder.run for folder in run_dirs} | {one.run for one in params}
        known = {folder.sweep for folder in run_dirs} | {one.sweep for one in params} | {*sweeps}
        projects = Counter[tuple[str, str]]()
        places: dict[str | None, set[tuple[str, str]]] = defaultdict(set)
        named: Iterable[RunDir | RunPart] = (*run_dirs, *parts)
        for one in named:
            runs |= {one.run} if one.run else set()
            known.add(one.sweep)
            if one.entity and one.project:
                projects[one.entity, one.project] += 1
                if one.project != "uncategorized":  # where an offline run of a sweep says so, nobody told it
                    places[one.run].add((one.entity, one.project))
        for (entity, project), _ in projects.most_common(1):
            self._begin(entity, project)
        if self._listing is None:
            why = self._error or "not asked: the entity or project is not known (set WANDB_ENTITY and WANDB_PROJECT)"
            return None, SourceState("wandb_api", False, self._now(), error=why)
        try:
            found = self._listing()
            asked = (found.entity, found.project)
            elsewhere = {run for run, own in places.items() if run and asked not in own}
            served, told = self._answers(found, run_dirs, runs, {sweep for sweep in known if sweep}, elsewhere)
        except ServiceError as error:
            return None, SourceState("wandb_api", False, self._now(), error=str(error))
        finally:
            if self._service:
                self._service.close()
        del projects[served.project.entity, served.project.project]
        others = [f"what is of {'/'.join(place)} was not asked for" for place, _ in projects.most_common(2)]
        return served, SourceState("wandb_api", True, self._now(), detail="; ".join([*told, *others]))

    def _answers(
        self,
        found: ServerProject,
        run_dirs: Sequence[RunDir],
        runs: Collection[str],
        sweeps: Collection[str],
        elsewhere: Collection[str],
    ) -> tuple[Served, list[str]]:
        """What belongs here with its values, and what to tell of the reading."""
        told_of = [run for run in found.runs.values() if run.run not in elsewhere]
        here = {run.run for run in told_of if _belongs(run, found, runs, sweeps)}
        wanted = _to_detail([found.runs[run] for run in here], run_dirs)
        if wanted and self._service:
            found = wandb_api.with_details(self._service, found, wanted[:MAX_DETAILED])
        away = len(found.runs) - len(here)
        told = [
            f"{found.entity}/{found.project}: {counted(len(here), 'run')}, {counted(len(found.sweeps), 'sweep')}",
            *([f"{counted(away, 'run')} of other people or other work not shown"] if away else []),
            *([f"values of {len(wanted) - MAX_DETAILED:,} runs not asked for"] if len(wanted) > MAX_DETAILED else []),
            *([found.left_out] if found.left_out else []),
        ]
        skew = self._service.skew_s if self._service else None
        return Served(found, {run: found.runs[run] for run in sorted(here)}, elsewhere, skew), told


def _belongs(run: ServerRun, found: ServerProject, runs: Collection[str], sweeps: Collection[str]) -> bool:
    if run.run in runs or run.sweep in sweeps:
        return True
    mine = found.viewer is not None and run.owner == found.viewer
    sweep = found.sweeps.get(run.sweep or "")
    return mine and (run.state in UNFINISHED_RUN or (sweep is not None and sweep.state in ACTIVE_SWEEP))


def _to_detail(here: Sequence[ServerRun], run_dirs: Sequence[RunDir]) -> list[str]:
    """Not those that are over and whose whole course lies on this disk."""
    whole = {folder.run for folder in run_dirs if folder.exit_code is not None and folder.history}
    wanted = [run for run in here if run.state in UNFINISHED_RUN or run.run not in whole]
    wanted.sort(key=lambda run: (run.state != "running", -(run.heartbeat or 0.0), run.run))
    return [run.run for run in wanted]
