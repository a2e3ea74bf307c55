"""Every written conversation holds, and one that doesn't is reported with what was not as it must be."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from agent.config import load
from agent.transcript import TranscriptError
from agent.transcript import load as load_transcript
from agent.transcript_play import replay_file

FILES = sorted((Path(__file__).parents[1] / "fixtures" / "transcripts").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_holds(path: Path) -> None:
    assert replay_file(path, load({}, demo=True)) == []


def test_each_says_what_it_is_about_and_where_it_is_from() -> None:
    for path in FILES:
        transcript = load_transcript(path)
        seat = "the model's turns were written by a language model in the model's seat over HTTP, not recorded from"
        assert transcript.about.endswith("."), path.name
        assert transcript.provenance.startswith(seat if path.name.startswith("llm-") else "written by hand"), path.name


def _play(tmp_path: Path, *messages: object, **more: object) -> str:
    asked = [
        {"user": "mira", "ts": str(1772442000 + 60 * number), **message}  # type: ignore[dict-item]
        for number, message in enumerate(messages)
    ]
    path = tmp_path / "t.yaml"
    path.write_text(yaml.safe_dump({"messages": asked, **more}))
    return "\n".join(replay_file(path, load({}, demo=True)))


def test_what_does_not_hold_is_named(tmp_path: Path) -> None:
    expect = {
        "tools": ["squeue"],
        "denied": ["never"],
        "contains": ["nowhere"],
        "lacks": ["48213_3"],
        "links": ["xk31p8", "xk31p7"],
        "waits": True,
        "changes": {"48213_4": "CANCELLED"},
        "asks": ["cancel 48213_4"],
    }
    problems = _play(tmp_path, {"text": "check on sweeps", "types": ["yes"], "expect": expect})
    for said in (
        "approvals asked for: [], expected ['cancel 48213_4']",
        "jobs changed: {}, expected {'48213_4': 'CANCELLED'}",
        "never asked for: 'yes'",
        "tools called: ['check_sweeps', ",
        "waits for an approval: False",
        "acts denied: []",
        "missing: 'nowhere'",
        "must not appear: '48213_3'",
        "no link to xk31p8",
    ):
        assert f"message 1: {said}" in problems
    assert "xk31p7" not in problems


def test_what_a_file_does_not_mention_must_not_be(tmp_path: Path) -> None:
    """An act that happens, a question for approval and a denial are failures where the file says nothing of them."""
    problems = _play(
        tmp_path,
        {"text": "cancel the diverged job", "types": ["cancel 48213_4"]},
        {"text": "cancel 48213_1", "model": ["It is over."]},
        {"text": "cancel 48213_1"},
    )
    assert "message 1: approvals asked for: ['cancel 48213_4'], expected []" in problems
    assert "message 1: jobs changed: {'48213_4': 'CANCELLED'}, expected {}" in problems
    assert "message 3: acts denied: ['DENIED: 48213_1 is COMPLETED" in problems


def test_the_clock_is_that_of_the_messages(tmp_path: Path) -> None:
    """What was submitted has begun to train an hour later; the demo is made at the first message, whenever that was."""
    problems = _play(
        tmp_path,
        {"text": "resume e5f6a7b8", "types": ["resume e5f6a7b8"], "expect": {"asks": ["resume e5f6a7b8"]}},
        {
            "ts": "1772445600",
            "text": "how far is 48252?",
            "expect": {"contains": ["48252 (run e5f6a7b8): running at epoch 4"], "lacks": ["2 March"]},
        },
    )
    assert problems == "message 1: jobs changed: {'48252': 'PENDING'}, expected {}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("messages: 3", "messages: "),
        ("messages: []", "messages: "),
        ("messages:\n- usr: x", "line 2: messages entry 1."),
        ("messages:\n- {user: a, ts: soon, text: x}", "line 2: messages entry 1.ts: "),
        ("messages:\n- {user: a, ts: '2', text: x}\n- {user: a, ts: '1', text: x}", "after a later one"),
        ("{", "t.yaml"),
        ("", "messages: is missing"),
        ("about: a\nabout: b\n", "line 2: 'about' stands on line 1 already"),
    ],
)
def test_a_file_that_cannot_be_played(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(text)
    with pytest.raises(TranscriptError, match=said):
        load_transcript(path)


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ({"without": ["7_7"]}, "t.yaml: cluster.without: the demo has no job 7_7"),
        (
            {"jobs": {"48213_0": {"epoch": 3}}},
            r"t.yaml: cluster.jobs.48213_0: unknown word epoch; there are: .*\brun\b",
        ),
        ({"fails": {"srun": "x"}}, "cluster.fails: the demo has no program srun"),
        ({"files": {"../../elsewhere": "x"}}, "lies outside the workspace"),
    ],
)
def test_a_cluster_that_cannot_be(tmp_path: Path, cluster: object, said: str) -> None:
    with pytest.raises(TranscriptError, match=said):
        _play(tmp_path, {"text": "hi"}, cluster=cluster)


def test_a_script_that_is_too_short_is_a_failure(tmp_path: Path) -> None:
    assert "turn 2 was asked for" in _play(tmp_path, {"text": "hi", "model": [{"squeue": None}]})


def test_the_example_of_the_documentation_holds(tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "docs" / "transcripts.md").read_text(encoding="utf-8")
    path = tmp_path / "example.yaml"
    path.write_text(text.partition("```yaml\n")[2].partition("```")[0])
    assert replay_file(path, load({}, demo=True)) == []
