"""W&B's files on disk: run folders, and the agent's map from sweep to run."""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime
from typing import Any

from tools.sources.index import CHECKPOINT_SUFFIXES, RUN_DIR, written
from tools.sources.wandb_log import LogFacts, read_log
from tools.sources.wandb_settings import small_text
from tools.sources.wandb_values import own, slurm_job, unwrapped
from tools.sources.yaml_files import load_flat, load_yaml
from tools.wandb_data import RunDir, SweepParams


def read_run_dir(place: str | os.PathLike[str], *, quick: bool = False) -> RunDir:
    """One run folder; the transaction log counts before the files beside it. Never raises. ``quick`` as of its log."""
    path = os.fspath(place)
    name = os.path.basename(path)
    beside, files = _names(path), f"{path}/files"
    inner = _names(files) if "files" in beside else frozenset()
    log = min([entry for entry in beside if entry.endswith(".wandb") and entry.startswith("run-")], default=None)
    facts = read_log(f"{path}/{log}", quick=quick) if log else LogFacts(problem="no .wandb log in it")
    # a log of which nothing reached the disk yet may have this file beside it
    wanted = "wandb-metadata.json" in inner and not (facts.slurm and facts.run)
    metadata = _json(f"{files}/wandb-metadata.json") if wanted else {}
    config = own(facts.config)
    if not config and "config.yaml" in inner:
        config = unwrapped(load_yaml(f"{files}/config.yaml") or {})
    # the end of a large log has only what was logged last; the file is whole, and written when the run ends
    wanted = "wandb-summary.json" in inner and not (quick and facts.history)
    saved = _json(f"{files}/wandb-summary.json") if wanted else {}
    told, output = facts.run, f"{files}/output.log"
    times = [written(f"{path}/{log}") if facts.written is None else facts.written] if log else []
    if inner:
        times.append(written(files))
    output_log = None
    if "output.log" in inner and (info := _stat(output)):
        times.append(info.st_mtime)
        output_log = output if stat.S_ISREG(info.st_mode) else None
    return RunDir(
        run=told.get("run") or _run_of(name),
        path=path,
        offline=name.startswith("offline-"),
        log=f"{path}/{log}" if log else None,
        sweep=told.get("sweep"),
        entity=told.get("entity"),
        project=told.get("project"),
        name=told.get("name"),
        notes=told.get("notes"),
        host=told.get("host") or _word(metadata.get("host")),
        job=slurm_job(facts.slurm or metadata.get("slurm")),
        started=facts.started or _started(name, metadata.get("startedAt")),
        written=max(times, default=0.0) or None,
        config=config,
        summary=own({**saved, **facts.summary}),
        history=facts.history,
        exit_code=facts.exit_code,
        preempting=facts.preempting,
        output_log=output_log,
        checkpoints=tuple(sorted([f"{files}/{entry}" for entry in inner if entry.endswith(CHECKPOINT_SUFFIXES)])),
        synced=bool(log) and f"{log}.synced" in beside,
        problem=facts.problem,
    )


def watched(run: RunDir) -> tuple[str, ...]:
    """The paths whose change means that the folder has to be read again."""
    return (run.path, f"{run.path}/files", *(path for path in (run.log, run.output_log) if path))


def read_sweep_params(place: str | os.PathLike[str]) -> SweepParams | None:
    """``sweep-SWEEP/config-RUN.yaml``: which run is of which sweep, with its parameters."""
    path = os.fspath(place)
    folder, name = os.path.split(path)
    run = name.removeprefix("config-").rpartition(".")[0]
    sweep = os.path.basename(folder).removeprefix("sweep-")
    content, at = load_flat(path)
    if content is None or not run or not sweep:
        return None
    return SweepParams(sweep, run, unwrapped(content), path, at)


def _run_of(name: str) -> str:
    match = RUN_DIR.fullmatch(name)
    return match[1] if match else name


def _started(name: str, said: object) -> float | None:
    """What the metadata says, in UTC; else the time in the folder's name, in the local zone of who looks."""
    try:
        if isinstance(said, str):
            return datetime.fromisoformat(said.removesuffix("Z")).replace(tzinfo=UTC).timestamp()
    except ValueError:
        pass
    try:
        return datetime.strptime(name.removeprefix("offline-")[4:19], "%Y%m%d_%H%M%S").astimezone().timestamp()
    except ValueError:
        return None


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 255 else None


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def _names(path: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(path))
    except OSError:
        return frozenset()


def _json(path: str) -> dict[str, Any]:
    try:
        value = json.loads(small_text(path) or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
