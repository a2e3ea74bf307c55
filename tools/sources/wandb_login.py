"""Which key the W&B service is asked with, and that no server gets a key that is not meant for it."""

from __future__ import annotations

import netrc
import os
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from urllib.parse import urlsplit

from tools.compact import compact
from tools.sources.wandb_settings import DEFAULT_API, own_server, read_env_files
from tools.wandb_data import WandbSettings

_KEY = "WANDB_API_KEY"
# The client of 0.31 saves the cloud's key under its new host; both reach the same service.
_CLOUD_HOSTS = ("api.wandb.ai", "api.forge.coreweave.com")
_NOT_ASKED = {"offline", "disabled", "dryrun"}


class NotAsked(Exception):
    """Why the service is not asked, and what to do about it; one line."""


@compact
class Login:
    """A server, and the key that is meant for it."""

    url: str
    key: str = field(repr=False)
    key_from: str

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc


def login_of(workspace: Path, environ: Mapping[str, str], settings: WandbSettings) -> Login:
    """The server of the settings with its key. Raises NotAsked.

    A key of the environment goes only to the server that the person's own settings name: whoever writes a file of the
    workspace could else have it sent to a server of theirs. A key of the workspace, and one that ``~/.netrc`` keeps for
    that very host and port, may go there; the latter unencrypted only where the person's own settings say so.
    """
    mode = environ.get("WANDB_MODE", "").lower()
    if mode in _NOT_ASKED:
        raise NotAsked(f"not asked, since WANDB_MODE is {mode}: states come from files on disk")
    host = urlsplit(settings.api_url).netloc
    if (key := environ.get(_KEY, "").strip()) and settings.api_url == own_server(environ):
        return Login(settings.api_url, key, "environment")
    if own := read_env_files(workspace).get(_KEY, "").strip():
        return Login(settings.api_url, own, "the workspace's env file")
    if saved := _from_netrc(environ, host):
        if _in_clear(settings.api_url) and settings.api_url != own_server(environ):
            raise NotAsked(
                f"not asked: {settings.found_in.get('api_url')} names {settings.api_url}, and the key that your netrc "
                "keeps for it is not sent unencrypted; name it with https, or set WANDB_BASE_URL in your environment"
            )
        return Login(settings.api_url, saved, "netrc")
    if key:
        raise NotAsked(
            f"not asked: {settings.found_in.get('api_url')} names the server {settings.api_url}, and the key of your "
            f"environment is not sent there; set WANDB_BASE_URL in your environment too, or run "
            f"`wandb login --host {settings.api_url}`"
        )
    where = "" if settings.api_url == DEFAULT_API else f" for {host}"
    raise NotAsked(f"not asked: no API key{where} (set {_KEY} or run `wandb login`); states come from files on disk")


def _in_clear(url: str) -> bool:
    """Whether others on the way could read what is sent there."""
    told = urlsplit(url)
    return told.scheme == "http" and told.hostname not in ("localhost", "127.0.0.1", "::1")


def _from_netrc(environ: Mapping[str, str], host: str) -> str | None:
    """The key of this host and port; an entry ``default`` is for no server in particular, and given to none."""
    home, named = environ.get("HOME"), environ.get("NETRC")
    for path in [named] if named else [f"{home}/.netrc", f"{home}/_netrc"] if home else []:
        try:
            if not os.path.isfile(path):
                continue
            entries = netrc.netrc(path).hosts
        except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
            continue  # the client reads it as no login, too; what is missing is said by the caller
        hosts = _CLOUD_HOSTS if host == urlsplit(DEFAULT_API).netloc else (host,)
        for name in hosts:
            if name != "default" and name in entries and (key := entries[name][2]):
                return key
    return None
