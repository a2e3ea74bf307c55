"""Which server gets which key. A workspace is written by others: its files never have a person's key sent anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.sources.wandb_login import Login, NotAsked, login_of
from tools.sources.wandb_settings import read_settings

MINE = "mine" * 10
CLOUD = "https://api.wandb.ai"
LAB = "https://wandb.lab.example.org:8443"
EVIL = "https://wandb.evil.example.org"


def _login(workspace: Path, **environ: str) -> Login:
    told = {"HOME": str(Path.home()), **environ}
    return login_of(workspace, told, read_settings(workspace, told))


def _refused(workspace: Path, **environ: str) -> str:
    with pytest.raises(NotAsked) as why:
        _login(workspace, **environ)
    assert MINE not in str(why.value) and "\n" not in str(why.value)
    return str(why.value)


def _netrc(*machines: str, path: Path | None = None) -> None:
    path = path or Path.home() / ".netrc"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"machine {name}\n  login user\n  password {MINE}\n" for name in machines))
    path.chmod(0o600)


def _own_settings(url: str) -> None:
    folder = Path.home() / ".config" / "wandb"
    folder.mkdir(parents=True)
    (folder / "settings").write_text(f"[default]\nbase_url = {url}\n")


def test_a_key_of_the_environment_is_for_the_cloud(workspace: Path) -> None:
    assert _login(workspace, WANDB_API_KEY=f" {MINE} ") == Login(CLOUD, MINE, "environment")


@pytest.mark.parametrize("machine", ["api.wandb.ai", "api.forge.coreweave.com"])
@pytest.mark.parametrize(
    "named", ["", CLOUD, "https://api.forge.coreweave.com/", "https://forge.coreweave.com/api/wandb"]
)
def test_a_saved_key_of_the_cloud_counts_under_its_old_and_new_name(workspace: Path, machine: str, named: str) -> None:
    _netrc(machine)
    assert _login(workspace, WANDB_BASE_URL=named) == Login(CLOUD, MINE, "netrc")


@pytest.mark.parametrize("place", [".env", "wandb/settings"])
def test_a_saved_key_is_not_sent_in_clear_because_a_workspace_says_http(workspace: Path, place: str) -> None:
    """Its host is the person's own, so only the s is missing."""
    _netrc("wandb.lab.example.org:8443")
    clear = LAB.replace("https", "http")
    (workspace / place).parent.mkdir(exist_ok=True)
    (workspace / place).write_text(f"{'WANDB_BASE_URL' if place == '.env' else 'base_url'}={clear}\n")
    assert "not sent unencrypted" in _refused(workspace)
    assert _login(workspace, WANDB_BASE_URL=clear) == Login(clear, MINE, "netrc"), "the person says so"
    _own_settings(clear)
    assert _login(workspace) == Login(clear, MINE, "netrc")


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080"])
def test_on_this_machine_nobody_listens_in(workspace: Path, host: str) -> None:
    _netrc(host)
    (workspace / ".env").write_text(f"WANDB_BASE_URL=http://{host}\n")
    assert _login(workspace) == Login(f"http://{host}", MINE, "netrc")


@pytest.mark.parametrize("saved", ["_netrc", "elsewhere/mine"])
def test_the_other_places_of_a_netrc(workspace: Path, saved: str) -> None:
    path = Path.home() / saved
    _netrc("api.wandb.ai", path=path)
    named = {} if saved == "_netrc" else {"NETRC": str(path)}
    assert _login(workspace, **named).key == MINE


@pytest.mark.parametrize(
    "content", ["machine api.wandb.ai login", "\xff\xfe", 'machine api.wandb.ai login me password ""\n']
)
def test_a_netrc_that_says_nothing_is_no_login(workspace: Path, content: str) -> None:
    Path.home().mkdir(parents=True, exist_ok=True)
    (Path.home() / ".netrc").write_text(content, encoding="latin-1")
    assert "no API key (set WANDB_API_KEY or run `wandb login`)" in _refused(workspace)


