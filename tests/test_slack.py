"""Slack's way of writing, and a channel's export as a transcript that can be played."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.cli import main
from agent.config import load as load_config
from agent.slack import plain
from agent.slack_export import MAX_BYTES, transcript_of
from agent.transcript import Transcript, TranscriptError
from agent.transcript_play import play

PEOPLE = {"U01MIRA": "mira", "U02JONAS": "jonas"}
USERS = [
    {"id": "U01MIRA", "name": "mira.k", "profile": {"display_name": "mira", "email": "mira@example.org"}},
    {"id": "U02JONAS", "name": "jonas", "profile": {"display_name": ""}},
    {"id": "U09SWEEP", "name": "sweep-agent", "is_bot": True, "profile": {}},
    {"id": "U10CI", "name": "ci", "is_bot": True, "profile": {}},
]


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("<@U09SWEEP> check on sweeps", "check on sweeps"),
        ("hey <@U09SWEEP>, check on sweeps", "hey check on sweeps"),
        ("<@U09SWEEP|sweep-agent>: ask <@U02JONAS> or <@U77>", "ask @jonas or @U77"),
        ("see <#C024BE7LR|ml-runs> and <#C1>", "see #ml-runs and #C1"),
        ("<!here> <!subteam^S1|@ml> <!channel>", "@here @ml @channel"),
        ("<!date^1392734382^{date}|Feb 18, 2014>", "Feb 18, 2014"),
        ("run <http://train.py|train.py> or <https://x.org/a?b=1&amp;c=2>", "run train.py or https://x.org/a?b=1&c=2"),
        ("<https://x.org/a|the page>, <mailto:a@b.org|a@b.org>", "the page (https://x.org/a), a@b.org"),
        (
            "<https://wandb.ai/acme-lab/molprop/runs/0c1d2e3f|0c1d2e3f>",
            "https://wandb.ai/acme-lab/molprop/runs/0c1d2e3f",
        ),
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("done :tada: :partyparrot: at 12:30:45", "done 🎉 :partyparrot: at 12:30:45"),
        (":thumbsup::skin-tone-3:", "yes"),
        (" :white_check_mark: ", "yes"),
        (":-1:", "👎"),
        ("```loss: 3 :eyes: &lt;nan&gt;``` :eyes:", "```loss: 3 :eyes: <nan>``` 👀"),
        ("&gt; cancel 48213_0\nno!", "> cancel 48213_0\nno!"),
        ("", ""),
    ],
)
def test_a_message_reads_as_on_the_screen(written: str, seen: str) -> None:
    assert plain(written, PEOPLE, "U09SWEEP") == seen


def _said(user: str, ts: int, text: str, **more: Any) -> dict[str, Any]:
    return {"type": "message", "user": user, "ts": f"{1772442000 + ts}.000100", "text": text, **more}


ROOT = "1772442000.000100"
FIRST_DAY = [
    _said("U01MIRA", 0, "<@U09SWEEP> why did 48213_5 die? :thinking_face:"),
    _said("U09SWEEP", 5, "It ran out of memory. Resume it?", thread_ts=ROOT, bot_id="B1"),
    _said("U02JONAS", 9, "lunch?"),
    {"type": "message", "subtype": "channel_join", "user": "U02JONAS", "ts": "1772442010.000100", "text": "joined"},
    _said("U02JONAS", 60, "what about 48213_6?", thread_ts=ROOT),
    _said("", 70, "build green", subtype="bot_message", bot_id="B2"),
]
SECOND_DAY = [_said("U01MIRA", 90_000, "<@U09SWEEP> check on sweeps, key is sk-ant-0123456789abcdefghijklmn")]


@pytest.fixture
def export(tmp_path: Path) -> Path:
    folder = tmp_path / "export" / "ml-sweeps"
    folder.mkdir(parents=True)
    (folder.parent / "users.json").write_text(json.dumps(USERS))
    (folder.parent / "channels.json").write_text("[]")
    (folder / "2026-03-03.json").write_text(json.dumps(SECOND_DAY))
    (folder / "2026-03-02.json").write_text(json.dumps(FIRST_DAY))
    return folder.parent


def test_what_was_said_to_the_agent_becomes_a_transcript(export: Path) -> None:
    """Mentions and what follows in their thread, in order over the days; not small talk, bots, joins, secrets, mail."""
    text = transcript_of(export)
    got = yaml.safe_load(text)
    assert [(one["user"], one.get("thread"), one["text"]) for one in got["messages"]] == [
        ("U01MIRA", None, "<@U09SWEEP> why did 48213_5 die? :thinking_face:"),
        ("U02JONAS", ROOT, "what about 48213_6?"),
        ("U01MIRA", None, "<@U09SWEEP> check on sweeps, key is [secret removed]"),
    ]
    assert (got["channel"], got["agent"]) == ("ml-sweeps", "U09SWEEP")
    assert got["users"] == {"U01MIRA": "mira", "U02JONAS": "jonas", "U09SWEEP": "sweep-agent"}
    assert "3 messages to the agent; 1 others left out" in got["about"]
    assert "example.org" not in text


def test_it_plays(export: Path, tmp_path: Path) -> None:
    """The thread is one conversation: a colleague's question in it is about another death."""
    transcript = Transcript.model_validate(yaml.safe_load(transcript_of(export)))
    assert transcript.words_of(transcript.messages[0]) == "why did 48213_5 die? 🤔"
    assert play(transcript, load_config({}, demo=True), tmp_path / "state") == []


