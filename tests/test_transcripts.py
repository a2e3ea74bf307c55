"""Every written conversation holds, and one that doesn't is reported with what was missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import load
from agent.transcript import TranscriptError, replay_file
from agent.transcript import load as load_transcript

FILES = sorted((Path(__file__).parents[1] / "fixtures" / "transcripts").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_holds(path: Path) -> None:
    assert replay_file(path, load({}, demo=True)) == []


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "t.yaml"
    path.write_text(text)
    return path


def test_what_does_not_hold_is_named(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        "turns:\n- user: check on sweeps\n"
        '  expect: {tools: [squeue], denied: 1, contains: [nowhere], lacks: ["48213_3"]}\n',
    )
    problems = "\n".join(replay_file(path, load({}, demo=True)))
    for said in (
        "tools called: ['check_sweeps', ",
        "acts denied: 0",
        "missing: 'nowhere'",
        "must not appear: '48213_3'",
    ):
        assert said in problems


@pytest.mark.parametrize(
    ("text", "said"),
    [("turns: 3", "turns: "), ("turns:\n- usr: x", "turns.0."), ("{", "t.yaml"), ("", "file")],
)
def test_a_file_that_cannot_be_played(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TranscriptError, match=said):
        load_transcript(_file(tmp_path, text))


def test_a_script_that_is_too_short_is_a_failure(tmp_path: Path) -> None:
    path = _file(tmp_path, "turns:\n- user: hi\n  model: [[{type: tool_use, name: squeue, input: {}}]]\n")
    assert "turn 2 was asked for" in replay_file(path, load({}, demo=True))[0]
