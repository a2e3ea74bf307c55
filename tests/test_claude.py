"""Claude over real HTTP against a scripted Messages API, with the real SDK in between."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from servers.messages import Answer, HttpError, MessagesServer, Page, Reply, call, text

from agent.models import ModelError, Turn, Usage
from agent.models import claude as claude_module
from agent.models import stream as stream_module
from agent.models.claude import Claude

KEY = "sk-ant-test-0123456789abcdefghijklmnop"
TOOLS = [{"name": name, "description": name, "input_schema": {"type": "object"}} for name in ("squeue", "cancel")]
HELLO = [{"role": "user", "content": "How are my sweeps?"}]
CANCEL = Reply([text("I will cancel it."), call("cancel", {"job_id": "12345", "dry_run": True})])


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("ANTHROPIC_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


Asked = tuple[Turn, list[str], MessagesServer]


@pytest.fixture
def ask() -> Iterator[Callable[..., Asked]]:
    def run(answer: Answer, **options: Any) -> Asked:
        said: list[str] = []
        with MessagesServer([answer] * (1 + options.get("max_retries", 0))) as server:
            model = Claude("test-model", server.url, KEY, **{"max_retries": 0, "timeout": 20.0, **options})
            turn = model.respond(system="Rules.", messages=HELLO, tools=TOOLS, on_text=said.append)
        return turn, said, server

    yield run


def refused(ask: Callable[..., Asked], answer: Answer, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        ask(answer, **options)
    line = str(caught.value)
    assert "\n" not in line and len(line) <= 400
    assert KEY not in line
    return line


# What a good turn gives


def test_text_arrives_while_it_is_made(ask: Callable[..., Asked]) -> None:
    """The text is shown piece by piece, and the turn holds the whole of it."""
    words = "Two sweeps are running; one agent of the first has died."
    turn, said, _ = ask(words)
    assert len(said) > 3 and "".join(said) == words == turn.text
    assert (turn.stop, turn.tool_calls, turn.model) == ("end_turn", (), "served-model")


def test_a_finished_call_arrives_whole(ask: Callable[..., Asked]) -> None:
    """Text and call come as the blocks that go back; the input is parsed from all of its pieces."""
    turn, _, _ = ask(CANCEL)
    assert turn.stop == "tool_use"
    assert turn.tool_calls == (call("cancel", {"job_id": "12345", "dry_run": True}),)
    assert turn.content == tuple(CANCEL.content)


def test_several_calls_and_one_without_arguments(ask: Callable[..., Asked]) -> None:
    """Calls keep their order; an input of which nothing was sent is the empty object."""
    turn, _, _ = ask([call("squeue", {}, "toolu_1"), call("squeue", {"user": "é"}, "toolu_2")])
    assert [one["input"] for one in turn.tool_calls] == [{}, {"user": "é"}]


def test_thinking_and_unknown_blocks_go_back_untouched(
    ask: Callable[..., Asked], recwarn: pytest.WarningsRecorder
) -> None:
    """The API checks the signature of a thought; a block of a later API is kept, without a warning."""
    thinking = {"type": "thinking", "thinking": "Which job is it?", "signature": "c2lnbmF0dXJl"}
    hidden = {"type": "redacted_thinking", "data": "b3BhcXVl"}
    later = {"type": "hologram", "shape": {"sides": [1, {"of": None}]}, "when": "2031-01-01T00:00:00Z"}
    blocks = [thinking, hidden, later, call("squeue", {"user": "me"})]
    turn, said, _ = ask(blocks)
    assert turn.content == tuple(blocks)
    assert said == []
    assert not [one for one in recwarn if "ydantic" in str(one.message)]


def test_tokens_are_counted_once(ask: Callable[..., Asked]) -> None:
    """The closing totals replace the opening ones; cached tokens keep their own count."""
    usage = {"input_tokens": 12, "output_tokens": 70, "cache_read_input_tokens": 900}
    turn, _, _ = ask(Reply([text("ok")], usage={**usage, "cache_creation_input_tokens": 33}))
    assert turn.usage == Usage(input=12, output=70, cache_read=900, cache_write=33)


# What is sent


def without_marks(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_marks(item) for key, item in value.items() if key != "cache_control"}
    return [without_marks(item) for item in value] if isinstance(value, list) else value


def marks(value: Any) -> int:
    if isinstance(value, dict):
        return ("cache_control" in value) + sum(marks(item) for item in value.values())
    return sum(marks(item) for item in value) if isinstance(value, list) else 0


def conversation() -> list[dict[str, Any]]:
    """Three requests of one conversation, as they reached the server."""
    messages: list[dict[str, Any]] = [*HELLO]
    with MessagesServer([[call("squeue", {"user": "me"})], [call("squeue", {}, "toolu_2")], "Well."]) as server:
        model = Claude("test-model", server.url, KEY, max_retries=0)
        for _ in range(3):
            before = json.dumps(messages)
            turn = model.respond(system="Rules.", messages=messages, tools=TOOLS, on_text=lambda _: None)
            assert json.dumps(messages) == before, "the caller's messages are its own"
            results = [{"type": "tool_result", "tool_use_id": one["id"], "content": "none"} for one in turn.tool_calls]
            messages += [
                {"role": "assistant", "content": list(turn.content)},
                {"role": "user", "content": results},
            ]
    return server.requests


def test_a_request_begins_with_the_bytes_of_the_one_before() -> None:
    """A prompt cache holds prefixes: system, tools and old messages never change in a conversation."""
    for before, after in pairwise(conversation()):
        assert json.dumps([before["system"], before["tools"]]) == json.dumps([after["system"], after["tools"]])
        old = json.dumps(without_marks(before["messages"]))
        assert json.dumps(without_marks(after["messages"])).startswith(old[:-1])


def test_cache_marks_stand_where_the_prefix_ends() -> None:
    """On the system prompt, the last tool and the last two user messages; the API refuses a fifth."""
    first, _, third = conversation()
    assert [marks(first[part]) for part in ("system", "tools", "messages")] == [1, 1, 1]
    assert [marks(third[part]) for part in ("system", "tools", "messages")] == [1, 1, 2]
    assert "cache_control" in third["tools"][-1] and "cache_control" not in TOOLS[-1]
    assert [marks(message) for message in third["messages"]] == [0, 0, 1, 0, 1]
    assert "cache_control" in third["messages"][-1]["content"][-1]


def test_tools_go_out_in_the_order_given(ask: Callable[..., Asked]) -> None:
    """The order is the caller's, and the request names the model and streams."""
    _, _, server = ask("ok")
    (request,) = server.requests
    assert [tool["name"] for tool in request["tools"]] == ["squeue", "cancel"]
    assert (request["model"], request["stream"]) == ("test-model", True)