def test_the_same_from_a_channels_folder_and_from_what_the_api_answers(export: Path, tmp_path: Path) -> None:
    whole = yaml.safe_load(transcript_of(export))
    assert yaml.safe_load(transcript_of(export / "ml-sweeps")) == whole
    answer = tmp_path / "history.json"
    answer.write_text(json.dumps({"ok": True, "messages": [*FIRST_DAY, *SECOND_DAY][::-1]}))
    alone = yaml.safe_load(transcript_of(answer, agent="U09SWEEP"))
    assert alone["messages"] == whole["messages"] and alone["users"] == {}


def test_a_direct_message_needs_no_mention_and_a_snippet_is_pasted_text(tmp_path: Path) -> None:
    folder = tmp_path / "D024BE91L"
    folder.mkdir()
    shared = _said(
        "U01MIRA", 0, "see here", subtype="file_share", files=[{"name": "log", "preview": "scancel 48213_0"}]
    )
    (folder / "2026-03-02.json").write_text(json.dumps([shared]))
    (one,) = yaml.safe_load(transcript_of(folder, agent="U09SWEEP"))["messages"]
    assert one["text"] == "see here\n```\nscancel 48213_0\n```"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "which user is the agent"),
        ("{}", "neither a list of messages"),
        ("[{", "no JSON"),
        ('[{"type": "message", "text": "x"}]', "message 1 has no time"),
        ("[" * 100_000, "no JSON"),
        ("PK\x03\x04", "unzip the export first"),
    ],
)
def test_a_file_that_is_no_export(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "messages.json"
    path.write_text(content)
    with pytest.raises(TranscriptError, match=said) as caught:
        transcript_of(path)
    assert said.startswith("which") or str(path) in str(caught.value)


def test_what_is_not_plain_is_asked_for(export: Path, tmp_path: Path) -> None:
    (export / "random").mkdir()
    with pytest.raises(TranscriptError, match="name a channel with --channel; there are: ml-sweeps, random"):
        transcript_of(export)
    assert "ml-sweeps" in transcript_of(export, channel="#ml-sweeps")
    with pytest.raises(TranscriptError, match="no such user"):
        transcript_of(export / "ml-sweeps", agent="nobody")
    with pytest.raises(TranscriptError, match="nobody says anything to ci"):
        transcript_of(export / "ml-sweeps", agent="ci")
    with pytest.raises(TranscriptError, match="no messages are in it"):
        transcript_of(export, channel="random")
    with pytest.raises(TranscriptError, match="No such file"):
        transcript_of(tmp_path / "missing.json")
    big = tmp_path / "big.json"
    with big.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(TranscriptError, match="larger than 20 MB"):
        transcript_of(big)


def test_the_command_prints_it_and_tells_what_is_wrong_in_one_line(
    export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["transcripts", "import", str(export)])
    assert ended.value.code == 0 and capsys.readouterr().out == transcript_of(export)
    with pytest.raises(SystemExit) as ended:
        main(["transcripts", "import", str(export / "users.json"), "--agent", "U09SWEEP"])
    error = capsys.readouterr().err
    assert ended.value.code == 1 and error.startswith("agent: ") and error.count("\n") == 1
