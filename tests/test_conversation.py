"""The loop, with the real client over real HTTP and a scripted endpoint, on the embedded demo."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from servers.messages import HttpError, MessagesServer, Reply, call, text
from stage import PLAN, Stage

from agent.audit import Checked
from agent.conversation import MAX_CALLS
from agent.models import ModelError
from agent.models.claude import Claude
from agent.models.playbook import Playbook
from agent.models.scripted import Scripted
from agent.rules import RULES
from tools.actions import resume
from tools.base import ActArgs
from tools.registry import ACT_TOOLS, BY_NAME


@pytest.fixture
def stage(tmp_path: Path) -> Callable[[Any], Stage]:
    return lambda model: Stage(tmp_path / "state", model)


def _claude(server: MessagesServer) -> Claude:
    return Claude("test-model", base_url=server.url, api_key="k")


KEPT = ["update_active_sweeps", "update_claude_md"]
"""The documents that a status keeps."""
GOOD = "Six runs go on. 48213_3 was preempted at 84 % and can be resumed. Resume it first?"


def test_a_status_takes_one_model_call_and_the_tables_come_before_it(stage: Callable[[Any], Stage]) -> None:
    with MessagesServer([Reply([text(GOOD)])]) as server:
        scene = stage(_claude(server))
        answer = scene.ask("check on sweeps")
        assert (answer.calls, len(server.requests), answer.text) == (1, 1, GOOD)
        seen = json.dumps(server.requests[0]["messages"], ensure_ascii=False)
    assert "48213_3" in seen and '"tool_result"' in seen
    shown = scene.shown.getvalue()
    assert shown.index("https://wandb.ai/acme-lab/molprop/sweeps/xk31p7") < shown.index("Six runs go on")
    scene.valid()


def test_a_model_that_looks_for_itself_needs_two(stage: Callable[[Any], Stage]) -> None:
    with MessagesServer([Reply([call("check_sweeps", {})]), Reply([text(GOOD)])]) as server:
        scene = stage(_claude(server))
        answer = scene.ask("check on sweeps")
        assert len(server.requests) == 2
    assert answer.tools == ["check_sweeps", *KEPT, "check_sweeps"]
    assert scene.shown.getvalue().count("xk31p7 · bayes-tx") == 1, "the tables are shown once"
    scene.valid()


def test_a_missing_question_is_supplied_without_another_call(stage: Callable[[Any], Stage]) -> None:
    with MessagesServer([Reply([text("All is as the tables say.")])]) as server:
        answer = stage(_claude(server)).ask("check on sweeps")
        assert len(server.requests) == 1
    assert answer.text.endswith("?")
    assert "48213_4" in answer.text, "the question is about what is most pressing"


def test_a_contradiction_goes_back_once_with_what_is_so(stage: Callable[[Any], Stage]) -> None:
    wrong = "48213_3 is at 12 %. Resume it?"
    with MessagesServer([Reply([text(wrong)]), Reply([text(GOOD)])]) as server:
        answer = stage(_claude(server)).ask("check on sweeps")
        asked = server.requests[1]["messages"][-1]["content"][-1]["text"]
    assert "percent 12 is said of 48213_3; seen: 84.2" in asked
    assert answer.text == GOOD


def test_what_a_result_has_shown_is_no_contradiction(stage: Callable[[Any], Stage]) -> None:
    """The epoch of an older checkpoint, and a job that only the text of a result names."""
    run = [call("list_checkpoints", {"run": "d4c3b2a1"}), call("find_logs", {"older_than_days": 10})]
    said = "d4c3b2a1 goes on at epoch 590, from checkpoint-13587; 47102_0 has an old log. Resume it?"
    with MessagesServer([Reply(run), Reply([text(said)]), Reply([text("again?")])]) as server:
        scene = stage(_claude(server))
        answer = scene.ask("what would d4c3b2a1 go on from?")
        results = json.dumps(server.requests[1]["messages"][-1])
    assert "590.0" in results and "47102_0" in results, "both stand in the results alone"
    assert (answer.text, answer.corrections) == (said, [])
    assert "disagrees" not in scene.shown.getvalue()


def test_the_correction_that_is_asked_for_is_no_request_of_the_person(stage: Callable[[Any], Stage]) -> None:
    offers = "48213_3 is at 84 %. Run e5f6a7b8 was at 84 %: resume it first?"
    scene = stage(Scripted(["48213_3 is at 12 %. Resume it?", offers]))
    scene.ask("check on sweeps")
    scene.talk.model = Playbook()
    assert scene.ask("yes").tools[-1] == "resume_run"


def test_a_second_contradiction_is_corrected_by_the_records(stage: Callable[[Any], Stage]) -> None:
    wrong = "48213_3 is at 12 %. Resume it?"
    with MessagesServer([Reply([text(wrong)]), Reply([text(wrong)])]) as server:
        answer = stage(_claude(server)).ask("check on sweeps")
        assert len(server.requests) == 2
    assert "Corrected from the records" in answer.text
    assert "seen: 84.2" in answer.text


def test_a_cancel_without_evidence_is_denied_with_the_reason_and_written_down(stage: Callable[[Any], Stage]) -> None:
    wanted = {"job_id": "48213_0", "plan": PLAN}
    told = "48213_0 makes progress, so it is not cancelled. Do you want to see its log?"
    with MessagesServer([Reply([call("scancel_with_approval", wanted)]), Reply([text(told)])]) as server:
        scene = stage(_claude(server))
        answer = scene.ask("cancel the stuck one", typed=True)
        result = server.requests[1]["messages"][-1]["content"][0]
    assert result["is_error"] is True
    assert "it makes no progress" in result["content"]
    assert "the person can type the id" in result["content"]
    assert len(answer.denied) == 1
    assert scene.person.asked == []
    assert scene.audit.verify() == Checked(1)
    scene.valid()


@pytest.mark.parametrize("job", ["48213_[0-3]", "48213_4,48213_5", "*", "-u me", "48213_4 48213_5", ""])
def test_what_is_no_single_id_never_gets_past_the_arguments(stage: Callable[[Any], Stage], job: str) -> None:
    model = Scripted([[call("scancel_with_approval", {"job_id": job, "plan": PLAN})], "I can't. What else?"])
    scene = stage(model)
    answer = scene.ask("do it")
    result = scene.talk.messages[-2]["content"][0]
    assert "invalid arguments for scancel_with_approval: job_id" in result["content"]
    assert answer.denied == []


def test_wrong_arguments_and_unknown_tools_go_back_with_field_and_reason(
    stage: Callable[[Any], Stage],
) -> None:
    turns = [
        [call("tail_log", {"job_id": "48213_5", "lines": 100000}, "a"), call("rm_rf", {}, "b")],
        "I could not. Try again?",
    ]
    scene = stage(Scripted(turns))
    scene.ask("show the log of 48213_5")
    first, second = scene.talk.messages[-2]["content"]
    assert "lines: Input should be less than or equal to 200" in first["content"]
    assert "there is no tool rm_rf; there are: check_sweeps" in second["content"]
    scene.valid()


def test_an_act_without_a_thought_before_it_is_sent_back(stage: Callable[[Any], Stage]) -> None:
    turns = [[call("resume_run", {"run": "e5f6a7b8", "plan": {"status": "x"}})], "I could not. Try again?"]
    scene = stage(Scripted(turns))
    answer = scene.ask("resume e5f6a7b8")
    (result,) = scene.talk.messages[-2]["content"]
    for part in ("plan.status: String should have at least 3", "plan.action: Field required", "plan.risks: Field"):
        assert part in result["content"]
    assert (scene.person.asked, answer.denied) == ([], [])


def test_every_act_that_a_person_is_asked_about_is_thought_of_first() -> None:
    for tool in ACT_TOOLS:
        assert issubclass(tool.args, ActArgs) == RULES[tool.verb].asks, tool.name


def test_a_turn_that_is_cut_runs_nothing(stage: Callable[[Any], Stage]) -> None:
    reply = Reply(
        [text("I will cancel it."), call("scancel_with_approval", '{"job_id": "48213_4", "reas')],
        leave_out=("message_stop",),
    )
    with MessagesServer([reply]) as server:
        scene = stage(_claude(server))
        answer = scene.ask("cancel 48213_4")
    assert answer.tools == []
    assert "broke off" in scene.shown.getvalue()
    scene.valid()


@pytest.mark.parametrize("stop", ["refusal", "max_tokens", "model_context_window_exceeded", "a_new_reason"])
def test_other_endings_are_said_and_leave_a_valid_history(stage: Callable[[Any], Stage], stop: str) -> None:
    with MessagesServer([Reply([text("Well")], stop=stop), Reply([text("Again. What now?")])]) as server:
        scene = stage(_claude(server))
        answer = scene.ask("hello there")
        assert answer.text.endswith("?")
        scene.valid()
        assert scene.ask("hello again").text == "Again. What now?"
    scene.valid()


def test_after_an_error_the_conversation_goes_on(stage: Callable[[Any], Stage]) -> None:
    with MessagesServer([HttpError(400), Reply([text(GOOD)])]) as server:
        scene = stage(_claude(server))
        with pytest.raises(ModelError):
            scene.ask("check on sweeps")
        scene.valid()
        assert scene.ask("check on sweeps").text == GOOD
    scene.valid()


def test_a_model_that_only_calls_is_stopped(stage: Callable[[Any], Stage]) -> None:
    scene = stage(Scripted([[call("squeue", {}, f"c{n}")] for n in range(50)]))
    answer = scene.ask("go")
    assert answer.calls == MAX_CALLS
    assert answer.text.endswith("?")
    scene.valid()


def test_an_interrupted_turn_leaves_a_valid_history(
    stage: Callable[[Any], Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = stage(Scripted([[call("squeue", {})], "Here. What next?"]))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(scene.talk.sink, "busy", stop)
    with pytest.raises(KeyboardInterrupt):
        scene.ask("look")
    scene.talk.interrupted()
    scene.valid()


def test_a_stop_during_an_act_leaves_its_outcome_in_the_history_and_on_the_screen(
    stage: Callable[[Any], Stage],
) -> None:
    scene = stage(Scripted([[call("resume_run", {"run": "e5f6a7b8", "plan": PLAN})], "Done. What next?"]))
    scene.person.says = None
    perform = resume.RESUME.perform

    def stopped(*args: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return perform(*args)

    tool = replace(resume.RESUME, perform=stopped)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setitem(BY_NAME, "resume_run", tool)
        scene.ask("resume e5f6a7b8")
    scene.talk.interrupted()
    scene.screen.flush()
    scene.valid()
    assert "DONE: resume e5f6a7b8: job 48252" in scene.talk.messages[-1]["content"][0]["content"]
    assert "DONE: resume e5f6a7b8" in scene.shown.getvalue()


def test_secrets_typed_or_said_are_not_shown_or_sent(stage: Callable[[Any], Stage]) -> None:
    with MessagesServer([Reply([text("The key is hunter2-hunter2\x1b[2J. Right?")], piece=5)]) as server:
        scene = stage(_claude(server))
        scene.ask("my key is hunter2-hunter2, \ud800 ok")
        assert "hunter2-hunter2" not in json.dumps(server.requests[0])
    assert "hunter2-hunter2" not in scene.shown.getvalue()
    assert "\x1b[2J" not in scene.shown.getvalue()


class TestPlaybook:
    def test_it_shows_the_same_tables_and_asks(self, stage: Callable[[Any], Stage]) -> None:
        scene = stage(Playbook())
        answer = scene.ask("check on sweeps")
        assert answer.tools == ["check_sweeps", *KEPT]
        assert answer.text.endswith("?")
        assert "xk31p7 · bayes-tx" in scene.shown.getvalue()

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ("why did 48213_5 die?", "cuda oom at epoch 1960 of 5000"),
            ("how far is 48213_2, will it finish?", "at this pace the time limit comes first"),
            ("how is 48213_4?", "training: diverged: the last"),
            ("resume preempted runs", "NOT DONE: you did not approve it (`"),
            ("restart sweep xk31p7", "A restart throws away what was trained"),
            ("cancel 48213_4", "NOT DONE: you did not approve it (`"),
            ("cancel the worst job", "or a sweep by its id: which one?"),
            ("launch more agents", "Name the sweep by its id or its config file: which one?"),
            ("launch 2 more agents of xk31p7", "NOT DONE: you did not approve it (`"),
            ("sync everything", "No offline run that could be uploaded is here"),
            ("how much disk do we use?", "Checkpoints of 12 runs take"),
            ("where are the logs of 48213_5?", "logs/sweep_48213_5.err  err"),
            ("where are the logs of 99999?", "nothing is known of job 99999"),
            ("what is sweep xk31p7 about?", "Hypothesis: a lower learning rate with larger effective batch"),
            ("what is experiments/llm_glue_sweep.yaml about?", "Purpose: Grid over learning rates on GLUE"),
            ("what is the hypothesis behind 48213_5?", "learning_rate: 1e-05, 2e-05, 3e-05, 5e-05"),
            ("what is nosuch.yaml about?", "no sweep or sweep config nosuch.yaml"),
            ("hello", "check on sweeps"),
            ("why did 99999 die?", "Nothing is known of 99999"),
        ],
    )
    def test_the_rules_workflows(self, stage: Callable[[Any], Stage], asked: str, said: str) -> None:
        scene = stage(Playbook())
        answer = scene.ask(asked)
        assert said in answer.text
        assert answer.text.endswith("?")
        scene.valid()

    def test_preempted_means_preempted(self, stage: Callable[[Any], Stage]) -> None:
        scene = stage(Playbook())
        scene.ask("resume preempted runs")
        (request,) = scene.person.asked
        assert request.confirm == "resume 2 runs"
        assert "e5f6a7b8" in "".join(request.lines) and "d4c3b2a1" in "".join(request.lines)
        assert "5b6c7d8e" not in "".join(request.lines), "it ran into its time limit"


def test_the_prefix_is_the_same_on_every_turn(stage: Callable[[Any], Stage]) -> None:
    with MessagesServer([Reply([text("One?")]), Reply([text("Two?")])]) as server:
        scene = stage(_claude(server))
        scene.ask("hello")
        scene.ask("and now")
        first, second = server.requests

    def bare(request: Mapping[str, Any]) -> str:
        return json.dumps([request["system"], request["tools"]])

    assert bare(first) == bare(second)
