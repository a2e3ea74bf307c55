"""Claude over real HTTP: errors that a person can act on, and where keys go."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from servers.messages import HttpError, MessagesServer, Page, Reply
from wire import CANCEL, HELLO, KEY, TOOLS, refused

from agent.models import ModelError
from agent.models import claude as claude_module
from agent.models.claude import Claude


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (HttpError(401, "authentication_error", f"invalid key {KEY}"), ["ANTHROPIC_API_KEY", "401"]),
        (HttpError(403, "permission_error", "not yours"), ["test-model", "not yours"]),
        (HttpError(404, "not_found_error", "model: test-model"), ["test-model", "base URL"]),
        (
            HttpError(400, "invalid_request_error", "prompt is too long\n\x1b[31m!"),
            ["prompt is too long !", "400"],
        ),
        (HttpError(413, "request_too_large", "32 MB"), ["too large"]),
        (HttpError(429, "rate_limit_error", "slow down", {"retry-after": "0"}), ["rate", "slow down"]),
        (HttpError(529, "overloaded_error", "Overloaded"), ["overloaded", "529"]),
        (HttpError(500, "api_error", "oops"), ["failed", "500"]),
        (HttpError(418, "teapot", "short and stout"), ["418", "short and stout"]),
    ],
)
def test_a_refusal_is_one_line_that_helps(answer: HttpError, says: list[str]) -> None:
    """The line names what to check and what the server said, on one line, without the key."""
    line = refused(answer)
    assert all(part in line for part in says), line


@pytest.mark.parametrize(
    ("kind", "says"),
    [("api_error", "failed"), ("overloaded_error", "overloaded"), ("rate_limit_error", "rate")],
)
def test_an_error_in_the_middle_of_a_stream_is_an_error(kind: str, says: str) -> None:
    """The HTTP status was 200 by then; the kind of the error decides what is said, and no call of it runs."""
    assert says in refused(Reply(CANCEL.content, error=(kind, "Internal server error")))


def test_a_page_of_a_proxy_is_no_answer() -> None:
    """A base URL that leads to something else says so."""
    assert "base URL" in refused(Page("<html>Log in</html>"))
    assert "base URL" in refused(Page("event: message_start\ndata: <html>\n\n", "text/event-stream"))


def test_a_busy_server_is_asked_again() -> None:
    """A short wait is waited for; the request comes back the same."""
    with MessagesServer([HttpError(529, headers={"retry-after-ms": "1"}), "now"]) as server:
        model = Claude("m", server.url, KEY, max_retries=1)
        turn = model.respond(system="s", messages=HELLO, tools=TOOLS, on_text=lambda _: None)
    assert turn.text == "now"
    assert server.requests[0] == server.requests[1]


@pytest.mark.parametrize("after", ["3600", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_an_hour_is_not_waited_for(after: str) -> None:
    """A server may ask for any wait; past a minute the person is told at once."""
    line = refused(HttpError(429, "rate_limit_error", headers={"retry-after": after}), max_retries=1)
    assert "try again in" in line


def test_nobody_listening_is_one_line() -> None:
    """Connection refused: the address that was tried is in the line, a password in it is not."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        model = Claude("m", f"http://me:pass-word@127.0.0.1:{port}", max_retries=0)
        with pytest.raises(ModelError, match=rf"can't reach http://127\.0\.0\.1:{port}.*refused") as caught:
            model.respond(system="", messages=HELLO, tools=[], on_text=lambda _: None)
    assert "pass-word" not in str(caught.value)


def test_silence_ends() -> None:
    """A server that takes the request and never answers is given up on."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        model = Claude("m", f"http://127.0.0.1:{mute.getsockname()[1]}", timeout=0.05, max_retries=0)
        with pytest.raises(ModelError, match=r"no answer within 0\.05 s"):
            model.respond(system="", messages=HELLO, tools=[], on_text=lambda _: None)


@pytest.mark.parametrize("url", ["nonsense", "ftp://host", "http://", "http://[::1", "http://host:port"])
def test_a_base_url_that_is_none_is_said_before_anything_is_sent(url: str) -> None:
    """No retries, no traceback."""
    with pytest.raises(ModelError, match="base URL"):
        Claude("m", url).respond(system="", messages=HELLO, tools=[], on_text=lambda _: None)


@pytest.mark.parametrize("environment", [None, "", "https://api.anthropic.com"])
def test_no_key_says_how_to_give_one(monkeypatch: pytest.MonkeyPatch, environment: str | None) -> None:
    """Anthropic's own servers need a key, and nothing is sent without one."""
    if environment is not None:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", environment)
    with pytest.raises(ModelError, match="set ANTHROPIC_API_KEY"):
        Claude("m").respond(system="", messages=HELLO, tools=[], on_text=lambda _: None)


def test_an_empty_base_url_means_anthropic(monkeypatch: pytest.MonkeyPatch) -> None:
    """``export ANTHROPIC_BASE_URL=`` is how a shell unsets it in a hurry."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "")
    with Claude("m", api_key=KEY)._connect() as client:
        assert client.base_url.host == "api.anthropic.com"


def test_a_profile_that_cannot_be_read_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The SDK looks for credentials in files too; what it says about them is passed on."""
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path))
    with pytest.raises(ModelError, match=r"set ANTHROPIC_API_KEY.*default\.json"):
        Claude("m").respond(system="", messages=HELLO, tools=[], on_text=lambda _: None)


def test_a_profile_is_not_taken_to_another_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A token that belongs to Anthropic's servers stays away from a server of the cluster."""
    for folder, content in (
        ("configs", {"authentication": {"type": "user_oauth"}}),
        ("credentials", {"access_token": KEY, "expires_at": 4102444800}),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "default.json").write_text(json.dumps(content))
        (tmp_path / folder / "default.json").chmod(0o600)
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path))
    with MessagesServer(["one"]) as server:
        model = Claude("m", server.url, max_retries=0)
        model.respond(system="", messages=HELLO, tools=[], on_text=lambda _: None)
    assert KEY not in json.dumps(server.headers)


def test_a_key_that_cannot_be_sent_is_said_without_showing_it() -> None:
    """A header can't carry it, and the HTTP library's own error would print it."""
    with pytest.raises(ModelError, match="ANTHROPIC_API_KEY") as caught:
        Claude("m", "http://127.0.0.1:9", "sk-ant-“quoted”").respond(
            system="", messages=HELLO, tools=[], on_text=lambda _: None
        )
    assert "quoted" not in str(caught.value)


def test_importing_the_model_does_not_import_the_sdk() -> None:
    """The SDK takes most of a second to import, which ``agent status`` would pay for nothing."""
    program = "import sys, agent.models.claude as c; c.Claude(); print('anthropic' in sys.modules)"
    root = Path(claude_module.__file__).parents[2]
    out = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
