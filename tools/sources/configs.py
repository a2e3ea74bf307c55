"""Configuration files: sweep YAML, the run's own Hydra config, and what the repository has to start jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tools.compact import compact
from tools.sources import sweep_text
from tools.sources.yaml_files import MAX_BYTES, parsed, read, why_not
from tools.wandb_data import Note, SweepConfig

TOLD = frozenset("description notes comment purpose hypothesis expected_runtime runtime".split())
"""What a sweep's YAML says of itself in words."""
_SIGNS = {"method", "program", "command", "metric"}
_PARAMETERS = re.compile(rb"(?m)^['\"]?parameters['\"]?\s?:")
_MAKE_TARGET = re.compile(r"^([A-Za-z0-9_.-]{1,60})\s?:(?!=)")


@compact
class Launchers:
    """What the workspace has to start or resume a run; only what is really there."""

    make_run: bool = False
    """The Makefile has a ``run`` target that uses SWEEP and RUN."""
    run_script: str | None = None
    """``experiments/run.sbatch``, relative to the workspace."""
    sweep_script: str | None = None
    sync_script: str | None = None
    """The lab's own script that sends offline runs to W&B."""


def read_sweep_config(path: str) -> SweepConfig | None:
    """What a sweep YAML says of itself; None for a file that is none, or can't be read.

    A sweep YAML is one with ``parameters`` and one of ``method``, ``program``, ``command`` or ``metric``; one that
    looks like that and can't be parsed has a ``problem``.
    """
    try:
        data = read(path)
    except OSError:
        return None
    # a cheap look before parsing: most YAML files of a repository are no sweeps
    return _sweep_config(path, data) if data is not None and _PARAMETERS.search(data) else None


def _sweep_config(path: str, data: bytes) -> SweepConfig | None:
    words = sweep_text.read_words(data.decode("utf-8-sig", "replace"))
    content = parsed(data)
    if content is None:
        if not words.lines.keys() & _SIGNS:
            return None
        line, why = why_not(data)
        problem = f"line {line}: {why}" if line else why
        return SweepConfig(path, comments=words.comments, lines=words.lines, problem=problem)
    if not isinstance(content.get("parameters"), dict) or not content.keys() & _SIGNS:
        return None
    told = {}
    for key, value in content.items():
        plain = str(key).lower().replace(" ", "_").replace("-", "_")
        if plain in TOLD and (text := _text(value)):
            told[plain] = Note(text, words.lines.get(str(key), 1))
    cap, stop = content.get("run_cap"), content.get("early_terminate")
    command = content.get("command")
    return SweepConfig(
        path=path,
        name=_text(content.get("name")),
        told=told,
        comments=words.comments,
        remarks=words.remarks,
        lines=words.lines,
        method=_text(content.get("method")),
        program=_text(content.get("program")),
        command=tuple(str(word)[:500] for word in command[:200]) if isinstance(command, list) else (),
        metric=_metric(content.get("metric")),
        early_terminate=stop if isinstance(stop, dict) else {"type": _text(stop)} if stop else None,
        run_cap=cap if isinstance(cap, int) and not isinstance(cap, bool) else None,
        parameters=content["parameters"],
    )


def _metric(value: object) -> str | None:
    if not isinstance(value, Mapping):
        return None
    return _text(f"{value.get('goal', 'minimize')} {value['name']}") if value.get("name") else None


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


def _text(value: object) -> str | None:
    return " ".join(str(value).split())[:1000] if isinstance(value, str | int | float) and str(value).strip() else None
