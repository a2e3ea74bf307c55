"""Configuration files: sweep YAML, the run's own Hydra config, and what the repository has to start jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.data import SweepConfig
from tools.sources.index import Index
from tools.sources.yaml_files import MAX_BYTES, load_yaml

MAX_FILES = 5_000
TOLD = frozenset("description notes comment purpose hypothesis expected_runtime runtime".split())
"""What a sweep's YAML says of itself in words."""
_MAKE_TARGET = re.compile(r"^([A-Za-z0-9_.-]{1,60})\s?:(?!=)")


@dataclass(frozen=True, slots=True)
class Launchers:
    """What the workspace has to start or resume a run; only what is really there."""

    make_run: bool = False
    """The Makefile has a ``run`` target that uses SWEEP and RUN."""
    run_script: str | None = None
    """``experiments/run.sbatch``, relative to the workspace."""
    sweep_script: str | None = None
    sync_script: str | None = None
    """The lab's own script that sends offline runs to W&B."""


def read_sweep_configs(index: Index) -> tuple[SweepConfig, ...]:
    """The sweep YAMLs of the workspace and what they say of themselves.

    A sweep YAML is one with ``parameters`` and one of ``method``, ``program``, ``command`` or ``metric``.
    """
    configs: list[SweepConfig] = []
    for path in index.yamls[:MAX_FILES]:
        if not _mentions_parameters(path):
            continue
        content = load_yaml(path)
        if not content or not isinstance(content.get("parameters"), dict):
            continue
        if not content.keys() & {"method", "program", "command", "metric"}:
            continue
        configs.append(
            SweepConfig(
                path=path,
                name=_text(content.get("name")),
                told={key: text for key, value in _lower(content) if key in TOLD and (text := _text(value))},
                comments=_header(path),
                method=_text(content.get("method")),
                program=_text(content.get("program")),
                metric=_metric(content.get("metric")),
                early_terminate=_kind_of(content.get("early_terminate")),
                run_cap=cap if isinstance(cap := content.get("run_cap"), int) else None,
                parameters=content["parameters"],
            )
        )
    return tuple(configs)


def _lower(content: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        yield str(key).lower().replace(" ", "_").replace("-", "_"), value


def _metric(value: object) -> str | None:
    if not isinstance(value, Mapping):
        return None
    return _text(f"{value.get('goal', 'minimize')} {value['name']}") if value.get("name") else None


def _kind_of(value: object) -> str | None:
    return _text(value.get("type") or "yes") if isinstance(value, Mapping) else "yes" if value else None


def read_launchers(workspace: Path) -> Launchers:
    """What stands in the Makefile and under ``experiments/``."""
    makefile = next((workspace / name for name in ("Makefile", "makefile") if (workspace / name).is_file()), None)
    make_run = False
    if makefile:
        recipe: list[str] = []
        current = None
        for line in _lines(makefile, 2000):
            if match := _MAKE_TARGET.match(line):
                current = match[1]
            elif current == "run" and line.startswith("\t"):
                recipe.append(line)
        body = "\n".join(recipe)
        make_run = all(f"$({name})" in body or f"${{{name}}}" in body for name in ("SWEEP", "RUN"))
    scripts = {name: f"experiments/{name}" for name in ("run.sbatch", "sweep.sbatch")}
    there = {name: path for name, path in scripts.items() if (workspace / path).is_file()}
    sync = sorted((workspace / "experiments").glob("*sync*offline*.sbatch"))[:1]
    own_sync = str(sync[0].relative_to(workspace)) if sync else None
    return Launchers(make_run, there.get("run.sbatch"), there.get("sweep.sbatch"), own_sync)


def _lines(path: Path | str, limit: int) -> list[str]:
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace").splitlines()[:limit]
    except OSError:
        return []


def _mentions_parameters(path: str) -> bool:
    """A cheap look before parsing: most YAML files of a repository are no sweeps."""
    return any(line.startswith("parameters:") for line in _lines(path, 2000))


def _header(path: str) -> tuple[str, ...]:
    comments: list[str] = []
    for line in _lines(path, 10):
        if not line.startswith("#"):
            if line.strip() and comments:
                break
            continue
        if text := line.lstrip("# ").rstrip():
            comments.append(text[:300])
    return tuple(comments)


def _text(value: object) -> str | None:
    return " ".join(str(value).split())[:1000] if isinstance(value, str | int | float) and str(value).strip() else None
