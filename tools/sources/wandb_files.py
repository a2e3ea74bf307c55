"""W&B's files on disk: run folders, and the agent's map from sweep to run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.data import RunDir, SweepParams
from tools.sources.index import RUN_DIR
from tools.sources.wandb_log import LogFacts, read_log
from tools.sources.wandb_settings import small_text
from tools.sources.yaml_files import load_yaml

_JOB = re.compile(r"[0-9]{1,20}(?:_[0-9]{1,20})?")


def read_run_dir(path: Path) -> RunDir:
    """One run folder; the transaction log counts before the files beside it. Never raises."""
    match = RUN_DIR.fullmatch(path.name)
    logs = _logs(path)
    facts = read_log(logs[0]) if logs else LogFacts(problem="no .wandb log in it")
    files = path / "files"
    # a log of which nothing reached the disk yet may have this file beside it
    metadata = _json(files / "wandb-metadata.json") if not (facts.slurm and facts.run) else {}
    config = _own(facts.config) or _unwrapped(load_yaml(files / "config.yaml") or {})
    # the end of a large log has only what was logged last; the file is whole, and written when the run ends
    summary = _own({**_json(files / "wandb-summary.json"), **facts.summary})
    told, output = facts.run, files / "output.log"
    return RunDir(
        run=told.get("run") or (match[1] if match else path.name),
        path=str(path),
        offline=path.name.startswith("offline-"),
        log=str(logs[0]) if logs else None,
        sweep=told.get("sweep"),
        entity=told.get("entity"),
        project=told.get("project"),
        name=told.get("name"),
        notes=told.get("notes"),
        host=told.get("host") or _word(metadata.get("host")),
        job=_slurm_job(facts.slurm or metadata.get("slurm")),
        started=facts.started or _started(path.name, metadata.get("startedAt")),
        written=max((_mtime(place) for place in (*logs, output, files)), default=0.0) or None,
        config=config,
        summary=summary,
        history=facts.history,
        exit_code=facts.exit_code,
        preempting=facts.preempting,
        output_log=str(output) if os.path.isfile(output) else None,
        synced=bool(logs) and os.path.isfile(f"{logs[0]}.synced"),
        problem=facts.problem,
    )


def read_sweep_params(path: Path) -> SweepParams | None:
    """``sweep-SWEEP/config-RUN.yaml``: which run is of which sweep, with its parameters."""
    run = path.name.removeprefix("config-").rpartition(".")[0]
    sweep = path.parent.name.removeprefix("sweep-")
    content = load_yaml(path)
    if content is None or not run or not sweep:
        return None
    return SweepParams(sweep, run, _unwrapped(content), str(path), _mtime(path))


def _unwrapped(config: Mapping[str, Any]) -> dict[str, Any]:
    """W&B wraps every value in ``{value: …}``."""
    return {
        str(key): value["value"] if isinstance(value, dict) and "value" in value else value
        for key, value in config.items()
        if key not in ("_wandb", "wandb_version")
    }


def _own(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what W&B adds for itself."""
    return {key: value for key, value in values.items() if key != "_wandb"}


def _slurm_job(slurm: object) -> str | None:
    """``A_T`` in an array, else the job's id; never the raw id of an array's task."""
    if not isinstance(slurm, dict):
        return None
    job, array, task = (str(slurm.get(name, "")) for name in ("job_id", "array_job_id", "array_task_id"))
    found = f"{array}_{task}" if array or task else job
    return found if _JOB.fullmatch(found) else None


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


def _logs(path: Path) -> list[Path]:
    try:
        return sorted(path.glob("run-*.wandb"))
    except OSError:
        return []


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(small_text(path) or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _mtime(path: Path) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
