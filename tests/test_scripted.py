"""The scripted model: replays turns, remembers what it was asked, and never makes anything up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agent.models import Model, ModelError, Turn
from agent.models.scripted import Scripted


def ask(model: Model, said: list[str] | None = None, messages: list[dict[str, Any]] | None = None) -> Turn:
    on_text: Callable[[str], None] = (said if said is not None else []).append
    return model.respond(system="s", messages=messages or [], tools=[{"name": "squeue"}], on_text=on_text)


def test_turns_come_in_order_with_their_text_shown() -> None:
    """Text ends the turn, a call asks for its tool; what is shown is what is in the turn."""
    blocks: list[dict[str, Any]] = [
        {"type": "text", "text": "Looking."},
        {"type": "tool_use", "name": "squeue", "input": {"user": "me"}},
    ]
    model, said = Scripted([blocks, "All is well."]), list[str]()
    first, second = ask(model, said), ask(model, said)
    assert (first.stop, [call["input"] for call in first.tool_calls]) == ("tool_use", [{"user": "me"}])
    assert (second.stop, second.text, second.tool_calls) == ("end_turn", "All is well.", ())
    assert said == ["Looking.", "All is well."]


def test_calls_without_an_id_get_one_each() -> None:
    """A result names its call by id, so no two calls of a script share one; an id that is there stays."""
    free = {"type": "tool_use", "name": "a", "input": {}}
    model = Scripted([[free, free, {**free, "id": "toolu_mine"}], [free]])
    ids = [call["id"] for turn in (ask(model), ask(model)) for call in turn.tool_calls]
    assert len(set(ids)) == 4 and ids[2] == "toolu_mine"
    assert "id" not in free


def test_running_out_names_the_turn() -> None:
    """One turn too many is an error that says which, never an empty answer."""
    model = Scripted(["only"])
    ask(model)
    with pytest.raises(ModelError, match=r"turn 2 was asked for, and the script has 1"):
        ask(model)


def test_requests_are_kept_as_they_were() -> None:
    """The loop appends to one list of messages; each request keeps what it held then."""
    model, messages = Scripted(["a", "b"]), [{"role": "user", "content": "hi"}]
    ask(model, messages=messages)
    messages.append({"role": "assistant", "content": "a"})
    ask(model, messages=messages)
    assert [len(request["messages"]) for request in model.requests] == [1, 2]
    assert model.requests[0] == {
        "system": "s",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"name": "squeue"}],
    }


@pytest.mark.parametrize("stop", ["cut", "unknown", "max_tokens", "refusal", "pause_turn", "end_turn"])
def test_a_turn_that_did_not_end_for_its_calls_has_none(stop: Any) -> None:
    """Whatever blocks a turn holds, only one that ended in order to call runs anything."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "cancel", "input": {"job_id": "1234"}}
    turn = ask(Scripted([Turn((call,), stop)]))
    assert turn.stop == stop
    assert turn.tool_calls == ()
