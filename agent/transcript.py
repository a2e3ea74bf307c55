"""Conversations written down as YAML, in Slack's form: who said what, when, in which thread, and what must be so of
each answer. ``transcript_play`` plays them.

A file holds ``channel``, ``users`` (id: name), ``agent`` (the id that mentions of it have), ``person`` (whose account
the agent works with, and who sits at the terminal; left out: whoever speaks first), ``terminal: false`` where nobody
can be asked, ``cluster`` (left out: the embedded demo as it is) and ``messages``. What others than ``person`` write can
ask, but names no target of an act.

A message has ``user``, ``ts`` (epoch seconds, as in Slack; the cluster's clock), ``thread`` (the ``ts`` of the message
that it answers) and ``text`` in Slack's way of writing. ``model`` is what the language model says, turn by turn: text,
a call (``resume_run: {run: e5f6a7b8}``), or a list of these; without it the playbook answers. ``types`` is what the
person types when asked for an approval, one entry a request. ``expect`` is what must be so; what it does not mention
must not be: no act denied, no approval asked for, no job of the cluster changed, and a question at the end.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from agent import slack
from agent.config_file import ConfigError, Settings, read_mapping

MAX_BYTES = 16 << 20
Words = dict[str, Any]
"""A job in the words of ``agent/demo/scenario.yaml``."""


class TranscriptError(Exception):
    """A transcript can't be played. One line that names the file and what is wrong."""


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cluster(Part):
    """What differs from the embedded demo at the first message; hours are relative to it."""

    without: list[str] = []
    """Jobs that are not there."""
    jobs: dict[str, Words] = {}
    """Other jobs, or the demo's with these words in place of its own; ``run`` holds those of its last run."""
    files: dict[str, str | None] = {}
    """Text added to files of the workspace; null: the file or folder is not there."""
    wandb: dict[Literal["runs", "sweeps"], dict[str, Words]] = {}
    """What the W&B service says otherwise: run or sweep id, and its ``state``, ``notes``, ``description`` …"""
    offline: list[str] = []
    """Run ids with an offline W&B folder that was never synced."""
    fails: dict[str, str] = {}
    """Program: what it complains about instead of doing anything."""


class Typed(Part):
    """What the person types at one request for approval."""

    text: str
    after_s: float = 0
    """Seconds that they think."""
    meanwhile: dict[str, Words] = {}
    """Job: what the cluster says of it by then, such as ``{state: COMPLETED}``."""


class Call(Part):
    name: str
    input: dict[str, Any]


def _block(value: Any) -> Any:
    """``tool: {argument: …}`` as a call."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, given),) = value.items()
        return {"name": name, "input": given or {}}
    return value


Block = Annotated[str | Call, BeforeValidator(_block)]
Says = Annotated[list[Block], BeforeValidator(lambda value: value if isinstance(value, list) else [value])]
Answered = Annotated[Typed, BeforeValidator(lambda value: {"text": value} if isinstance(value, str) else value)]


class Expect(Part):
    tools: list[str] | None = None
    """Those called, in order; left out: any."""
    asks: list[str] = []
    """The words to type for each approval that the person was asked for, in order."""
    denied: list[str] = []
    """A part of the reason of each act that was denied, in order."""
    changes: dict[str, str] = {}
    """Job: its state afterwards, for every job whose state the answer changed, or that it added; likewise what W&B was
    told, such as ``sweep xk31p7: PAUSED`` or ``run 5b6c7d8e: failed``."""
    waits: bool = False
    """An approval waits for a terminal."""
    contains: list[str] = []
    lacks: list[str] = []
    links: list[str] = []
    """Sweeps (or other addresses, whole) whose links are shown."""
    question: bool = True


class Message(Part):
    user: str
    ts: Annotated[str, Field(pattern=r"^\d{1,12}(\.\d{1,6})?$")]
    thread: str | None = None
    text: str
    model: list[Says] | None = None
    types: list[Answered] = []
    expect: Expect = Expect()

    @property
    def at(self) -> float:
        """Whole seconds: what is behind the point only tells messages apart."""
        return float(int(float(self.ts)))


class Transcript(Part):
    about: str = ""
    provenance: str = ""
    channel: str = ""
    users: dict[str, str] = {}
    agent: str = ""
    person: str = ""
    terminal: bool = True
    cluster: Cluster = Cluster()
    messages: Annotated[list[Message], Field(min_length=1)]

    @model_validator(mode="after")
    def _in_order(self) -> Transcript:
        times = [message.at for message in self.messages]
        late = next((later for before, later in pairwise(times) if later < before), None)
        if late is not None:
            raise ValueError(f"the message of ts {late:f} stands after a later one")
        return self

    def typed_by_person(self, message: Message) -> bool:
        return message.user == (self.person or self.messages[0].user)

    def conversation_of(self, message: Message) -> str:
        """A thread is a conversation, begun by the message that it answers; the rest of the channel is one, too."""
        threads = {other.thread for other in self.messages if other.thread}
        return message.thread or (message.ts if message.ts in threads else "channel")

    def words_of(self, message: Message) -> str:
        return slack.plain(message.text, self.users, self.agent)


def parse(file: Settings) -> Transcript:
    """The transcript that a file holds. Raises TranscriptError."""
    try:
        return Transcript.model_validate(dict(file.values))
    except ValidationError as error:
        raise TranscriptError(str(file.invalid(error))) from None


def load(path: Path) -> Transcript:
    """Read one transcript. Raises TranscriptError."""
    try:
        file = read_mapping(path, MAX_BYTES)
    except ConfigError as error:
        raise TranscriptError(str(error)) from None
    if not path.exists():
        raise TranscriptError(f"{path}: no such file")
    return parse(file)
