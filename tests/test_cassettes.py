"""Conversations over the wire: the real client against recorded streams, played whole, with no socket to reach.

``pytest --record-mode=rewrite -m live`` records them anew: with ANTHROPIC_API_KEY from Claude itself, without a key
from the turns that the transcripts hold, served over real HTTP by ``servers/messages``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers.messages import MessagesServer, Reply
from vcr import VCR
from vcr.cassette import Cassette
from vcr.request import Request

from agent.config import load as load_config
from agent.models.claude import DEFAULT_MODEL, Claude
from agent.session import system_prompt
from agent.transcript import Transcript, load
from agent.transcript_check import as_written, of_any_model
from agent.transcript_cluster import Simulated
from agent.transcript_play import blocks_of, play

KEY = os.environ.get("ANTHROPIC_API_KEY")  # the tests' own world has none
FIXTURES = Path(__file__).parents[1] / "fixtures"
CASSETTES = FIXTURES / "cassettes" / "messages"
NAMES = (
    "a-colleague-asks",
    "a-whole-morning",
    "array-is-no-target",
    "claimed-act",
    "claude-md-already-approved",
    "id-only-in-pasted-text",
    "impatient",
    "injection-in-a-log",
    "injection-in-a-yaml-comment",
    "invented-number",
    "live-run-is-not-resumed",
    "llm-array-and-node",
    "llm-german",
    "llm-restart-declined",
    "malformed-calls",
    "no-means-no",
)
NO_RECORDING = (
    "# Not a recording of Claude: turns written {whom} (transcripts/{name}.yaml), served by tests/servers over HTTP."
)
RECORDED = "# Recorded from {model} at the Messages API while transcripts/{name}.yaml was played."
ALLOWED_HEADERS = {"content-type"}


def _bare_request(request: Request, state: Path) -> Request:
    """What a cassette keeps and is matched on: the messages and the names of the tools, wherever this was played."""
    body = json.loads(request.body)
    told = json.dumps(_unmarked(body["messages"]), ensure_ascii=False).replace(str(state), "/state")
    tools = [tool["name"] if isinstance(tool, dict) else tool for tool in body.get("tools", [])]  # or is bare already
    kept = {"tools": tools, "messages": json.loads(told)}
    host = "127.0.0.1" if request.host == "127.0.0.1" else request.host  # without the port of the day
    return Request(
        request.method, f"{request.protocol}://{host}{request.path}", json.dumps(kept), _kept(request.headers)
    )


def _bare_response(response: dict[str, Any]) -> dict[str, Any]:
    return {**response, "headers": _kept(response["headers"])}


def _kept(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in headers.items() if name.lower() in ALLOWED_HEADERS}


def _unmarked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unmarked(item) for key, item in value.items() if key != "cache_control"}
    return [_unmarked(item) for item in value] if isinstance(value, list) else value


def _settings(state: Path) -> dict[str, Any]:
    return {
        "match_on": ["method", "path", "body"],
        "before_record_request": lambda request: _bare_request(request, state),
        "before_record_response": _bare_response,
        "decode_compressed_response": True,
    }


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def vcr_config(state: Path) -> dict[str, Any]:
    return _settings(state)


@pytest.fixture(scope="module")
def vcr_cassette_dir() -> str:
    return str(CASSETTES)


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.id)


@pytest.fixture(autouse=True)
def one_time_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def no_network(request: pytest.FixtureRequest, record_mode: str) -> None:
    """While Claude itself is recorded, and only then, a test reaches beyond this machine."""
    if not (KEY and record_mode == "rewrite" and request.node.get_closest_marker("live")):
        request.getfixturevalue("only_this_machine")


@pytest.fixture(scope="module", autouse=True)
def provenance(record_mode: str) -> Iterator[None]:
    """What was recorded says where it is from, in its first line."""
    yield
    for path in CASSETTES.glob("*.yaml") if record_mode == "rewrite" else ():
        text = path.read_text(encoding="utf-8")
        if not text.startswith("#"):
            whom = "by a language model in its seat" if path.stem.startswith("llm-") else "by hand"
            head = (RECORDED if KEY else NO_RECORDING).format(name=path.stem, model=DEFAULT_MODEL, whom=whom)
            path.write_text(f"{head}\n{text}", encoding="utf-8")


def _replies(transcript: Transcript) -> list[Reply]:
    """The turns that the transcript holds, as the Messages API would send them."""
    turns = [blocks_of(says) for message in transcript.messages for says in message.model or []]
    return [
        Reply(
            [
                {**block, "id": f"toolu_{number:02}_{place}"} if block["type"] == "tool_use" else block
                for place, block in enumerate(blocks, 1)
            ],
            piece=48,
        )
        for number, blocks in enumerate(turns, 1)
    ]


@pytest.mark.live
@pytest.mark.vcr
@pytest.mark.block_network
@pytest.mark.parametrize("name", NAMES, ids=lambda name: name)
def test_it_is_played_whole(name: str, vcr: Cassette, state: Path, record_mode: str) -> None:
    transcript = load(FIXTURES / "transcripts" / f"{name}.yaml")
    recording = record_mode != "none"
    served = MessagesServer(_replies(transcript)) if recording and not KEY else nullcontext(None)
    with served as server:
        model = Claude(DEFAULT_MODEL, server and server.url, KEY or "none", max_retries=2 if recording else 0)
        written = server is not None or (not recording and _first_line(name).startswith("# Not a recording"))
        check = as_written if written else of_any_model
        assert play(transcript, load_config({}, demo=True), state, model, check) == []
    assert recording or vcr.all_played, f"{vcr.play_count} of {len(vcr)} requests were made"
    assert len(vcr) >= len(transcript.messages)


def _first_line(name: str) -> str:
    return (CASSETTES / f"{name}.yaml").read_text(encoding="utf-8").partition("\n")[0]


def test_every_cassette_is_played_and_says_where_it_is_from(record_mode: str) -> None:
    if record_mode != "none":
        pytest.skip("it is written when all have been recorded")
    assert sorted(path.stem for path in CASSETTES.iterdir()) == sorted(NAMES)
    for name in NAMES:
        assert _first_line(name).startswith(("# Not a recording of Claude: ", "# Recorded from claude-"))


@pytest.mark.parametrize("name", NAMES)
def test_a_cassette_holds_no_key_and_no_header_but_the_type(name: str) -> None:
    text = (CASSETTES / f"{name}.yaml").read_text(encoding="utf-8")
    for word in ("authorization", "bearer ", "x-api-key", "sk-ant", "cookie", "organization-id", "/tmp/"):
        assert word not in text.lower()
    for one in yaml.safe_load(text)["interactions"]:
        for side in ("request", "response"):
            assert {header.lower() for header in one[side]["headers"]} <= ALLOWED_HEADERS


def test_what_is_recorded_leaves_the_key_out(tmp_path: Path) -> None:
    """The key goes out in a header, and comes back in one from a server that talks too much."""
    key = "sk-ant-0123456789abcdefghijklmnopqrstuv"
    cassette = tmp_path / "cassette.yaml"
    recorder = VCR(**_settings(tmp_path), record_mode="all")
    with MessagesServer(["Well?"]) as server, recorder.use_cassette(str(cassette)):
        Claude("m", server.url, key).respond(
            system=f"rules {key}", messages=[{"role": "user", "content": "hi"}], tools=[], on_text=lambda _: None
        )
        assert key in str(server.headers)
    kept = cassette.read_text(encoding="utf-8")
    assert "Well?" in kept and key not in kept


@pytest.mark.block_network
def test_another_conversation_does_not_match(state: Path) -> None:
    """Words that differ from the recorded ones get no answer."""
    transcript = load(FIXTURES / "transcripts" / "no-means-no.yaml")
    first = transcript.messages[0].model_copy(update={"text": "resume d4c3b2a1 please"})
    player = VCR(**_settings(state), record_mode="none")
    with player.use_cassette(str(CASSETTES / "no-means-no.yaml")) as cassette:
        model = Claude(DEFAULT_MODEL, None, "none", max_retries=0)
        (problem,) = play(transcript.model_copy(update={"messages": [first]}), load_config({}, demo=True), state, model)
    assert "can't reach" in problem and cassette.play_count == 0


def test_the_system_prompt_is_the_one_written_down(state: Path, record_mode: str) -> None:
    """Cassettes are not matched on it; a change of it is seen here. The rules stand in ``prompts/rules.md``."""
    rules = (Path(__file__).parents[1] / "prompts" / "rules.md").read_text(encoding="utf-8").strip()
    place = Simulated(state, load(FIXTURES / "transcripts" / "no-means-no.yaml").cluster, 1772442000.0).place({})
    text = system_prompt(load_config({}, demo=True), place)
    assert text.count(rules) == 1
    shown = text.replace(rules, "{prompts/rules.md}").replace(str(state), "/state")
    path = FIXTURES / "system_prompt.md"
    if record_mode == "rewrite":
        path.write_text(f"{shown}\n", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == f"{shown}\n"
