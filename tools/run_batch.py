"""The batch sizes of one run, from every configuration that was read of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from tools.diagnosis import batch, batch_advice
from tools.diagnosis.join import Link
from tools.diagnosis.leaves import fixed, in_line
from tools.look import Seen
from tools.sources.index import written
from tools.sources.yaml_files import load_keys, load_yaml

Load = Callable[[str], Mapping[str, Any] | None]


def configs_of(link: Link, seen: Seen, load: Load = load_yaml) -> dict[str, Mapping[str, Any]]:
    """Where it stands -> configuration: the resolved Hydra config first (the rules' source, and the keys that an
    override takes), then W&B's, the commands, the sweep's parameters."""
    found: dict[str, Mapping[str, Any]] = {}
    path = seen.hydra_paths.get(link.run or "")
    if path and (content := load(path)):
        found[_shown(path, seen)] = content
    for folder in reversed(link.run_dirs):
        found[f"{_shown(folder.path, seen)} config"] = folder.config
    if link.part and link.part.command:
        found["agent's command"] = in_line(link.part.command)
    if link.params:
        found[_shown(link.params.path, seen)] = link.params.params
    if link.job and link.job.command:
        found["job's command"] = in_line(link.job.command)
    if sweep := seen.sweep_yamls.of(link):
        found[_shown(sweep, seen)] = fixed(seen.sweep_yamls.configs[sweep].parameters)
    return found


def batch_of(link: Link, seen: Seen) -> batch.Batch:
    """Per device, accumulation, GPUs and what they come to."""

    def load(path: str) -> Mapping[str, Any] | None:
        return load_keys(path, batch.KEYS)

    return batch.components(configs_of(link, seen, load), link.job.gpus if link.job else None)


def recovery_of(link: Link, seen: Seen, known: batch.Batch | None = None) -> batch_advice.Recovery:
    """What to try after running out of GPU memory; ``known``: its batch, where that was read already."""
    own = batch_of(link, seen) if known is None else known
    path = seen.hydra_paths.get(link.run or "")
    if path and link.job and link.job.end is not None and written(path) > link.job.end and not _as_it_began(link, own):
        return batch_advice.changed(own, os.path.basename(path))
    return batch_advice.recovery(own)


def _as_it_began(link: Link, now: batch.Batch) -> bool:
    """Whether W&B's config, written when the run began, has the same batch: then its file was touched, not changed."""
    began = batch.components({"": link.run_dirs[-1].config}, None) if link.run_dirs else None
    if began is None or began.per_device is None or now.per_device is None:
        return False
    steps = [one.accumulation.value if one.accumulation else 1 for one in (began, now)]
    return began.per_device.value == now.per_device.value and steps[0] == steps[1]


def _shown(path: str, seen: Seen) -> str:
    return path.removeprefix(f"{seen.index.workspace}/")
