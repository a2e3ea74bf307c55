"""Work that belongs to another command is named, and never taken for the sweeps' own."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import Stage

from agent.intents import intent_of
from agent.models.playbook import WHICH, Playbook
from agent.related import related


@pytest.mark.parametrize(
    ("asked", "command"),
    [
        ("commit these config fixes", "git-manager"),
        ("Can you commit the changes?", "git-manager"),
        ("please push to main", "git-manager"),
        ("git pull", "git-manager"),
        ("create a pull request for the sweep changes", "pr-manager"),
        ("open a PR", "pr-manager"),
        ("cherry-pick the fix from dev", "cherry-pick"),
        ("cherry pick that commit", "cherry-pick"),
        ("what is the general status?", "update"),
        ("project status please", "update"),
    ],
)
def test_what_belongs_to_another_command(asked: str, command: str) -> None:
    found = related(asked)
    assert found and found[0] == command
    assert intent_of(asked) == "related"


@pytest.mark.parametrize(
    "asked",
    [
        "check on sweeps", "status", "update ACTIVE_SWEEPS.md", "did the last commit break 48213_5?",
        "resume preempted runs", "launch 2 more agents of xk31p7", "which runs use commit 3f2a?", "create a new sweep",
        "how is the progress of my sweeps?", "what is the overall loss trend?", "pull the logs of 48213_5",
    ],
)  # fmt: skip
def test_what_is_for_the_sweeps(asked: str) -> None:
    assert related(asked) is None or intent_of(asked) != "related"


def test_the_playbook_names_the_command_and_does_nothing(tmp_path: Path) -> None:
    scene = Stage(tmp_path / "state", Playbook())
    answer = scene.ask("commit these config fixes")
    assert "git-manager" in answer.text and answer.text.count("?") == 1
    assert answer.tools == []


def test_a_config_error_names_who_commits_its_mending(tmp_path: Path) -> None:
    answer = Stage(tmp_path / "state", Playbook()).ask("why did 48240_0 die?")
    assert "git-manager" in answer.text


@pytest.mark.parametrize("asked", ["cancel the worst job", "launch more agents", "pause it", "sync everything"])
def test_a_request_that_says_too_little_gets_one_question(tmp_path: Path, asked: str) -> None:
    answer = Stage(tmp_path / "state", Playbook()).ask(asked)
    assert answer.text.count("?") == 1 and answer.text.endswith("?")
    assert "I can:" not in answer.text
    assert all(question.endswith("?") for question in WHICH.values())
