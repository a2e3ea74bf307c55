"""Claude over real HTTP: what a good turn gives, and what is sent."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from servers.messages import MessagesServer, Reply, call, text
from wire import CANCEL, HELLO, KEY, TOOLS, ask

from agent.models import Usage
from agent.models.claude import Claude

# What a good turn gives


def test_text_arrives_while_it_is_made() -> None:
    """The text is shown piece by piece, and the turn holds the whole of it."""
    words = "Two sweeps are running; one agent of the first has died."
    turn, said, _ = ask(words)
    assert len(said) > 3 and "".join(said) == words == turn.text
    assert (turn.stop, turn.tool_calls, turn.model) == ("end_turn", (), "served-model")


def test_a_finished_call_arrives_whole() -> None:
    """Text and call come as the blocks that go back; the input is parsed from all of its pieces."""
    turn, _, _ = ask(CANCEL)
    assert turn.stop == "tool_use"
    assert turn.tool_calls == (call("cancel", {"job_id": "12345", "dry_run": True}),)
    assert turn.content == tuple(CANCEL.content)


def test_several_calls_and_one_without_arguments() -> None:
    """Calls keep their order; an input of which nothing was sent is the empty object."""
    turn, _, _ = ask([call("squeue", {}, "toolu_1"), call("squeue", {"user": "é"}, "toolu_2")])
    assert [one["input"] for one in turn.tool_calls] == [{}, {"user": "é"}]


def test_thinking_and_unknown_blocks_go_back_untouched(recwarn: pytest.WarningsRecorder) -> None:
    """The API checks the signature of a thought; a block of a later API is kept, without a warning."""
    thinking = {"type": "thinking", "thinking": "Which job is it?", "signature": "c2lnbmF0dXJl"}
    hidden = {"type": "redacted_thinking", "data": "b3BhcXVl"}
    later = {"type": "hologram", "shape": {"sides": [1, {"of": None}]}, "when": "2031-01-01T00:00:00Z"}
    blocks = [thinking, hidden, later, call("squeue", {"user": "me"})]
    turn, said, _ = ask(blocks)
    assert turn.content == tuple(blocks)
    assert said == []
    assert not [one for one in recwarn if "ydantic" in str(one.message)]


def test_tokens_are_counted_once() -> None:
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


def test_tools_go_out_in_the_order_given() -> None:
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
