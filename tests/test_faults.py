"""What goes wrong between the model, the tools and the person, over real HTTP: one line, and a whole history."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from servers.messages import Answer, HttpError, MessagesServer, Reply, call, text
from stage import PLAN, Stage

from agent.condense import LEFT
from agent.config import state_dir
from agent.models import ContextFull, ModelError, Turn
from agent.models.claude import Claude
from agent.models.scripted import Scripted
from tools.actions import resume
from tools.base import Tool
from tools.registry import BY_NAME

GOOD = "Six runs go on. 48213_3 was preempted at 84 % and can be resumed. Resume it first?"
RESUME_CALL = call("resume_run", {"run": "e5f6a7b8", "plan": PLAN})
OVERLOADED = HttpError(529, "overloaded_error", "Overloaded", {"retry-after-ms": "1"})
LIMITED = HttpError(429, "rate_limit_error", "slow down", {"retry-after": "0"})
TOO_LONG = HttpError(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")

Play = Callable[..., tuple[Stage, list[Any], MessagesServer]]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Each request asked in turn, of a model behind a server with these answers; a ModelError stands for its answer."""

    def run(answers: list[Answer], *asked: str, scene: Stage | None = None) -> tuple[Stage, list[Any], MessagesServer]:
        with MessagesServer(answers) as server:
            model = Claude("test-model", server.url, "k", max_retries=1)
            scene = scene or Stage(tmp_path / "state", model)
            came: list[Any] = []
            for words in asked:
                try:
                    came.append(scene.ask(words))
                except ModelError as error:
                    came.append(error)
                scene.screen.flush()
                scene.valid()
        ids = [one["id"] for message in scene.talk.messages for one in message["content"] if one["type"] == "tool_use"]
        assert len(set(ids)) == len(ids), "no id is used twice"
        return scene, came, server

    return run


@pytest.mark.parametrize("busy", [OVERLOADED, LIMITED])
def test_a_busy_server_is_asked_again_and_nobody_notices(play: Play, busy: HttpError) -> None:
    scene, (answer,), server = play([busy, GOOD], "check on sweeps")
    assert answer.text == GOOD
    assert len(server.requests) == 2 and server.requests[0] == server.requests[1]
    assert "overloaded" not in scene.shown.getvalue()


@pytest.mark.parametrize("busy", [OVERLOADED, LIMITED])
def test_a_server_that_stays_busy_is_one_line_and_the_next_request_works(play: Play, busy: HttpError) -> None:
    _, (error, answer), _ = play([busy, busy, GOOD], "check on sweeps", "and now?")
    assert isinstance(error, ModelError) and "try again" in str(error)
    assert answer.text == GOOD


def test_an_error_in_the_middle_of_an_answer_loses_that_answer_alone(play: Play) -> None:
    broken = Reply([text("Six runs go"), RESUME_CALL], error=("api_error", "Internal server error"))
    scene, (error, answer), _ = play([broken, GOOD], "check on sweeps", "go on")
    assert "the model's server failed" in str(error)
    assert scene.person.asked == [], "a call in half an answer is not run"
    assert answer.text == GOOD


def test_a_connection_cut_inside_a_call_runs_nothing_and_is_said(play: Play) -> None:
    whole = Reply([text("I resume it."), RESUME_CALL])
    cut = replace(whole, cut=whole.body().index(b"input_json_delta", 1200), abrupt=True)
    scene, (answer, after), _ = play([cut, GOOD], "resume e5f6a7b8", "and now?")
    assert "broke off" in answer.problem and "not run: resume_run" in answer.problem
    assert (scene.person.asked, answer.acts) == ([], [])
    assert answer.text.endswith("?") and after.text == GOOD


def test_a_pause_is_gone_on_from(play: Play) -> None:
    scene, (answer,), server = play([Reply([text("Let me see.")], stop="pause_turn"), GOOD], "hello there")
    assert answer.text == GOOD
    assert server.requests[1]["messages"][-1]["content"][0]["text"] == "Let me see."
    assert "Let me see." in scene.shown.getvalue()


@pytest.mark.parametrize("reply", [Reply([]), Reply([text(" ")]), Reply([], stop="refusal"), Reply([], stop="novel")])
def test_an_answer_without_words_is_said_and_asked_about(play: Play, reply: Reply) -> None:
    scene, (answer, after), _ = play([reply, GOOD], "hello there", "and now?")
    assert answer.problem and answer.problem in scene.shown.getvalue()
    assert answer.text.endswith("?") and after.problem == ""


def test_two_calls_of_one_id_are_told_apart(play: Play) -> None:
    twice = [call("squeue", {}, "same"), call("sacct", {}, "same")]
    _, (answer,), server = play([twice, [call("squeue", {}, "same")], GOOD], "hello there")
    assert answer.tools == ["squeue", "sacct", "squeue"]
    sent = [one for message in server.requests[-1]["messages"] for one in message["content"]]
    called = [one["id"] for one in sent if one["type"] == "tool_use"]
    assert called == [one["tool_use_id"] for one in sent if one["type"] == "tool_result"]
    assert len(set(called)) == 3 and called[0] == "same"


