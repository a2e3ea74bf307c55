"""What a person reads of a denial is in their words: no tool's name, and nobody else is `the person`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.for_person import ASKED, to_person
from agent.intents import intent_of
from agent.rules import RULES
from tools.registry import BY_NAME

AGENT = Path(sys.executable).with_name("agent")
SLURMS_OWN = {"squeue", "sacct"}


def test_every_tool_has_words_that_are_understood() -> None:
    assert set(ASKED) == set(BY_NAME) - SLURMS_OWN
    for tool, words in ASKED.items():
        if tool != "wandb_get":
            assert intent_of(words.replace("…", "xk31p7")) != "other", words


@pytest.mark.parametrize("verb", RULES)
def test_no_need_leaks_a_tool_or_speaks_of_the_person(verb: str) -> None:
    for need in (*RULES[verb].all_of, *RULES[verb].any_of):
        told = to_person(f"DENIED: {verb} 7_1: needed that {need.says}, which is not so: {need.help}")
        assert told.startswith(f"NOT DONE: {verb} 7_1: needed that ")
        assert not [name for name in set(BY_NAME) - SLURMS_OWN if name in told], told
        assert "the person" not in told and "a person" not in told, told


def test_a_path_with_such_a_name_is_left_as_it_is() -> None:
    line = "NOT DONE: /w/logs/stop_run.log and create_sweep.sh: no log (empty_trash)"
    assert to_person(line) == line.replace("empty_trash", "“empty the trash”")


@pytest.mark.parametrize("asked", ["cancel 99999", "cancel 48213_0", "resume b2c3d4e5"])
def test_a_denial_without_a_terminal_is_said_to_a_person(tmp_path: Path, asked: str) -> None:
    done = subprocess.run(
        [AGENT, "ask", "--demo", asked], capture_output=True, text=True, stdin=subprocess.DEVNULL,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert "NOT DONE: " in done.stdout and "DENIED" not in done.stdout
    assert not [name for name in set(BY_NAME) - SLURMS_OWN if name in done.stdout]
