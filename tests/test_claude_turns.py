"""Claude over real HTTP: only a turn that is finished and whole acts."""

from __future__ import annotations

import pytest
from servers.messages import MessagesServer, Reply, call, text
from wire import CANCEL, HELLO, ask

from agent.models import Turn
from agent.models import stream as stream_module
from agent.models.claude import Claude


def never_acts(turn: Turn, stop: str) -> None:
    assert (turn.stop, turn.tool_calls) == (stop, ())
    assert not [block for block in turn.content if block["type"] == "tool_use"], "no call without a result goes back"
    assert "cancel" in turn.detail


@pytest.mark.parametrize("abrupt", [False, True])
@pytest.mark.parametrize("piece", [1, 4, 1000])
def test_a_call_cut_at_any_byte_runs_nothing(piece: int, abrupt: bool) -> None:
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


def test_a_number_cut_short_is_no_shorter_number() -> None:
    """The end of the turn was seen, but the input stops inside a number."""
    turn, _, _ = ask(Reply([call("cancel", '{"job_id": 12345')], stop="tool_use"))
    never_acts(turn, "cut")


@pytest.mark.parametrize(
    "given",
    ['{"job_id": 12345', '{"a": tru', '"12345"', "[]", '{"a": NaN}', '{"a": "\\ud800"}', "[" * 100_000],
)
def test_an_input_that_is_no_whole_object_runs_nothing(given: str) -> None:
    """A turn that claims to be finished is still checked: one JSON object, or the call is dropped."""
    never_acts(ask(Reply([call("cancel", given)], stop="tool_use", piece=5000))[0], "cut")
    reader = stream_module.Reader()  # the SDK stumbles over some of these by itself; that is not relied on
    for event in Reply([call("cancel", given)], stop="tool_use", piece=5000).events():
        reader.take(event)
    never_acts(reader.turn(), "cut")


def test_a_connection_lost_after_the_end_loses_nothing() -> None:
    """Some proxies drop the connection as soon as all was said; the turn is whole by then."""
    turn, _, _ = ask(Reply(CANCEL.content, abrupt=True))
    assert turn.content == tuple(CANCEL.content) and len(turn.tool_calls) == 1


@pytest.mark.parametrize("missing", ["message_stop", "message_delta", "content_block_stop"])
def test_a_clean_end_without_its_closing_events_is_a_cut(missing: str) -> None:
    """A stream may end as if all had been said; each of the events that close a turn has to be there."""
    never_acts(ask(Reply(CANCEL.content, leave_out=(missing,)))[0], "cut")


def test_no_stop_reason_is_a_cut() -> None:
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
def test_only_the_stop_for_tools_runs_tools(reason: str, stop: str) -> None:
    """Every other reason, one that nobody knows yet included, leaves the calls alone and keeps the text."""
    turn, _, _ = ask(Reply(CANCEL.content, stop=reason))
    never_acts(turn, stop)
    assert turn.text == "I will cancel it."
    assert (reason in turn.detail) == (stop == "unknown")


def test_a_stop_for_tools_without_a_call_is_not_a_call() -> None:
    """There would be nothing to answer it with."""
    turn, _, _ = ask(Reply([text("hm")], stop="tool_use"))
    assert (turn.stop, turn.tool_calls, turn.text) == ("unknown", (), "hm")


def test_what_the_api_would_refuse_is_not_sent_back() -> None:
    """Empty text, or a thought left at the end when the calls are dropped, would fail every later request."""
    thinking = {"type": "thinking", "thinking": "so", "signature": "cw=="}
    turn, _, _ = ask(Reply([text("a"), text(""), thinking, call("cancel", {})], stop="max_tokens"))
    assert turn.content == (text("a"),)
    finished, _, _ = ask(Reply([thinking, call("cancel", {})]))
    assert finished.content == (thinking, call("cancel", {}))
    cut, _, _ = ask(Reply([thinking], leave_out=("content_block_stop", "message_stop")))
    assert cut.content == ()


def test_an_empty_turn_is_a_turn() -> None:
    """The model may have nothing to say."""
    turn, said, _ = ask([])
    assert (turn.content, turn.text, turn.stop, said) == ((), "", "end_turn", [])


def test_an_endless_turn_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that never stops doesn't fill the memory."""
    monkeypatch.setattr(stream_module, "MAX_CHARS", 500)
    turn, _, _ = ask("word " * 1000)
    assert turn.stop == "cut" and "longer than" in turn.detail and len(turn.text) <= 500


def test_a_failing_screen_is_not_mistaken_for_the_stream() -> None:
    """What on_text raises comes out as it is."""

    def closed(_: str) -> None:
        raise BrokenPipeError

    with MessagesServer(["hello"]) as server, pytest.raises(BrokenPipeError):
        Claude("m", server.url, max_retries=0).respond(system="", messages=HELLO, tools=[], on_text=closed)
