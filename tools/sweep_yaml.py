"""Which sweep YAML a run comes from, and how their reading went."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from tools.data import SourceState
from tools.diagnosis import naming
from tools.diagnosis.join import Link
from tools.diagnosis.targets import Target, in_sweep_parameters
from tools.sources.index import Index
from tools.text import counted
from tools.wandb_data import SweepConfig


class SweepYamls:
    """The sweep YAMLs of a workspace, looked up by what a run tells of itself."""

    def __init__(self, configs: Mapping[str, SweepConfig], links: Sequence[Link] = ()) -> None:
        self.configs = configs
        self._links = links
        self._by_name: dict[str, str] = {}
        for path in configs:
            self._by_name.setdefault(os.path.basename(path), path)
        self._known: dict[tuple[Any, ...], str | None] = {}
        self._targets: dict[str, Target] = {}

    def of(self, link: Link) -> str | None:
        """The path: named in the job's command, or the only one with this run's parameters, or with its job's name; of
        a job that tells nothing, such as one that resumes a run, the one that all others of its sweep tell."""
        return self._told_by(link) or self._of_sweeps.get(link.sweep or "")

    def target_in(self, path: str) -> Target:
        """The target that the parameters of one of them name."""
        if path not in self._targets:
            self._targets[path] = in_sweep_parameters(self.configs[path].parameters, path)
        return self._targets[path]

    @cached_property
    def _of_sweeps(self) -> Mapping[str, str]:
        paths: dict[str, set[str]] = defaultdict(set)
        for link in self._links:
            if link.sweep and (path := self._told_by(link)):
                paths[link.sweep].add(path)
        return {sweep: found.pop() for sweep, found in paths.items() if len(found) == 1}

    def _told_by(self, link: Link) -> str | None:
        job = link.job
        names = frozenset(link.params.params) if link.params else None
        told = (job.command, job.name) if job else None
        if (told, names) not in self._known:
            self._known[told, names] = self._find(job.command if job else "", job.name if job else "", names)
        return self._known[told, names]

    def _find(self, command: str, job_name: str, parameters: frozenset[str] | None) -> str | None:
        for word in command.split():
            if path := self._by_name.get(word.rpartition("/")[2]):
                return path
        if parameters:
            fits = [path for path, config in self.configs.items() if parameters == set(config.parameters)]
            if len(fits) == 1:
                return fits[0]
        fits = [path for path in self.configs if job_name and naming.fits(job_name, path)]
        return fits[0] if len(fits) == 1 else None


def source_state(found: Sequence[SweepConfig], tree: Index, at: float, settings: str = "") -> SourceState:
    """How the reading of the sweep YAMLs went; one that can't be parsed is named with file and line.

    ``settings``: which place names W&B's entity, project and server.
    """
    broken = [config for config in found if config.problem]
    detail = "; ".join(filter(None, (counted(len(found) - len(broken), "sweep config"), settings)))
    if not broken:
        return SourceState("configs", True, at, detail=detail)
    name = broken[0].path.removeprefix(f"{tree.workspace}/")
    more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
    error = f"{name} can't be read: {(broken[0].problem or '')[:200]}{more}"
    return SourceState("configs", False, at, error=error, detail=detail)
