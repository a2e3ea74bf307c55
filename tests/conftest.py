"""Every test has its own home and state, no key, and no network beyond this machine."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from lab import Lab

if TYPE_CHECKING:
    from servers.wandb import WandbServer
    from spread import Spread

# the same examples on every machine: a failure can be seen again, and a run says the same twice
settings.register_profile("same", derandomize=True, database=None)
settings.load_profile("same")

LOCAL = ("127.0.0.1", "localhost", "::1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spread:
    from spread import Spread  # needed only where tests are spread over processes

    return Spread(config, log)


@pytest.fixture(autouse=True)
def own_world(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    home = tmp_path_factory.mktemp("home")
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home / name))
    for name in (
        "SWEEP_AGENT_SLURM_BIN",
        "WANDB_API_KEY",
        "WANDB_APP_URL",
        "WANDB_BASE_URL",
        "WANDB_CONFIG_DIR",
        "WANDB_ENTITY",
        "WANDB_MODE",
        "WANDB_PROJECT",
        "NETRC",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in list(os.environ):
        if name.startswith("ANTHROPIC_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    yield


@pytest.fixture(autouse=True)
def no_network(only_this_machine: None) -> None:
    """A test of its own kind may override it."""


@pytest.fixture
def only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in LOCAL:
            raise AssertionError(f"a test tried to reach {address}")
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "proj"
    folder.mkdir()
    return folder


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    if made.wandb:
        made.wandb.__exit__(None, None, None)


@pytest.fixture
def wandb_server() -> Iterator[WandbServer]:
    """The stand-in W&B service, empty."""
    from servers.wandb import WandbServer  # a GraphQL library, which most tests don't need

    with WandbServer() as server:
        yield server
