"""One frozen configuration: defaults < the user's own file < the project file < environment < flags."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.models.prices import Price
from tools.layout import Layout
from tools.sources.yaml_files import MAX_BYTES, affordable

PROJECT_FILE = "sweep-agent.yaml"
# A workspace may be somebody else's: it must not name programs to start or hosts to talk to, nor what may be spent.
USER_ONLY = ("model", "base_url", "slurm_bin", "rules", "limits", "prices")


class ConfigError(Exception):
    """A setting is wrong. One line that names the file, the field and what to do."""


class Limits(BaseModel):
    """What one session (one ``agent ask``, one chat) may use of a language model; checked before each call. The answer
    that is being made when the limit in dollars is reached is the last."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dollars: float | None = Field(None, gt=0)
    calls: int | None = Field(None, gt=0)


class Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    workspace: Path
    layout: Layout = Layout()
    model: str | None = None
    base_url: str | None = None
    slurm_bin: Path | None = None
    rules: Path | None = None
    limits: Limits = Limits()
    prices: dict[str, Price] = {}
    """Model id -> its price; counts before what is shipped."""
    demo: bool = False


def state_dir(environ: Mapping[str, str]) -> Path:
    """Where transcripts, the audit and the demo lie: ``$XDG_STATE_HOME/sweep-agent``."""
    base = environ.get("XDG_STATE_HOME", "")
    home = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return home / "sweep-agent"


def user_file(environ: Mapping[str, str]) -> Path:
    """The user's own configuration file."""
    base = environ.get("XDG_CONFIG_HOME", "")
    home = Path(base) if base.startswith("/") else Path.home() / ".config"
    return home / "sweep-agent" / "config.yaml"


def load(environ: Mapping[str, str] = os.environ, **flags: Any) -> Config:
    """The configuration in force. ``flags`` that are None were not given. Raises ConfigError."""
    try:
        workspace = Path(flags.pop("workspace", None) or Path.cwd()).expanduser()
    except (OSError, RuntimeError) as error:  # the folder one stands in is gone; ~nobody
        raise ConfigError(f"--workspace: {getattr(error, 'strerror', None) or error}; name the folder") from None
    if not workspace.is_dir():
        raise ConfigError(f"--workspace {workspace}: no such folder")
    own = _read(user_file(environ))
    top = {name: own.pop(name) for name in USER_ONLY if name in own}
    project = {} if flags.get("demo") else _read(workspace / PROJECT_FILE)
    if wrong := sorted(set(project) & set(USER_ONLY)):
        raise ConfigError(
            f"{workspace / PROJECT_FILE}: {wrong[0]} can only be set in {user_file(environ)}, not by a workspace"
        )
    _check(own, user_file(environ))
    _check(project, workspace / PROJECT_FILE)
    layout = _layout({**own, **project}, workspace / PROJECT_FILE)
    if slurm_bin := environ.get("SWEEP_AGENT_SLURM_BIN"):
        top["slurm_bin"] = slurm_bin
    if base_url := environ.get("ANTHROPIC_BASE_URL"):
        top["base_url"] = base_url
    limits = {name: flags.pop(f"max_{name}", None) for name in Limits.model_fields}
    if given := {name: value for name, value in limits.items() if value is not None}:
        kept = top.get("limits")
        top["limits"] = {**(kept if isinstance(kept, dict) else {}), **given}
    top.update({name: value for name, value in flags.items() if value is not None})
    try:
        config = Config(workspace=workspace.resolve(), layout=layout, **top)
    except ValidationError as error:
        raise ConfigError(f"{user_file(environ)}: {_first(error)}") from None
    for name, path in (("slurm_bin", config.slurm_bin), ("rules", config.rules)):
        if path is not None and not path.expanduser().exists():
            told = " (SWEEP_AGENT_SLURM_BIN)" if name == "slurm_bin" and environ.get("SWEEP_AGENT_SLURM_BIN") else ""
            raise ConfigError(f"{name}{told}: {path} does not exist")
    return config


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        if not path.is_file():
            if path.exists() or path.is_symlink():
                raise ConfigError(f"{path}: is no file that can be read (a folder, a pipe or a broken link)")
            return {}
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: too large or too deeply nested for a configuration file")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    try:
        if len(text) > MAX_BYTES or not affordable(text.encode()):
            raise ConfigError(f"{path}: too large or too deeply nested for a configuration file")
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{where}: not YAML: {getattr(error, 'problem', None) or 'broken'}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: must be `key: value` lines")
    return {str(key): item for key, item in value.items()}


def _check(values: Mapping[str, Any], path: Path) -> None:
    unknown = sorted(set(values) - set(Layout.model_fields))
    if unknown:
        raise ConfigError(f"{path}: unknown key {unknown[0]!r}; known: {', '.join(Layout.model_fields)}")
    _layout(values, path)


def _layout(values: Mapping[str, Any], path: Path) -> Layout:
    try:
        layout = Layout.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first(error)}") from None
    for root in layout.roots:
        if not (root.is_absolute() and root.is_dir()):
            wrong = "there is no such folder" if root.is_absolute() else "must be an absolute path, such as /scratch/me"
            raise ConfigError(f"{path}: roots: {root}: {wrong}")
    return layout


def _first(error: ValidationError) -> str:
    entry = error.errors()[0]
    told = _WORDS.get(entry["type"]) or entry["msg"].removeprefix("Value error, ")
    # an entry of a list is counted as people count
    where = [f"entry {part + 1}" if isinstance(part, int) else f".{part}" for part in entry["loc"]]
    return f"{' '.join(where).replace(' .', '.').lstrip('.')}: {told}"


_WORDS = {
    "tuple_type": 'must be a list, such as ["a", "b"]',
    "string_type": "must be text",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "greater_than": "must be greater than 0",
    "greater_than_equal": "must not be less than 0",
    "missing": "is missing",
    "date_from_datetime_parsing": "must be a date, such as 2026-11-01",
    "path_type": "must be a folder's path",
    "model_type": "must be `key: value` lines",
    "model_attributes_type": "must be `key: value` lines",
    "dict_type": "must be `key: value` lines",
    "extra_forbidden": "is no known key",
}
"""What pydantic says, as a person would say it."""