def test_a_server_of_ones_own_from_the_environment_or_the_own_settings_gets_the_key(workspace: Path) -> None:
    assert _login(workspace, WANDB_BASE_URL=f"{LAB}/", WANDB_API_KEY=MINE) == Login(LAB, MINE, "environment")
    _own_settings(LAB)
    assert _login(workspace, WANDB_API_KEY=MINE) == Login(LAB, MINE, "environment")


@pytest.mark.parametrize("name", [".env", "config.env", "wandb/settings"])
class TestServerNamedByTheWorkspace:
    def _say(self, workspace: Path, name: str, url: str) -> None:
        path = workspace / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"[default]\nbase_url = {url}\n" if name == "wandb/settings" else f"WANDB_BASE_URL={url}\n")

    def test_it_is_not_given_the_key_of_the_environment(self, workspace: Path, name: str) -> None:
        self._say(workspace, name, EVIL)
        why = _refused(workspace, WANDB_API_KEY=MINE)
        assert f"{name} names the server {EVIL}, and the key of your environment is not sent there" in why
        assert f"wandb login --host {EVIL}" in why

    def test_it_is_given_what_is_saved_for_that_very_host_and_port(self, workspace: Path, name: str) -> None:
        self._say(workspace, name, LAB)
        _netrc("api.wandb.ai", "wandb.lab.example.org", "wandb.lab.example.org:8444", "lab.example.org")
        assert "no API key for wandb.lab.example.org:8443" in _refused(workspace)
        _netrc("wandb.lab.example.org:8443")
        assert _login(workspace, WANDB_API_KEY="another" * 6) == Login(LAB, MINE, "netrc")

    def test_no_entry_for_any_host_counts(self, workspace: Path, name: str) -> None:
        Path.home().mkdir(parents=True, exist_ok=True)
        (Path.home() / ".netrc").write_text(f"default login user password {MINE}\n")
        for url in (EVIL, "http://default"):
            self._say(workspace, name, url)
            _refused(workspace)

    def test_the_cloud_and_the_persons_own_server_get_the_key(self, workspace: Path, name: str) -> None:
        self._say(workspace, name, CLOUD)
        assert _login(workspace, WANDB_API_KEY=MINE).url == CLOUD
        self._say(workspace, name, LAB)
        _own_settings(LAB)
        assert _login(workspace, WANDB_API_KEY=MINE).url == LAB

    def test_a_key_for_a_server_of_ones_own_does_not_go_to_the_cloud(self, workspace: Path, name: str) -> None:
        self._say(workspace, name, CLOUD)
        _own_settings(LAB)
        assert "is not sent there" in _refused(workspace, WANDB_API_KEY=MINE)

    def test_nor_to_the_own_server_without_its_encryption(self, workspace: Path, name: str) -> None:
        self._say(workspace, name, LAB.replace("https", "http"))
        _own_settings(LAB)
        assert "is not sent there" in _refused(workspace, WANDB_API_KEY=MINE)


def test_a_workspace_with_a_key_of_its_own_is_asked_with_that(workspace: Path) -> None:
    (workspace / ".env").write_text(f"WANDB_BASE_URL={EVIL}\nWANDB_API_KEY=theirs\n")
    assert _login(workspace, WANDB_API_KEY=MINE) == Login(EVIL, "theirs", "the workspace's env file")


@pytest.mark.parametrize("mode", ["offline", "disabled", "DRYRUN"])
def test_who_works_offline_is_not_asked(workspace: Path, mode: str) -> None:
    assert f"WANDB_MODE is {mode.lower()}" in _refused(workspace, WANDB_API_KEY=MINE, WANDB_MODE=mode)


def test_a_key_is_never_shown_with_its_login(workspace: Path) -> None:
    assert MINE not in repr(_login(workspace, WANDB_API_KEY=MINE))
