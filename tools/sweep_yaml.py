"""Which sweep YAML a run comes from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from tools.data import SweepConfig
from tools.diagnosis import naming
from tools.diagnosis.join import Link


class SweepYamls:
    """The sweep YAMLs of a workspace, looked up by what a run tells of itself."""

    def __init__(self, configs: Mapping[str, SweepConfig]) -> None:
        self.configs = configs
        self._by_name: dict[str, str] = {}
        for path in configs:
            self._by_name.setdefault(os.path.basename(path), path)
        self._known: dict[tuple[Any, ...], str | None] = {}

    def of(self, link: Link) -> str | None:
        """The path: named in the job's command, or the only one with this run's parameters, or with its job's name."""
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