def test_nothing_to_say_is_left_out() -> None:
    """The API refuses an empty system prompt."""
    with MessagesServer(["ok"]) as server:
        Claude("m", server.url, max_retries=0).respond(system="", messages=HELLO, tools=[], on_text=lambda _: None)
    assert not {"system", "tools"} & set(server.requests[0])


def test_a_server_in_the_cluster_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a base URL of its own and no key anywhere a request still goes out, and its model answers."""
    with MessagesServer(["one", "two"]) as server:
        for given, environment in ((server.url, "https://elsewhere.invalid"), (None, server.url)):
            monkeypatch.setenv("ANTHROPIC_BASE_URL", environment)
            model = Claude("local", given, max_retries=0)
            assert model.respond(system="", messages=HELLO, tools=[], on_text=lambda _: None).stop == "end_turn"
    assert len({headers["authorization"] for headers in server.headers}) == 1


def test_the_key_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key with the newline of the file it came from still works."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY + "\n")
    with MessagesServer(["one"]) as server:
        Claude("m", server.url, max_retries=0).respond(system="", messages=HELLO, tools=[], on_text=lambda _: None)
    assert KEY in server.headers[0]["authorization"]


# Only a finished turn acts


def never_acts(turn: Turn, stop: str) -> None:
    assert (turn.stop, turn.tool_calls) == (stop, ())
    assert not [block for block in turn.content if block["type"] == "tool_use"], "no call without a result goes back"
    assert "cancel" in turn.detail


@pytest.mark.parametrize("abrupt", [False, True])
@pytest.mark.parametrize("piece", [1, 4, 1000])
def test_a_call_cut_at_any_byte_runs_nothing(ask: Callable[..., Asked], piece: int, abrupt: bool) -> None:
    """``{"job_id": "12345`` cut off is not job 1234: wherever the stream ends, on a clean close or a dropped
    connection, nothing runs."""
    whole = Reply(CANCEL.content, piece=piece)
    body = whole.body()
    start = body.index(b'"tool_use"')
    places = sorted({*range(start + 90, len(body) - 1, max(1, (len(body) - start) // 12)), len(body) - 60})
    for place in places:
        turn, _, _ = ask(Reply(CANCEL.content, piece=piece, cut=place, abrupt=abrupt))
        never_acts(turn, "cut")
        assert turn.text == "I will cancel it."


def test_a_number_cut_short_is_no_shorter_number(ask: Callable[..., Asked]) -> None:
    """The end of the turn was seen, but the input stops inside a number."""
    turn, _, _ = ask(Reply([call("cancel", '{"job_id": 12345')], stop="tool_use"))
    never_acts(turn, "cut")


@pytest.mark.parametrize(
    "given",
    ['{"job_id": 12345', '{"a": tru', '"12345"', "[]", '{"a": NaN}', '{"a": "\\ud800"}', "[" * 100_000],
)
def test_an_input_that_is_no_whole_object_runs_nothing(ask: Callable[..., Asked], given: str) -> None:
    """A turn that claims to be finished is still checked: one JSON object, or the call is dropped."""
    never_acts(ask(Reply([call("cancel", given)], stop="tool_use", piece=5000))[0], "cut")
    reader = stream_module.Reader()  # the SDK stumbles over some of these by itself; that is not relied on
    for event in Reply([call("cancel", given)], stop="tool_use", piece=5000).events():
        reader.take(event)
    never_acts(reader.turn(), "cut")


def test_a_connection_lost_after_the_end_loses_nothing(ask: Callable[..., Asked]) -> None:
    """Some proxies drop the connection as soon as all was said; the turn is whole by then."""
    turn, _, _ = ask(Reply(CANCEL.content, abrupt=True))
    assert turn.content == tuple(CANCEL.content) and len(turn.tool_calls) == 1


@pytest.mark.parametrize("missing", ["message_stop", "message_delta", "content_block_stop"])
def test_a_clean_end_without_its_closing_events_is_a_cut(ask: Callable[..., Asked], missing: str) -> None:
    """A stream may end as if all had been said; each of the events that close a turn has to be there."""
    never_acts(ask(Reply(CANCEL.content, leave_out=(missing,)))[0], "cut")


def test_no_stop_reason_is_a_cut(ask: Callable[..., Asked]) -> None:
    """The end was sent without saying why."""
    never_acts(ask(Reply(CANCEL.content, stop=None))[0], "cut")


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", "end_turn"),
        ("stop_sequence", "stop_sequence"),
        ("max_tokens", "max_tokens"),
        ("refusal", "refusal"),
        ("pause_turn", "pause_turn"),
        ("model_context_window_exceeded", "context_full"),
        ("compaction", "unknown"),
        ("cut", "unknown"),
        ("context_full", "unknown"),
        ("tool_use_but_new", "unknown"),
    ],
)
def test_only_the_stop_for_tools_runs_tools(ask: Callable[..., Asked], reason: str, stop: str) -> None:
    """Every other reason, one that nobody knows yet included, leaves the calls alone and keeps the text."""
    turn, _, _ = ask(Reply(CANCEL.content, stop=reason))
    never_acts(turn, stop)
    assert turn.text == "I will cancel it."
    assert (reason in turn.detail) == (stop == "unknown")


def test_a_stop_for_tools_without_a_call_is_not_a_call(ask: Callable[..., Asked]) -> None:
    """There would be nothing to answer it with."""
    turn, _, _ = ask(Reply([text("hm")], stop="tool_use"))
    assert (turn.stop, turn.tool_calls, turn.text) == ("unknown", (), "hm")


def test_what_the_api_would_refuse_is_not_sent_back(ask: Callable[..., Asked]) -> None:
    """Empty text, or a thought left at the end when the calls are dropped, would fail every later request."""
    thinking = {"type": "thinking", "thinking": "so", "signature": "cw=="}
    turn, _, _ = ask(Reply([text("a"), text(""), thinking, call("cancel", {})], stop="max_tokens"))
    assert turn.content == (text("a"),)
    finished, _, _ = ask(Reply([thinking, call("cancel", {})]))
    assert finished.content == (thinking, call("cancel", {}))
    cut, _, _ = ask(Reply([thinking], leave_out=("content_block_stop", "message_stop")))
    assert cut.content == ()


def test_an_empty_turn_is_a_turn(ask: Callable[..., Asked]) -> None:
    """The model may have nothing to say."""
    turn, said, _ = ask([])
    assert (turn.content, turn.text, turn.stop, said) == ((), "", "end_turn", [])


def test_an_endless_turn_is_cut(ask: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that never stops doesn't fill the memory."""
    monkeypatch.setattr(stream_module, "MAX_CHARS", 500)
    turn, _, _ = ask("word " * 1000)
    assert turn.stop == "cut" and "longer than" in turn.detail and len(turn.text) <= 500


def test_a_failing_screen_is_not_mistaken_for_the_stream(ask: Callable[..., Asked]) -> None:
    """What on_text raises comes out as it is."""

    def closed(_: str) -> None:
        raise BrokenPipeError

    with MessagesServer(["hello"]) as server, pytest.raises(BrokenPipeError):
        Claude("m", server.url, max_retries=0).respond(system="", messages=HELLO, tools=[], on_text=closed)


# Errors a person can act on


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
def test_a_refusal_is_one_line_that_helps(ask: Callable[..., Asked], answer: HttpError, says: list[str]) -> None:
    """The line names what to check and what the server said, on one line, without the key."""
    line = refused(ask, answer)
    assert all(part in line for part in says), line


@pytest.mark.parametrize(
    ("kind", "says"),
    [("api_error", "failed"), ("overloaded_error", "overloaded"), ("rate_limit_error", "rate")],
)
def test_an_error_in_the_middle_of_a_stream_is_an_error(ask: Callable[..., Asked], kind: str, says: str) -> None:
    """The HTTP status was 200 by then; the kind of the error decides what is said, and no call of it runs."""
    assert says in refused(ask, Reply(CANCEL.content, error=(kind, "Internal server error")))


def test_a_page_of_a_proxy_is_no_answer(ask: Callable[..., Asked]) -> None:
    """A base URL that leads to something else says so."""
    assert "base URL" in refused(ask, Page("<html>Log in</html>"))
    assert "base URL" in refused(ask, Page("event: message_start\ndata: <html>\n\n", "text/event-stream"))


def test_a_busy_server_is_asked_again(ask: Callable[..., Asked]) -> None:
    """A short wait is waited for; the request comes back the same."""
    with MessagesServer([HttpError(529, headers={"retry-after-ms": "1"}), "now"]) as server:
        model = Claude("m", server.url, KEY, max_retries=1)
        turn = model.respond(system="s", messages=HELLO, tools=TOOLS, on_text=lambda _: None)
    assert turn.text == "now"
    assert server.requests[0] == server.requests[1]


@pytest.mark.parametrize("after", ["3600", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_an_hour_is_not_waited_for(ask: Callable[..., Asked], after: str) -> None:
    """A server may ask for any wait; past a minute the person is told at once."""
    line = refused(ask, HttpError(429, "rate_limit_error", headers={"retry-after": after}), max_retries=1)
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


def test_silence_ends(ask: Callable[..., Asked]) -> None:
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
