"""Conversations written down as YAML, played again: who says what, and what must be so of each answer.

A file holds ``turns``: each with ``user`` (what the person types), optionally ``model`` (what the language model
says, turn by turn: text or content blocks; without it the playbook answers), ``types`` (what they type when asked to
approve an act of the demo; a real workspace is never changed by a transcript), and ``expect``: ``tools`` (called, in
order), ``denied`` (how many acts), ``contains`` and ``lacks`` (texts), ``question`` (it ends with one).
Played against the embedded demo unless --workspace names another place.
"""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console

from agent.answer import ends_with_question
from agent.approval import Decision, Nobody, Request
from agent.config import Config
from agent.exchange import Answer
from agent.models import Model, ModelError
from agent.models.playbook import Playbook
from agent.models.scripted import Scripted
from agent.session import place_of, start
from agent.terminal.screen import Screen


class _Typist:
    """Stands in for the person at the approval: types the transcript's next words."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self.words: list[str] = []

    def ask(self, request: Request) -> Decision:
        for line in (*request.listed, *request.lines):
            self._out.print(line, soft_wrap=True)
        return "yes" if self.words and self.words.pop(0) == request.confirm else "no"


class TranscriptError(Exception):
    """A transcript can't be played. One line that names the file and what is wrong."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Expect(_Part):
    tools: list[str] | None = None
    denied: int | None = None
    contains: list[str] = []
    lacks: list[str] = []
    question: bool = True


class Exchange(_Part):
    user: str
    model: list[str | list[dict[str, Any]]] | None = None
    types: list[str] = []
    expect: Expect = Expect()


class Transcript(_Part):
    about: str = ""
    provenance: str = ""
    turns: list[Exchange]


def load(path: Path) -> Transcript:
    """Read one transcript. Raises TranscriptError."""
    import yaml

    try:
        return Transcript.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        raise TranscriptError(f"{path}: {'.'.join(map(str, first['loc'])) or 'file'}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TranscriptError(f"{path}: {' '.join(str(error).split())}") from None


def replay_file(path: Path, config: Config) -> list[str]:
    """Play one transcript on a fresh demo (or the configured workspace); what was not as expected, in words."""
    transcript = load(path)
    if config.workspace == Path.cwd().resolve() and not config.demo:
        config = config.model_copy(update={"demo": True})
    with tempfile.TemporaryDirectory(prefix="sweep-agent-") as state:
        place = place_of(config, os.environ, Path(state))
        shown = io.StringIO()
        out = Console(file=shown, width=120, highlight=False, markup=False, emoji=False)
        typist = _Typist(out)
        approver = typist if place.demo else Nobody()
        conversation = start(config, place, Playbook(), Screen(out, out, place.redactor), Path(state), approver)
        problems: list[str] = []
        for number, exchange in enumerate(transcript.turns, 1):
            conversation.model = _model(exchange)
            typist.words = list(exchange.types)
            before = shown.tell()
            try:
                answer = conversation.ask(exchange.user, typed=place.demo)
            except ModelError as error:
                problems.append(f"turn {number}: {error}")
                break
            shown.seek(before)
            problems += [f"turn {number}: {line}" for line in _check(exchange.expect, answer, shown.read())]
        return problems


def _model(exchange: Exchange) -> Model:
    return Playbook() if exchange.model is None else Scripted(exchange.model)


def _check(expect: Expect, answer: Answer, shown: str) -> list[str]:
    wrong = []
    text = shown + answer.text
    if expect.tools is not None and expect.tools != answer.tools:
        wrong.append(f"tools called: {answer.tools}, expected {expect.tools}")
    if expect.denied is not None and expect.denied != len(answer.denied):
        wrong.append(f"acts denied: {len(answer.denied)}, expected {expect.denied}")
    wrong += [f"missing: {piece!r}" for piece in expect.contains if piece not in text]
    wrong += [f"must not appear: {piece!r}" for piece in expect.lacks if piece in text]
    if expect.question and not ends_with_question(answer.text):
        wrong.append("the answer does not end with a question")
    return wrong
