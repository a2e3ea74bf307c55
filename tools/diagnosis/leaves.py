"""The single values of a nested configuration or of a command line, whatever way they are nested or written."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tools.data import real
from tools.text import words_of

MAX_KEYS = 20_000
MAX_COMMAND = 8000


def leaves(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Dotted path and value, shallow keys first; W&B's ``{value: …}`` wrapping is seen through."""
    level: list[tuple[str, Any]] = [("", config)]
    seen = 0
    while level and seen < MAX_KEYS:
        deeper: list[tuple[str, Any]] = []
        for prefix, value in level:
            if isinstance(value, Mapping):
                if "value" in value and len(value) <= 2:
                    deeper.append((prefix, value["value"]))
                    continue
                deeper += [(f"{prefix}.{key}" if prefix else str(key), item) for key, item in value.items()]
            else:
                seen += 1
                yield prefix, value
        level = deeper


def name_of(path: str) -> str:
    """The bare name of a key: ``--max-steps`` and ``trainer.max_steps`` are both ``max_steps``."""
    return path.rpartition(".")[2].lstrip("-+").replace("-", "_")


def in_line(line: str) -> dict[str, Any]:
    """Keys and values of a command, as written: ``--epochs=50``, ``--max_steps 100``, ``trainer.max_epochs=50``."""
    words = words_of(line[:MAX_COMMAND])
    values: dict[str, Any] = {}
    for word, following in zip(words, [*words, ""][1:], strict=True):
        key, equals, value = word.partition("=")
        if key.strip("-+") and (equals or word.startswith("--")):
            values.setdefault(key, value if equals else following)
    return values


def fixed(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A sweep's ``parameters`` that have one value only; a key with several fixes nothing."""
    found: dict[str, Any] = {}
    for name, spec in parameters.items():
        if not isinstance(spec, Mapping):
            continue
        if "value" in spec:
            found[str(name)] = spec["value"]
        elif isinstance(spec.get("values"), list) and len(spec["values"]) == 1:
            found[str(name)] = spec["values"][0]
        elif isinstance(spec.get("parameters"), Mapping):
            found[str(name)] = fixed(spec["parameters"])
    return found


def positive(value: object) -> float | None:
    """A number above zero, also one written as text; everything else is None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and re.fullmatch(r"\d{1,12}(?:\.\d{1,6})?(?:[eE]\+?\d{1,2})?", value.strip()):
        value = float(value)
    number = real(value) if isinstance(value, int | float) else None
    return number if number is not None and math.isfinite(number) and number > 0 else None
