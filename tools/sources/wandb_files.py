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
from tools.sources.wandb_log import LogFacts, read_log

MAX_BYTES = 1 << 20
MAX_DEPTH = 60
DEFAULT_LINK_HOST = "https://wandb.ai"
# Hosts of the public service: its pages are under wandb.ai.
_CLOUD = re.compile(r"https?://(?:api\.)?(?:wandb\.ai|forge\.coreweave\.com)/?$")
_ENV_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]{0,100})\s?=\s?(.{0,4000})$")
# A quoted value ends at its quote; what follows may only be a comment.
_QUOTED = re.compile(r"(['\"])(.{0,4000}?)\1\s{0,8}(?:#.{0,4000})?$")
_SETTING = re.compile(r"\s*(entity|project|base_url)\s?[=:]\s?(\S{1,500})\s*$")
_JOB = re.compile(r"[0-9]{1,20}(?:_[0-9]{1,20})?")
_NAMES = {"entity": "WANDB_ENTITY", "project": "WANDB_PROJECT", "base_url": "WANDB_BASE_URL"}


def read_env_files(workspace: Path) -> dict[str, str]:
    """``.env`` and then ``config.env`` as data: KEY=VALUE lines; nothing is expanded or run."""
    return _env(workspace / "config.env") | _env(workspace / ".env")


def read_settings(workspace: Path, environ: Mapping[str, str]) -> WandbSettings:
    """Entity, project and host: environment, env files, W&B's settings here, then the user's own."""
    global_ = Path(environ.get("WANDB_CONFIG_DIR") or Path.home() / ".config" / "wandb", "settings")
    places = (
        ("environment", environ),
        (".env", _env(workspace / ".env")),
        ("config.env", _env(workspace / "config.env")),
        ("wandb/settings", _ini(workspace / "wandb" / "settings")),
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
    # the client's own rule for what is neither the cloud nor a server of one's own
    host = DEFAULT_LINK_HOST if _CLOUD.match(host) else host.rstrip("/").replace("://api.", "://app.", 1)
    return WandbSettings(found.get("entity"), found.get("project"), host, where)


def read_run_dir(path: Path) -> RunDir:
    """One run folder; the transaction log counts before the files beside it. Never raises."""
    match = RUN_DIR.fullmatch(path.name)
    run = match[1] if match else path.name
    logs = _logs(path)
    facts = read_log(logs[0]) if logs else LogFacts(problem="no .wandb log in it")
    files = path / "files"
    slurm = facts.slurm or _json(files / "wandb-metadata.json").get("slurm")
    config = _own(facts.config) or _unwrapped(_plain_yaml(files / "config.yaml") or {})
    summary = _own(facts.summary) or _own(_json(files / "wandb-summary.json"))
    told = facts.run
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
        job=_slurm_job(slurm),
        started=facts.started or _started(path.name),
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
    content = _plain_yaml(path)
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


def _started(name: str) -> float | None:
    """The time in the folder's name, in the local zone of who looks."""
    try:
        return (
            datetime.strptime(name.removeprefix("offline-")[4:19], "%Y%m%d_%H%M%S").astimezone().timestamp()
        )
    except ValueError:
        return None


def _logs(path: Path) -> list[Path]:
    try:
        return sorted(path.glob("run-*.wandb"))
    except OSError:
        return []


def _plain_yaml(path: Path) -> Mapping[str, Any] | None:
    """YAML as W&B writes it: without aliases, not deep; bombs of either are refused unexpanded."""
    import yaml

    depth = 0
    try:
        for event in yaml.parse(_text(path), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH or isinstance(event, yaml.AliasEvent):
                return None
    except (yaml.YAMLError, ValueError):
        return None
    return load_yaml(path)


def _env(path: Path) -> dict[str, str]:
    values: dict[str, str] = {}
    for line in _text(path).splitlines():
        if match := _ENV_LINE.match(line):
            value = match[2].strip()
            quoted = _QUOTED.match(value)
            values[match[1]] = quoted[2] if quoted else value.partition(" #")[0].strip()
    return values


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
