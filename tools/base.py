"""What a tool is: typed arguments and a function that reads, or the parts of an act that the guard carries out."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tools.acts import Action, Done, Outcome, Proposal, Ran, Refused
from tools.compact import compact
from tools.look import Seen
from tools.place import Place
from tools.status import Status
from tools.sweeps import read_status

MAX_RESULT_CHARS = 24_000
"""What one result may cost the model; a tool leaves out rows before it comes near."""
CACHE_S = 10.0
"""A look younger than this is not repeated: polite to the controller."""
BURST_S = 0.4
"""Several acts that read the queue one right after the other share one reading."""


class ToolError(Exception):
    """The tool could not do what was asked; the text tells the model what would help."""


class Denied(Exception):
    """An action was refused; the text is the reason, and what would help."""


class Args(BaseModel):
    """Arguments of a tool; unknown ones are refused. What reads them is built when a tool is first called or told."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, defer_build=True)


class Plan(Args):
    """What is thought before an act, in a few words each: shown to the person as yours, and never evidence."""

    status: str = Field(min_length=3, max_length=200)
    """How things stand: which jobs run, wait or died, with the numbers that a tool returned."""
    action: str = Field(min_length=3, max_length=200)
    """What this act does."""
    risks: str = Field(min_length=3, max_length=200)
    """What it may cost or break, such as the training that is lost."""


class ActArgs(Args):
    """Arguments of an act that a person is asked about."""

    plan: Plan
    """Think before acting: state this anew for each act."""

    @property
    def says(self) -> tuple[tuple[str, str], ...]:
        """The caller's own words, for ``Action.says``."""
        return tuple((name, str(words)) for name, words in self.plan)


@dataclass(slots=True)
class Context:
    """What tools work with in one conversation."""

    place: Place
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    submitted: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Run -> the jobs that this program has submitted for it, by the audit."""
    done: Mapping[str, Done] = field(default_factory=dict)
    """Job, run or sweep -> the last act on it that came to something, by the audit."""
    held: int | None = None
    """A descriptor that the programs of the act under way keep open, so that it shows whether they live."""
    declined: set[str] = field(default_factory=set)
    """Ids that the person said no to in this conversation: they are not asked about again."""
    _last: tuple[Status, Seen] | None = None
    _recent: dict[str, tuple[float, Any]] = field(default_factory=dict)

    def look(self, max_age: float = CACHE_S) -> tuple[Status, Seen]:
        """The whole look; read anew when the last one is older than ``max_age`` seconds."""
        if self._last is None or not 0 <= self.clock() - self._last[1].at <= max_age:
            self._last = read_status(self.place, self.clock)
        return self._last

    def recent(self, name: str, read: Callable[[], Any], max_age: float = BURST_S) -> Any:
        """What ``read`` gives, or gave under the same name within ``max_age`` seconds: never one call per job."""
        at, value = self._recent.get(name, (float("-inf"), None))
        if not 0 <= self.clock() - at <= max_age:
            value = read()
            self._recent[name] = (self.clock(), value)
        return value

    def forget(self) -> None:
        """The next look reads the world anew, however young the last one is."""
        self._last = None
        self._recent.clear()


@compact
class Output:
    """What a tool found: the text for the model, and the look it came from if it made one."""

    text: str
    status: Status | None = None
    facts: tuple[tuple[str, str, str], ...] = field(default=())
    """(kind, subject, value) as code read them: what answers are checked against."""


@compact
class _Callable(ABC):
    name: str
    args: type[Args]

    @property
    @abstractmethod
    def _told_by(self) -> Callable[..., Any]: ...

    @property
    def description(self) -> str:
        return " ".join((self._told_by.__doc__ or "").split())

    def schema(self) -> dict[str, Any]:
        """The tool as the Messages API wants it."""
        schema = self.args.model_json_schema()
        parts = schema.pop("$defs", {})
        for part in (schema, *parts.values()):
            part.pop("title", None)
            for field_schema in part.get("properties", {}).values():
                field_schema.pop("title", None)
                if "$ref" in field_schema:  # in its place: small servers follow no references
                    field_schema.update(parts[field_schema.pop("$ref").rpartition("/")[2]])
        schema.pop("description", None)
        return {"name": self.name, "description": self.description, "input_schema": schema}

    def parse(self, values: object) -> Args:
        """Typed arguments. Raises ToolError that names each wrong field and why."""
        try:
            return self.args.model_validate(values)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, entry['loc'])) or 'arguments'}: {entry['msg']}" for entry in error.errors()
            )
            raise ToolError(f"invalid arguments for {self.name}: {wrong}") from None


@compact
class Tool(_Callable):
    """A tool that only reads."""

    run: Callable[[Context, Any], Output]

    @property
    def _told_by(self) -> Callable[..., Any]:
        return self.run


@compact
class ActTool(_Callable):
    """A tool that changes something. It has no ``run``: only the guard carries an action out, after approval."""

    verb: str
    propose: Callable[[Context, Any], Sequence[Proposal | Refused]]
    """From the arguments and the world as it is now: what exactly would be done, and what was seen. Raises Denied."""
    perform: Callable[[Context, Action], Ran]
    """Does it. Never raises but for bugs."""
    settle: Callable[[Context, Action, float, Ran | None], Outcome]
    """What is so, by reading, of an action started at a time (epoch seconds) that ended so, if that is known."""

    @property
    def _told_by(self) -> Callable[..., Any]:
        return self.propose


def to_text(context: Context, value: object) -> str:
    """A result as one line of compact JSON without secrets; nulls and empty lists are left out."""
    return json.dumps(bare(context.place.redactor.clean_all(value)), ensure_ascii=False, separators=(",", ":"))


def cut(text: str, limit: int = MAX_RESULT_CHARS) -> str:
    """A result that is too long, cut, and said to be."""
    return text if len(text) <= limit else f"{text[:limit]}… [cut: {len(text) - limit:,} more characters; ask for less]"


def more(count: int, ask: str) -> str | None:
    """That so many were left out, and what to ask with to see them; None where none was."""
    return f"{count} more; ask with {ask}" if count > 0 else None


def bare(value: Any) -> Any:
    """Without nulls and empty lists, and with numbers that JSON knows."""
    if isinstance(value, dict):
        return {key: bare(item) for key, item in value.items() if item is not None and item != [] and item != ()}
    if isinstance(value, list | tuple):
        return [bare(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    return value
