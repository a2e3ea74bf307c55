"""The values of a nested configuration by their dotted paths."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

MAX_KEYS = 20_000


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


def positive(value: object) -> float | None:
    """A number above zero, also one written as text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and re.fullmatch(r"\d{1,12}(?:\.\d{1,6})?(?:[eE]\+?\d{1,2})?", value.strip()):
        value = float(value)
    if isinstance(value, int | float) and math.isfinite(value) and value > 0:
        return float(value)
    return None
