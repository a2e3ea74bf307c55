"""What a model says is held against what was seen."""

from __future__ import annotations

import pytest

from agent.answer import contradictions, ends_with_question
from agent.intents import intent_of, job_in, wants_status
from agent.ledger import Ledger


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    facts = [
        ("seen", "48213_0", "live"), ("epoch", "48213_0", "2341"), ("percent", "48213_0", "46.8"),
        ("step", "48213_0", "54000"), ("target_epochs", "48213_0", "5000"), ("seen", "a1b2c3d4", "live"),
        ("epoch", "a1b2c3d4", "2341"), ("seen", "48213_3", "dead"), ("percent", "48213_3", "84.2"),
        ("checkpoint", "48213_3", "97000"),
    ]  # fmt: skip
    ledger.append("check_sweeps", facts, at=1.0)
    return ledger


@pytest.mark.parametrize(
    "text",
    [
        "Job 48213_0 is at epoch 2341 of 5000 (47 %), step 54,000.",
        "48213_3 stood at 84 % and has a checkpoint at step 97,000. Resume it first?",
        "Three of eight agents run: 37 % of capacity.",
        "Two jobs run, one is dead.",
        "Run a1b2c3d4 goes well.",
        "Step 1: cut the batch of 48213_3 to 75 %: batch 8 → 6. Then resume.",
        "Job 48213_0 leaves 40 % of the GPU memory unused.",
        "You could cancel 48213_0 with scancel.",
    ],
)
def test_what_agrees_passes(ledger: Ledger, text: str) -> None:
    assert contradictions(text, ledger) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Job 48213_0 is at 74 %.", "percent 74 is said of 48213_0; seen: 46.8"),
        ("48213_0: 74 %, falling", "percent 74 is said of 48213_0"),
        ("48213_0 is now 74 % done", "percent 74 is said of 48213_0"),
        ("48213_0 (74 %) runs", "percent 74 is said of 48213_0"),
        ("48213_0: epoch 2900 of 5000", "epoch 2900 is said of 48213_0"),
        ("Resume 48213_3 from step 98,000?", "step 98,000 is said of 48213_3; seen: 97000"),
        ("Job 48213_9 has crashed.", "job 48213_9 is named, but no source has shown it"),
        ("I've cancelled 48213_0 for you.", "no result in this conversation says so"),
        ("I resumed the three preempted runs.", "no result in this conversation says so"),
    ],
)
def test_what_contradicts_the_record_is_named(ledger: Ledger, text: str, said: str) -> None:
    assert any(said in problem for problem in contradictions(text, ledger))


@pytest.mark.parametrize(
    ("done", "said", "right"),
    [
        (["resume"], "I've resumed 2 runs.", True),
        ([], "It has no folder here, so I synced nothing.", True),
        (["resume"], "I cancelled 48213_0.", False),
        (["document"], "I resumed it.", False),
        (["cancel"], "I killed 48213_0.", True),
    ],
)
def test_a_claim_needs_an_act_of_its_own_kind(ledger: Ledger, done: list[str], said: str, right: bool) -> None:
    assert (contradictions(said, ledger, done) == []) is right


def test_what_stands_in_brackets_is_of_the_one_before_them(ledger: Ledger) -> None:
    said = "48213_3 (preempted; it was at 84 %) and 48213_0 (at 46.8 %) can go on."
    assert contradictions(said, ledger) == []


def test_one_tasks_number_said_of_another_is_found(ledger: Ledger) -> None:
    assert (
        contradictions("48213_3 is at epoch 2900", ledger) == []
    )  # no epoch of it was seen: nothing to hold it against
    assert contradictions("48213_3 is at 46.8 %.", ledger)


@pytest.mark.parametrize("text", ["Shall I?", "Shall **we?**", "done.\n\n_Which one?_\n", '"Really?"'])
def test_questions(text: str) -> None:
    assert ends_with_question(text)


def test_statements() -> None:
    assert not ends_with_question("Which? That one.")


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("check on sweeps", "status"),
        ("update status", "status"),
        ("how are my runs?", "status"),
        ("why did 48213_5 die?", "explain"),
        ("how far is 48213_2 and will it finish?", "explain"),
        ("resume preempted runs", "resume"),
        ("restart sweep xk31p7", "restart"),
        ("cancel 48213_4", "cancel"),
        ("sync the offline runs", "upload"),
        ("what is not synced?", "sync"),
        ("clean up disk space", "clean"),
        ("how much disk do we use?", "clean"),
        ("where are the logs of 48213_5?", "logs"),
        ("why is the disk full in the logs of 48213_5?", "explain"),
        ("what is sweep xk31p7 about?", "context"),
        ("what's the hypothesis of the sweep", "context"),
        ("which key parameters does it have", "context"),
        ("what is wrong with the sweep config?", "context"),
        ("what is the best way for me to resume 48213_3", "resume"),
        ("what is 48213_7 waiting for?", "explain"),
        ("launch more agents", "launch"),
        ("hello", "other"),
    ],
)
def test_intents(text: str, intent: str) -> None:
    assert intent_of(text) == intent


@pytest.mark.parametrize(
    "text", ["check on sweeps", "status", "please check my sweeps", "What's going on with the runs?"]
)
def test_plain_status_requests_are_looked_up_before_the_model_speaks(text: str) -> None:
    assert wants_status(text)


@pytest.mark.parametrize("text", ["check on sweeps and cancel 48213_4", "why is the status wrong?", "hi"])
def test_anything_more_is_left_to_the_model(text: str) -> None:
    assert not wants_status(text)


def test_job_ids_in_words() -> None:
    assert job_in("why did 48213_5 die?") == "48213_5"
    assert job_in("version 3.11 of it") is None
