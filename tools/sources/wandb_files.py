"""W&B's files on disk: settings, run folders, and the agent's map from sweep to run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tools.data import RunDir, SweepParams, WandbSettings
from tools.sources.configs import load_yaml
from tools.sources.index import RUN_DIR
from tools.sources.wandb_log import read_log

MAX_BYTES = 1 << 20
DEFAULT_LINK_HOST = "https://wandb.ai"
# Hosts of the public service: its pages are under wandb.ai.
_CLOUD = re.compile(r"https?://api\.(?:wandb\.ai|forge\.coreweave\.com)/?$")
_ENV_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]{0,100})\s?=\s?(.{0,4000})$")
_SETTING = re.compile(r"\s*(entity|project|base_url)\s?[=:]\s?(\S{1,500})\s*$")
_NAMES = {"entity": "WANDB_ENTITY", "project": "WANDB_PROJECT", "base_url": "WANDB_BASE_URL"}


def read_env_files(workspace: Path) -> dict[str, str]:
    """``.env`` and ``config.env`` as data: KEY=VALUE lines; nothing is expanded or run."""
    values: dict[str, str] = {}
    for name in ("config.env", ".env"):
        for line in _text(workspace / name).splitlines():
            if match := _ENV_LINE.match(line):
                value = match[2].strip()
                quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
                values[match[1]] = value[1:-1] if quoted else value.partition(" #")[0].strip()
    return values


def read_settings(workspace: Path, environ: Mapping[str, str]) -> WandbSettings:
    """Entity, project and host: environment, then the env files, then W&B's settings here, then the user's own."""
    dotenv = read_env_files(workspace)
    config_dir = Path(environ.get("WANDB_CONFIG_DIR") or Path.home() / ".config" / "wandb")
    own, global_ = workspace / "wandb" / "settings", config_dir / "settings"
    places = (
        ("environment", environ),
        (".env", dotenv),
        (str(own.relative_to(workspace)), _ini(own)),
        (str(global_), _ini(global_)),
    )
    found: dict[str, str] = {}
    where: dict[str, str] = {}
    for key, variable in _NAMES.items():
        for place, values in places:
            if value := values.get(variable, "").strip():
                found[key], where[key] = value, place
                break
    host = environ.get("WANDB_APP_URL") or found.get("base_url") or DEFAULT_LINK_HOST
    host = DEFAULT_LINK_HOST if _CLOUD.match(host) else host.rstrip("/")
    return WandbSettings(found.get("entity"), found.get("project"), host, where)


def read_run_dir(path: Path) -> RunDir:
    """One run folder; the transaction log counts before the files beside it. Never raises."""
    match = RUN_DIR.fullmatch(path.name)
    run = match[1] if match else path.name
    logs = sorted(path.glob("run-*.wandb"))
    facts = read_log(logs[0]) if logs else None
    files = path / "files"
    config = dict(facts.config) if facts else {}
    if not config:
        config = _unwrapped(load_yaml(files / "config.yaml") or {})
    config.pop("_wandb", None)
    summary = facts.summary if facts and facts.summary else _json(files / "wandb-summary.json")
    told = facts.run if facts else {}
    output = files / "output.log"
    return RunDir(
        run=told.get("run") or run,
        path=str(path),
        offline=path.name.startswith("offline-"),
        log=str(logs[0]) if logs else None,
        sweep=told.get("sweep"),
        entity=told.get("entity"),
        project=told.get("project"),
        name=told.get("name"),
        notes=told.get("notes"),
        host=told.get("host"),
        job=_slurm_job(_json(files / "wandb-metadata.json")),
        started=(facts.started if facts else None) or _started(path.name),
        written=max((_mtime(place) for place in (*logs, output, files)), default=None),
        config=config,
        summary={key: value for key, value in summary.items() if key != "_wandb"},
        history=facts.history if facts else {},
        exit_code=facts.exit_code if facts else None,
        preempting=bool(facts and facts.preempting),
        output_log=str(output) if output.is_file() else None,
        synced=bool(logs) and Path(f"{logs[0]}.synced").exists(),
        problem=facts.problem if facts else "no .wandb log in it",
    )


def read_sweep_params(path: Path) -> SweepParams | None:
    """``sweep-SWEEP/config-RUN.yaml``: which run is of which sweep, with its parameters."""
    run = path.name.removeprefix("config-").rpartition(".")[0]
    sweep = path.parent.name.removeprefix("sweep-")
    content = load_yaml(path)
    if content is None or not run or not sweep:
        return None
    params = _unwrapped(content)
    params.pop("wandb_version", None)
    return SweepParams(sweep, run, params, str(path), _mtime(path) or 0.0)


def _unwrapped(config: Mapping[str, Any]) -> dict[str, Any]:
    """W&B wraps every value in ``{value: …}``."""
    return {
        str(key): value["value"] if isinstance(value, dict) and "value" in value else value
        for key, value in config.items()
    }


def _slurm_job(metadata: Mapping[str, Any]) -> str | None:
    slurm = metadata.get("slurm")
    if not isinstance(slurm, dict):
        return None
    array, task, job = (str(slurm.get(name) or "") for name in ("array_job_id", "array_task_id", "job_id"))
    if "array_task_id" in slurm and array.isdigit() and str(slurm["array_task_id"]).isdigit():
        return f"{array}_{slurm['array_task_id']}"
    return job if job.isdigit() and not task else None


def _started(name: str) -> float | None:
    """The time in the folder's name, in the local zone of who looks."""
    try:
        return datetime.strptime(name.removeprefix("offline-")[4:19], "%Y%m%d_%H%M%S").astimezone().timestamp()
    except ValueError:
        return None


def _ini(path: Path) -> dict[str, str]:
    """``[default]`` with ``key = value`` lines, and the ``key: value`` form that some labs write."""
    found: dict[str, str] = {}
    for line in _text(path).splitlines():
        if match := _SETTING.match(line):
            found[_NAMES[match[1]]] = match[2]
    return found


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(_text(path) or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _mtime(path: Path) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
