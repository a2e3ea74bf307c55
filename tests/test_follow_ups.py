"""A short reply is understood from what came before it, and every question the playbook asks can be answered "yes"."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import Lab, wandb_lines
from servers.messages import call
from stage import PLAN, Stage

from agent.follow_ups import answerable, meant_by, offered
from agent.models.playbook import Playbook
from agent.models.scripted import Scripted


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "state", Playbook())


@pytest.mark.parametrize(
    ("question", "request_"),
    [
        ("Job 7_4 has diverged (loss is not finite): shall I cancel it?", "cancel 7_4"),
        ("Job 7_4 has made no progress for 90 min: shall I cancel it?", "cancel 7_4"),
        ("Run aaa1 was at 84.2 %: resume it first?", "resume aaa1"),
        ("Run aaa1 was at 84.2 %: resume it and the 3 other resumable runs first?", "resume everything"),
        ("Should I resume run aaa1?", "resume aaa1"),
        ("Job 7 ended far too early: shall I look into its log?", "why did 7 die?"),
        ("Want me to go through the crash of job 7_1 and what would mend it?", "why did 7_1 die?"),
        ("The queue could not be read: shall I look again?", "check on sweeps"),
        ("Shall I explain the 6 dead runs one by one?", "explain the dead runs"),
    ],
)
def test_yes_means_what_was_offered(question: str, request_: str) -> None:
    assert meant_by("Yes.", "check on sweeps", f"As the tables say.\n\n{question}") == request_


def test_a_question_that_yes_does_not_answer_is_not_asked() -> None:
    asked = answerable("All sweeps look healthy: launch more agents, or wait for completion?")
    assert asked.startswith("All sweeps look healthy. ")
    assert offered(asked) == "check on sweeps"


@pytest.mark.parametrize(
    ("text", "before", "meant"),
    [
        ("and 48213_4?", "why did 48213_5 die?", "why did 48213_4 die?"),
        ("what about 48213_4?", "cancel 48213_5", "cancel 48213_4"),
        ("48213_4", "cancel the broken one", "cancel the broken one 48213_4"),
        ("resume it", "why did 48213_5 die?", "resume it (48213_5)"),
        ("why did 48213_4 die?", "cancel 48213_5", "why did 48213_4 die?"),
        ("how is it going?", "why did 48213_5 die?", "how is it going?"),
        ("yes", "", "yes"),
        ("and 48213_4?", "", "and 48213_4?"),
    ],
)
def test_what_came_before_counts(text: str, before: str, meant: str) -> None:
    assert meant_by(text, before, "") == meant


def test_yes_is_carried_out_again_and_again(stage: Stage) -> None:
    stage.ask("why did 48213_3 die?", typed=True)
    stage.ask("yes", typed=True)
    assert [request.confirm for request in stage.person.asked] == ["resume e5f6a7b8"]
    shown = len(stage.shown.getvalue())
    stage.ask("yes")
    assert "xk31p7 · bayes-tx" in stage.shown.getvalue()[shown:], "the tables were offered, so they are shown"
    stage.valid()


def test_tables_that_are_asked_for_again_are_shown_again(stage: Stage) -> None:
    stage.ask("check on sweeps")
    stage.ask("check on sweeps")
    assert stage.shown.getvalue().count("xk31p7 · bayes-tx") == 2


def test_an_offer_about_a_log_is_kept(stage: Stage) -> None:
    assert stage.ask("is 48213_2 going to finish?").text.endswith("Shall I show the end of the log of 48213_2?")
    answer = stage.ask("yes")
    assert answer.tools == ["tail_log"]
    assert "Running runs: ['9f8e7d6c']" in answer.text


def test_the_same_is_asked_of_another_job(stage: Stage) -> None:
    stage.ask("why did 48213_5 die?")
    assert "48213_6 (run 5b6c7d8e): time limit" in stage.ask("and 48213_6?").text


def test_after_a_cancel_the_question_is_not_about_another_job(stage: Stage) -> None:
    assert stage.ask("cancel 48213_5").text.endswith("Shall I check on the sweeps again?")


def test_whether_it_finishes_is_said_with_both_times(stage: Stage) -> None:
    text = stage.ask("is 48213_2 going to finish?").text
    assert "h to its target at its own pace, " in text
    assert "h to its time limit: it will not finish" in text
    assert "it should finish in time" in stage.ask("and 48213_0?").text


@pytest.mark.parametrize("asked", ["what is waiting", "how many are pending?"])
def test_what_waits_and_what_its_reason_means(stage: Stage, asked: str) -> None:
    text = stage.ask(asked).text
    assert "2 are waiting:" in text
    assert "48213_9: waiting: Resources, it is next, as soon as enough is free" in text


def test_nothing_waits(lab: Lab, tmp_path: Path) -> None:
    lab.job("7", "RUNNING")
    lab.file("logs/7.out", wandb_lines("aaa1", "sw1") + "epoch 2/9\n")
    stage = Stage(tmp_path / "state", Playbook(), lab.place())
    assert "Nothing is waiting." in stage.ask("what is waiting").text


def test_every_dead_run_is_explained(stage: Stage) -> None:
    text = stage.ask("why did they die?").text
    assert "48240_0 (run 3c4d5e6f): config error" in text
    assert "48213_3 (run e5f6a7b8): preempted" in text
    assert "\n    make run SWEEP=xk31p7 RUN=e5f6a7b8\n" in text, "a command is a line of its own"
    assert "Run data is saved locally" not in text, "that names the run; it explains nothing"


def test_nothing_to_resume_names_what_was_asked_for(stage: Stage) -> None:
    text = stage.ask("resume 99").text
    assert "No dead run of 99" in text
    assert text.endswith("Shall I explain the 6 dead runs one by one?")


def test_after_a_no_the_same_is_not_asked_again(stage: Stage) -> None:
    assert stage.ask("check on sweeps").text.endswith(
        "Job 48213_4 has diverged (loss is not finite): shall I cancel it?"
    )
    answer = stage.ask("no, leave it")
    assert answer.text.startswith("Left as it is.") and answer.acts == []
    assert answer.text.endswith("Run e5f6a7b8 was at 84.2 %: resume it and the 2 other resumable runs first?")
    assert "48213_4" not in stage.ask("no").text
    assert stage.ask("check on sweeps").text.splitlines()[-1].count("resume") == 0
    stage.valid()


def test_what_was_declined_at_the_prompt_is_not_asked_again(stage: Stage) -> None:
    stage.ask("cancel 48213_4", typed=True)
    assert "48213_4" not in stage.ask("check on sweeps").text


def test_a_yes_in_other_words_is_agreement_and_can_be_asked_for_again(stage: Stage) -> None:
    stage.person.says = "agreed"
    answer = stage.ask("cancel 48213_4", typed=True)
    assert "you did type a yes, but only `cancel 48213_4` counts, to the letter" in answer.text
    assert answer.text.endswith("Shall I ask you for those words again?") and "48213_4" not in stage.context.declined
    assert len(stage.person.asked) == 1
    stage.person.says = None
    assert [act.state for act in stage.ask("yes", typed=True).acts] == ["done"]
    assert len(stage.person.asked) == 2


def test_a_model_is_told_that_a_yes_in_other_words_was_one(tmp_path: Path) -> None:
    turns = [[call("scancel_with_approval", {"job_id": "48213_4", "plan": PLAN})], "It was not done."]
    stage = Stage(tmp_path / "state", Scripted(turns))
    stage.person.says = "agreed"
    answer = stage.ask("cancel 48213_4", typed=True)
    assert "Say so, and ask whether you shall ask for it again" in answer.acts[0].text
    assert answer.text.endswith("Shall I ask you for those words again?")


@pytest.mark.parametrize("text", ["don't cancel 48213_4", "please do not resume e5f6a7b8", "never cancel 48213_4"])
def test_what_shall_not_be_done_is_not_proposed(stage: Stage, text: str) -> None:
    answer = stage.ask(text, typed=True)
    assert answer.acts == [] and stage.person.asked == []


@pytest.mark.parametrize(
    ("asked", "ends"),
    [
        ("which batch sizes do we use?", "the crash of job 48213_5 and what would mend it?"),
        ("is 48213_4 learning?", "Job 48213_4 has diverged (loss is not finite): shall I cancel it?"),
        ("is 48213_2 learning?", "Shall I check on the sweeps again?"),
        ("why did they die?", "Should I resume run e5f6a7b8 and the 2 other resumable runs?"),
    ],
)
def test_the_question_is_about_what_was_just_said(stage: Stage, asked: str, ends: str) -> None:
    assert stage.ask(asked).text.endswith(ends)


def test_after_an_act_a_model_without_a_question_is_not_made_to_ask_about_that_act(tmp_path: Path) -> None:
    cancel = {"job_id": "48213_4", "plan": PLAN}
    stage = Stage(
        tmp_path / "state",
        Scripted([[call("check_sweeps", {})], [call("scancel_with_approval", cancel, "b")], "Done."]),
    )
    stage.person.says = None
    assert stage.ask("cancel 48213_4", typed=True).text.endswith("Shall I check on the sweeps again?")


def test_after_an_act_that_was_declined_the_question_goes_on_to_the_next_thing(tmp_path: Path) -> None:
    cancel = {"job_id": "48213_4", "plan": PLAN}
    turns = [[call("check_sweeps", {})], [call("scancel_with_approval", cancel, "b")], "I left it."]
    stage = Stage(tmp_path / "state", Scripted(turns))
    answer = stage.ask("cancel what is stuck", typed=True)
    assert answer.text.endswith("Run e5f6a7b8 was at 84.2 %: resume it and the 2 other resumable runs first?")


def test_a_job_of_one_digit(lab: Lab, tmp_path: Path) -> None:
    lab.job("6", "RUNNING")
    lab.cancels()
    stage = Stage(tmp_path / "state", Playbook(), lab.place())
    stage.ask("cancel 6", typed=True)
    assert [request.confirm for request in stage.person.asked] == ["cancel 6"]
    assert "6 jobs" not in stage.ask("cancel 6 jobs", typed=True).text


def test_what_already_waits_or_must_be_changed_first_is_not_offered(stage: Stage) -> None:
    stage.person.says = None
    stage.ask("resume everything", typed=True)
    assert [request.confirm for request in stage.person.asked] == ["resume 3 runs"], "0c1d2e3f needs a smaller batch"
    assert "resume" not in stage.ask("why did 48213_3 die?").text.splitlines()[-1], "a job waits with it by now"
    assert stage.ask("why did 48213_5 die?").text.endswith("Shall I show the end of the log of 48213_5?")


def test_a_sweep_that_is_asked_about_is_reported_with_what_it_is_for(stage: Stage) -> None:
    answer = stage.ask("how is sweep xk31p7 doing?")
    assert answer.tools[-1] == "sweep_context"
    for part in ("Purpose: Bayesian search", "Hypothesis: a lower", "learning_rate: 1e-05", "Target epochs: 5000"):
        assert part in answer.text
    assert answer.text.endswith("Job 48213_4 has diverged (loss is not finite): shall I cancel it?")