def test_a_tool_with_a_bug_is_recorded_and_the_conversation_goes_on(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(context: Any, args: Any) -> Any:
        """A tool."""
        raise KeyError("sk-ant-0123456789abcdefghijklmnop\nsecond line")

    squeue = BY_NAME["squeue"]
    assert isinstance(squeue, Tool)
    monkeypatch.setitem(BY_NAME, "squeue", replace(squeue, run=broken))
    scene, (answer,), server = play([[call("squeue", {}), call("sacct", {}, "b")], GOOD], "hello there")
    first, second = server.requests[1]["messages"][-1]["content"]
    assert first["is_error"] and first["content"].startswith("squeue: internal error (KeyError")
    assert "\n" not in first["content"] and "is_error" not in second
    assert answer.text == GOOD
    shown = scene.shown.getvalue()
    assert "internal error" in shown and "Traceback" not in shown
    import os

    recorded = (state_dir(os.environ) / "last-error.txt").read_text()
    assert "Traceback" in recorded and "sk-ant-0123456789" not in recorded


def test_an_act_with_a_bug_is_not_repeated(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setitem(BY_NAME, "resume_run", replace(resume.RESUME, propose=broken))
    scene, (answer,), server = play([[RESUME_CALL], GOOD], "resume e5f6a7b8")
    (result,) = server.requests[1]["messages"][-1]["content"]
    assert result["is_error"] and result["content"].startswith("NOT KNOWN: internal error (RuntimeError: a bug)")
    assert "it is not repeated" in result["content"]
    assert answer.acts[0].state == "unknown" and answer.text == GOOD
    assert "Traceback" not in scene.shown.getvalue()


@pytest.mark.parametrize("then", [HttpError(400), Reply([], stop="refusal"), Reply([])])
def test_what_an_act_did_is_told_also_where_the_model_fails_after_it(play: Play, tmp_path: Path, then: Answer) -> None:
    with MessagesServer([[RESUME_CALL], then]) as server:
        scene = Stage(tmp_path / "own", Claude("m", server.url, "k", max_retries=0))
        scene.person.says = None
        play([], "resume e5f6a7b8", scene=scene)
    assert "(DONE: resume e5f6a7b8: job 48252" in scene.shown.getvalue().replace("\n", " ")


def test_what_an_act_did_is_told_also_where_the_person_stops_the_model_after_it(tmp_path: Path) -> None:
    def stop(**_: Any) -> Turn:
        raise KeyboardInterrupt

    scene = Stage(tmp_path / "own", Scripted([[RESUME_CALL]]))
    scene.person.says = None
    respond = scene.talk.model.respond
    scene.talk.model.respond = lambda **given: respond(**given) if not scene.person.asked else stop()
    with pytest.raises(KeyboardInterrupt):
        scene.ask("resume e5f6a7b8")
    scene.talk.interrupted()
    scene.valid()
    assert "(DONE: resume e5f6a7b8: job 48252" in scene.shown.getvalue().replace("\n", " ")


class TestTooLong:
    def _results(self, request: dict[str, Any]) -> list[str]:
        return [
            one["content"]
            for message in request["messages"]
            for one in message["content"]
            if one["type"] == "tool_result"
        ]

    @pytest.mark.parametrize(
        "full",
        [
            TOO_LONG,
            HttpError(413, "request_too_large", "32 MB"),
            HttpError(400, "BadRequestError", "This model's maximum context length is 8192 tokens"),
            Reply([text("I was")], stop="model_context_window_exceeded"),
        ],
    )
    def test_older_results_are_shortened_and_the_newest_look_stays(self, play: Play, full: Answer) -> None:
        answers = [GOOD, GOOD, [call("tail_log", {"job_id": "48213_5"})], full, GOOD]
        scene, came, server = play(answers, "check on sweeps", "check on sweeps", "show the log of 48213_5")
        assert came[-1].text == GOOD
        before, after = self._results(server.requests[3]), self._results(server.requests[4])
        assert len(server.requests) == 5
        looks = [number for number, one in enumerate(before) if one.startswith('{"at"')]
        assert after[looks[-1]] == before[looks[-1]], "the newest look is whole"
        assert after[-1] == before[-1], "so is what was just read"
        assert len(after[looks[0]]) < LEFT + 150 and "check_sweeps left out" in after[looks[0]]
        assert after[looks[0]][:LEFT] == before[looks[0]][:LEFT]
        assert "older results were shortened" in scene.shown.getvalue()
        assert scene.talk.ledger.latest("percent", "48213_3"), "nothing that was seen is forgotten"

    def test_it_is_asked_again_once(self, play: Play) -> None:
        answers = [GOOD, GOOD, TOO_LONG, TOO_LONG, GOOD]
        scene, came, server = play(answers, "check on sweeps", "check on sweeps", "and now?", "and now?")
        assert isinstance(came[2], ContextFull) and len(server.requests) == 5
        assert came[3].text == GOOD
        assert "Traceback" not in scene.shown.getvalue()

    def test_where_nothing_can_be_shortened_it_is_not_asked_again(self, play: Play) -> None:
        _, (error,), server = play([TOO_LONG, GOOD], "hello there")
        assert "prompt is too long" in str(error)
        assert len(server.requests) == 1


def test_forty_turns_stay_whole_and_each_request_begins_with_the_one_before(play: Play) -> None:
    tools = [("squeue", {}), ("nonsense", {}), ("tail_log", {"job_id": "48213_5", "lines": 10**9}), ("sacct", {})]
    answers: list[Answer] = []
    for number in range(40):
        answers += [[call(*tools[number % 4], f"c{number}")], f"Answer {number}. What next?"]
    _, came, server = play(answers, *(f"hello number {number}" for number in range(40)))
    assert [answer.text for answer in came] == [f"Answer {number}. What next?" for number in range(40)]
    assert len(server.requests) == 80

    def sent(request: dict[str, Any]) -> str:
        return json.dumps(request["messages"]).replace(', "cache_control": {"type": "ephemeral"}', "")

    for before, after in pairwise(server.requests):
        assert sent(after).startswith(sent(before)[:-1])
        assert json.dumps([after["system"], after["tools"]]) == json.dumps([before["system"], before["tools"]])
    marks = json.dumps(server.requests[-1]).count("cache_control")
    assert marks == 4, "the system prompt, the tools and the last two messages of the person"
