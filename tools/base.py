"""What a tool is: typed arguments, a function, and whether it only reads or acts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tools.look import Place, Seen
from tools.status import Status
from tools.sweeps import read_status

MAX_RESULT_CHARS = 24_000
"""What one result may cost the model; a tool leaves out rows before it comes near."""
CACHE_S = 10.0
"""A look younger than this is not repeated: polite to the controller."""


class ToolError(Exception):
    """The tool could not do what was asked; the text tells the model what would help."""


class Denied(Exception):
    """An action was refused; the text is the reason, and what would help."""


class Args(BaseModel):
    """Arguments of a tool; unknown ones are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


@dataclass(slots=True)
class Context:
    """What tools work with in one conversation."""

    place: Place
    clock: Callable[[], float] = time.time
    _last: tuple[Status, Seen] | None = None

    def look(self, max_age: float = CACHE_S) -> tuple[Status, Seen]:
        """The whole look; read anew when the last one is older than ``max_age`` seconds."""
        if self._last is None or not 0 <= self.clock() - self._last[1].at <= max_age:
            self._last = read_status(self.place, self.clock)
        return self._last


@dataclass(frozen=True, slots=True)
class Output:
    """What a tool found: the text for the model, and the look it came from if it made one."""

    text: str
    status: Status | None = None
    facts: tuple[tuple[str, str, str], ...] = field(default=())
    """(kind, subject, value) as code read them: what answers are checked against."""


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    args: type[Args]
    run: Callable[[Context, Any], Output]
    effect: Literal["read", "act"] = "read"

    @property
    def description(self) -> str:
        return " ".join((self.run.__doc__ or "").split())

    def schema(self) -> dict[str, Any]:
        """The tool as the Messages API wants it."""
        schema = self.args.model_json_schema()
        schema.pop("title", None)
        schema.pop("description", None)
        for field_schema in schema.get("properties", {}).values():
            field_schema.pop("title", None)
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


def to_text(context: Context, value: object) -> str:
    """A result as one line of compact JSON without secrets; nulls and empty lists are left out."""
    return json.dumps(_bare(context.place.redactor.clean_all(value)), ensure_ascii=False, separators=(",", ":"))


def cut(text: str, limit: int = MAX_RESULT_CHARS) -> str:
    """A result that is too long, cut, and said to be."""
    return text if len(text) <= limit else f"{text[:limit]}… [cut: {len(text) - limit:,} more characters; ask for less]"


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items() if item is not None and item != [] and item != ()}
    if isinstance(value, list | tuple):
        return [_bare(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    return value
