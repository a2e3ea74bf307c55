"""Which W&B entity, project and host a workspace uses, and where that stands."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from tools.wandb_data import WandbSettings

MAX_BYTES = 1 << 20

DEFAULT_LINK_HOST = "https://wandb.ai"
DEFAULT_API = "https://api.wandb.ai"

# Hosts of the public service: its pages are under wandb.ai.
_CLOUD = re.compile(r"https?://(?:api\.)?(?:wandb\.ai|forge\.coreweave\.com(?:/api/wandb)?)/?$", re.IGNORECASE)

_ENV_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]{0,100})\s{0,20}=(.{0,4000})$")

# A quoted value ends at its quote; what follows may only be a comment.
_QUOTED = re.compile(r"(['\"])(.{0,4000}?)\1\s{0,8}(?:#.{0,4000})?$")

_SETTING = re.compile(r"\s{0,20}(entity|project|base_url)\s{0,20}[=:]\s{0,20}(\S{1,500})\s*$")

_URL = re.compile(r"https?://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]{0,200})?")

# A reference to another variable is no name.
_REFERENCE = re.compile(r"\$[({A-Za-z_]")

_NAMES = {"entity": "WANDB_ENTITY", "project": "WANDB_PROJECT", "base_url": "WANDB_BASE_URL"}

_APP_URL = "WANDB_APP_URL"


def read_env_files(workspace: Path) -> dict[str, str]:
    """KEY=VALUE lines of ``.env``, then ``config.env``, as data; nothing is expanded or run."""
    return _env(workspace / ".env") | _env(workspace / "config.env")


def read_settings(workspace: Path, environ: Mapping[str, str]) -> WandbSettings:
    """Entity, project and host: environment, env files, W&B's settings here, then the user's own.

    What can't be one (a host that is no http address, a reference to another variable) counts as not there.
    """
    places = (
        ("environment", environ),
        ("config.env", _env(workspace / "config.env")),
        (".env", _env(workspace / ".env")),
        ("wandb/settings", _ini(workspace / "wandb" / "settings")),
        _own_settings(environ),
    )
    found: dict[str, str] = {}
    where: dict[str, str] = {}
    for key, variable in {**_NAMES, "app_url": _APP_URL}.items():
        for place, values in places:
            value = values.get(variable, "").strip()
            if value and not _REFERENCE.search(value) and (key in ("entity", "project") or _URL.fullmatch(value)):
                found[key], where[key] = value, place
                break
    if "base_url" in where:
        where["api_url"] = where["base_url"]
    host = found.get("app_url") or found.get("base_url") or DEFAULT_LINK_HOST
    if "app_url" in where:
        where["base_url"] = where.pop("app_url")
    # the client's own rule for what is neither the cloud nor a server of one's own
    host = DEFAULT_LINK_HOST if _CLOUD.match(host) else host.rstrip("/").replace("://api.", "://app.", 1)
    return WandbSettings(found.get("entity"), found.get("project"), host, _api(found.get("base_url", "")), where)


def own_server(environ: Mapping[str, str]) -> str:
    """Where the service answers that the environment or the user's own settings name; no file of a workspace counts."""
    places = (environ, _own_settings(environ)[1])
    urls = (values.get(_NAMES["base_url"], "").strip() for values in places)
    return _api(next((url for url in urls if _URL.fullmatch(url)), ""))


def _api(url: str) -> str:
    return DEFAULT_API if not url or _CLOUD.match(url) else url.rstrip("/")


def _own_settings(environ: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    path = Path(environ.get("WANDB_CONFIG_DIR") or Path.home() / ".config" / "wandb", "settings")
    return str(path), _ini(path)


def _env(path: Path) -> dict[str, str]:
    values: dict[str, str] = {}
    for line in small_text(path).splitlines():
        if match := _ENV_LINE.match(line):
            value = match[2].strip()
            quoted = _QUOTED.match(value)
            values[match[1]] = quoted[2] if quoted else value.partition(" #")[0].strip()
    return values


def _ini(path: Path) -> dict[str, str]:
    """``[default]`` with ``key = value`` lines, and the ``key: value`` form that some labs write."""
    found: dict[str, str] = {}
    for line in small_text(path).splitlines():
        if line.startswith("[") and line.strip() != "[default]":
            break
        if match := _SETTING.match(line):
            found[_NAMES[match[1]]] = match[2].strip("'\"")
    return found


def small_text(path: Path | str) -> str:
    try:
        if not os.path.isfile(path):
            return ""
        with open(path, "rb") as file:  # noqa: PTH123 - thousands of paths that are plain text
            return file.read(MAX_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return ""
