"""Plays a transcript: each message asked, each approval answered as it is written, each answer held against it."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

from rich.console import Console

from agent.answer import ends_with_question
from agent.approval import Approver, Decision, Nobody, Request
from agent.config import Config
from agent.exchange import Answer
from agent.models import Model, ModelError
from agent.models.playbook import Playbook
from agent.models.scripted import Script, Scripted
from agent.session import start
from agent.terminal.screen import Screen
from agent.transcript import Call, Expect, Message, Says, Transcript, TranscriptError, Typed, load
from agent.transcript_cluster import Simulated
from tools.place import Place


class _Typist:
    """Stands in for the person at the approval: types the transcript's next words."""

    def __init__(self, cluster: Simulated, out: Console) -> None:
        self._cluster, self._out = cluster, out
        self.left: list[Typed] = []
        self.asked: list[str] = []

    def ask(self, request: Request) -> Decision:
        for line in request.lines:
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


def replay_file(path: Path, config: Config, model: Model | None = None) -> list[str]:
    """Play one transcript; what was not as expected, in words. ``model`` answers instead of what is written."""
    transcript = load(path)
    with tempfile.TemporaryDirectory(prefix="sweep-agent-") as folder:
        try:
            return play(transcript, config, Path(folder), model)
        except TranscriptError as error:
            raise TranscriptError(f"{path}: {error}") from None


def play(transcript: Transcript, config: Config, state: Path, model: Model | None = None) -> list[str]:
    """The same in a ``state`` folder of the caller's."""
    cluster = Simulated(state, transcript.cluster, transcript.messages[0].at)
    place = cluster.place(os.environ)
    talks: dict[str, _Talk] = {}
    problems: list[str] = []
    for number, message in enumerate(transcript.messages, 1):
        cluster.go(message.at)
        name = transcript.conversation_of(message)
        talk = talks.get(name) or talks.setdefault(name, _Talk(transcript, config, cluster, state, place))
        talk.conversation.model = model or model_of(message)
        try:
            problems += [f"message {number}: {line}" for line in _hold(transcript, message, talk, cluster)]
        except ModelError as error:
            return [*problems, f"message {number}: {error}"]
    return problems


def model_of(message: Message) -> Model:
    return Playbook() if message.model is None else Scripted([blocks_of(says) for says in message.model])


def blocks_of(says: Says) -> Script:
    """One turn of the model in the Messages API's shape."""
    return [
        {"type": "tool_use", "name": block.name, "input": block.input}
        if isinstance(block, Call)
        else {"type": "text", "text": block}
        for block in says
    ]


def _hold(transcript: Transcript, message: Message, talk: _Talk, cluster: Simulated) -> list[str]:
    """Ask, and hold what came of it against what must be so."""
    talk.typist.left, talk.typist.asked = list(message.types), []
    talk.shown.seek(0)
    talk.shown.truncate()
    before = cluster.jobs()
    answer = talk.conversation.ask(transcript.words_of(message), typed=transcript.typed_by_person(message))
    talk.screen.flush()
    after = cluster.jobs()
    changed = {job: after.get(job, "gone") for job in {**before, **after} if before.get(job) != after.get(job)}
    changed = {job: state for job, state in changed.items() if not _meanwhile(message, job, state)}
    expect = message.expect
    wrong = _different("approvals asked for", talk.typist.asked, expect.asks)
    wrong += _different("jobs changed", changed, expect.changes)
    if talk.typist.left:
        wrong.append(f"never asked for: {talk.typist.left[0].text!r}")
    return [*wrong, *_check(expect, answer, talk.shown.getvalue())]


def _meanwhile(message: Message, job: str, state: str) -> bool:
    return any(typed.meanwhile.get(job, {}).get("state") == state for typed in message.types)


def _check(expect: Expect, answer: Answer, shown: str) -> list[str]:
    wrong = _different("tools called", answer.tools, expect.tools) if expect.tools is not None else []
    wrong += _different("waits for an approval", answer.waits, expect.waits)
    if len(answer.denied) != len(expect.denied):
        wrong.append(f"acts denied: {answer.denied}, expected {expect.denied}")
    else:
        pairs = [
            (reason, part) for reason, part in zip(answer.denied, expect.denied, strict=True) if part not in reason
        ]
        wrong += [f"denied for another reason: {reason!r}, expected {part!r}" for reason, part in pairs]
    wrong += [f"missing: {piece!r}" for piece in expect.contains if piece not in shown]
    wrong += [f"must not appear: {piece!r}" for piece in expect.lacks if piece in shown]
    wrong += [f"no link to {link}" for link in expect.links if not _linked(link, shown)]
    if expect.question and not ends_with_question(answer.text):
        wrong.append("the answer does not end with a question")
    return wrong


def _linked(link: str, shown: str) -> bool:
    words = shown.split()
    return any(word.startswith("https://") and word.rstrip(".,;)│").endswith(f"/sweeps/{link}") for word in words) or (
        link in words
    )


def _different(what: str, found: object, expected: object) -> list[str]:
    return [] if found == expected else [f"{what}: {found}, expected {expected}"]
