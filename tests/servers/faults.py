"""Ways in which a server answers otherwise than it should."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """What is sent in place of the true answer."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    type: str = "application/json"


@dataclass(frozen=True)
class Drip:
    """An answer that comes byte by byte and does not end, the header's lines or the body's."""

    every_s: float
    header: bool = False


class Hang:
    """No answer, as long as the server lives."""


class Lost:
    """What was asked is done, and the connection drops before the answer."""


Fault = Answer | Drip | Hang | Lost


def says(message: str, status: int = 200) -> Answer:
    """A GraphQL error."""
    return Answer(status, json.dumps({"data": None, "errors": [{"message": message}]}).encode())
