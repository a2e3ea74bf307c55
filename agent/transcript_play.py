"""Plays a transcript: each message asked, each approval answered as it is written, each answer held against it."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from agent.approval import Approver, Decision, Nobody, Request
from agent.config import Config
from agent.models import Model, ModelError
from agent.models.playbook import Playbook
from agent.models.scripted import Scripted
from agent.session import start
from agent.terminal.screen import Screen
from agent.transcript import Call, Message, Says, Transcript, TranscriptError, Typed, load
from agent.transcript_check import Came, as_written
from agent.transcript_cluster import Simulated
from tools.place import Place

Check = Callable[[Message, Came], list[str]]


class _Typist:
    """Stands in for the person at the approval: types the transcript's next words."""

    def __init__(self, cluster: Simulated, out: Console) -> None:
        self._cluster, self._out = cluster, out
        self.left: list[Typed] = []
        self.asked: list[str] = []

    def ask(self, request: Request) -> Decision:
        for line in (*request.listed, *request.lines):
            self._out.print(line, soft_wrap=True)
        self.asked.append(request.confirm)
        if not self.left:
            return "no"
        words = self.left.pop(0)
        self._cluster.sleep(words.after_s)
        self._cluster.change(words.meanwhile)
        return request.answered(words.text, self._cluster.now)


class _Talk:
    """One conversation of the channel, with all that the person saw of it."""

    def __init__(self, transcript: Transcript, config: Config, cluster: Simulated, state: Path, place: Place) -> None:
        self.shown = io.StringIO()
        out = Console(file=self.shown, width=120, highlight=False, markup=False, emoji=False)
        self.screen = Screen(out, out, place.redactor)
        self.typist = _Typist(cluster, out)
        approver: Approver = self.typist if transcript.terminal else Nobody()
        self.conversation = start(config, place, Playbook(), self.screen, state, approver)
        context = self.conversation.context
        context.clock, context.sleep = lambda: cluster.now, cluster.sleep


def replay_file(path: Path, config: Config) -> list[str]:
    """Play one transcript; what was not as expected, in words. Raises TranscriptError."""
    transcript = load(path)
    with tempfile.TemporaryDirectory(prefix="sweep-agent-") as folder:
        try:
            return play(transcript, config, Path(folder))
        except TranscriptError as error:
            raise TranscriptError(f"{path}: {error}") from None


def play(
    transcript: Transcript, config: Config, state: Path, model: Model | None = None, check: Check = as_written
) -> list[str]:
    """The same in a ``state`` folder of the caller's; ``model`` answers in place of what is written."""
    cluster = Simulated(state, transcript.cluster, transcript.messages[0].at)
    place = cluster.place(os.environ)
    talks: dict[str, _Talk] = {}
    problems: list[str] = []
    for number, message in enumerate(transcript.messages, 1):
        cluster.go(message.at)
        name = transcript.conversation_of(message)
        talk = talks.get(name) or talks.setdefault(name, _Talk(transcript, config, cluster, state, place))
        talk.conversation.model = model or _model_of(message)
        try:
            came = _ask(transcript, message, talk, cluster)
        except ModelError as error:
            return [*problems, f"message {number}: {error}"]
        problems += [f"message {number}: {line}" for line in check(message, came)]
    return problems


def _model_of(message: Message) -> Model:
    return Playbook() if message.model is None else Scripted([blocks_of(says) for says in message.model])


def blocks_of(says: Says) -> list[dict[str, Any]]:
    """One turn of the model in the Messages API's shape; its calls have no ids."""
    return [
        {"type": "tool_use", "name": block.name, "input": block.input}
        if isinstance(block, Call)
        else {"type": "text", "text": block}
        for block in says
    ]


def _ask(transcript: Transcript, message: Message, talk: _Talk, cluster: Simulated) -> Came:
    talk.typist.left, talk.typist.asked = list(message.types), []
    talk.shown.seek(0)
    talk.shown.truncate()
    before = cluster.standing()
    answer = talk.conversation.ask(transcript.words_of(message), typed=transcript.typed_by_person(message))
    talk.screen.flush()
    after = cluster.standing()
    meanwhile = {(job, words.get("state")) for typed in message.types for job, words in typed.meanwhile.items()}
    changed = {
        job: after.get(job, "gone")
        for job in {**before, **after}
        if before.get(job) != after.get(job) and (job, after.get(job)) not in meanwhile
    }
    untyped = [typed.text for typed in talk.typist.left]
    return Came(answer, talk.shown.getvalue(), tuple(talk.typist.asked), untyped, changed)
