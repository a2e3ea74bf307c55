"""One frozen configuration: defaults < the user's own file < the project file < environment < flags."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

from agent.config_file import ConfigError, Settings, read_settings
from agent.models.prices import Price
from agent.transcript_keeping import Keeping
from tools.checked import ABOVE_0, SECTION, checked
from tools.compact import compact
from tools.layout import Layout

T = TypeVar("T")
PROJECT_FILE = "sweep-agent.yaml"
# A workspace may be somebody else's: it must not name programs to start or hosts to talk to, nor what may be spent.
USER_ONLY = ("model", "base_url", "slurm_bin", "rules", "limits", "prices", "transcripts")


@compact
class Limits:
    """What one session (one ``agent ask``, one chat) may use of a language model; checked before each call. The answer
    that is being made when the limit in dollars is reached is the last."""

    __pydantic_config__ = SECTION

    dollars: Annotated[float, ABOVE_0] | None = None
    calls: Annotated[int, ABOVE_0] | None = None


@compact
class Config:
    """What is in force."""

    __pydantic_config__ = SECTION

    workspace: Path
    layout: Layout = field(default_factory=Layout)
    model: str | None = None
    base_url: str | None = None
    slurm_bin: Path | None = None
    rules: Path | None = None
    limits: Limits = field(default_factory=Limits)
    prices: dict[str, Price] = field(default_factory=dict)
    """Model id -> its price; counts before what is shipped."""
    transcripts: Keeping = field(default_factory=Keeping)
    """Which conversations stay on disk."""
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
    own = read_settings(user_file(environ))
    top = {name: value for name, value in own.values.items() if name in USER_ONLY}
    written = bool(top)
    project = Settings(workspace / PROJECT_FILE)
    project = project if flags.get("demo") else read_settings(project.path)
    for name in project.values:
        if name in USER_ONLY:
            raise project.error((name,), f"{name} can only be set in {own.path}, not by a workspace")
    shared = {name: value for name, value in own.values.items() if name not in USER_ONLY}
    for values, file in ((shared, own), (project.values, project)):
        layout = _layout(values, file)
    if shared:
        layout = _layout({**shared, **project.values}, project)
    if slurm_bin := environ.get("SWEEP_AGENT_SLURM_BIN"):
        top["slurm_bin"] = Path(slurm_bin)
    if base_url := environ.get("ANTHROPIC_BASE_URL"):
        top["base_url"] = base_url
    limits = {name: flags.pop(f"max_{name}", None) for name in _names(Limits)}
    if given := {name: value for name, value in limits.items() if value is not None}:
        kept = top.get("limits")
        top["limits"] = {**(kept if isinstance(kept, dict) else {}), **given}
    top.update({name: value for name, value in flags.items() if value is not None})
    # what is in no file is of its type already
    top |= {"workspace": workspace.resolve(), "layout": layout}
    config = _checked(Config, top, own) if written or given else Config(**top)
    for name, path in (("slurm_bin", config.slurm_bin), ("rules", config.rules)):
        if path is not None and not path.expanduser().exists():
            told = " (SWEEP_AGENT_SLURM_BIN)" if name == "slurm_bin" and environ.get("SWEEP_AGENT_SLURM_BIN") else ""
            raise ConfigError(f"{name}{told}: {path} does not exist")
    return config


def _layout(values: Mapping[str, Any], file: Settings) -> Layout:
    known = _names(Layout)
    if unknown := sorted(set(values) - set(known)):
        raise file.error((unknown[0],), f"unknown key {unknown[0]!r}; known: {', '.join(known)}")
    layout = _checked(Layout, values, file) if values else Layout()
    for number, root in enumerate(layout.roots):
        if not (root.is_absolute() and root.is_dir()):
            wrong = "there is no such folder" if root.is_absolute() else "must be an absolute path, such as /scratch/me"
            raise file.error(("roots", number), f"roots: {root}: {wrong}")
    return layout


def _checked(kind: type[T], values: Mapping[str, Any], file: Settings) -> T:
    from pydantic import ValidationError

    try:
        return checked(kind, values)
    except ValidationError as error:
        raise file.invalid(error) from None


def _names(kind: type) -> list[str]:
    return [one.name for one in fields(kind)]
