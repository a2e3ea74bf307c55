"""Items of history, summary and config in a ``.wandb`` record: a key path and its JSON, or its removal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from tools.sources.wandb_records import fields

SET, REMOVE = 1, 2


def changes(body: bytes) -> list[tuple[int, bytes]]:
    """What a summary or config record sets and removes, in its order, not decoded. Raises Broken."""
    return [(number, value) for number, wire, value in fields(body) if wire == 2 and number in (SET, REMOVE)]


def apply(into: dict[str, Any], change: tuple[int, bytes]) -> None:
    """Carry out one change, whole or not at all. Raises ValueError or RecursionError where it is broken."""
    number, body = change
    path, text = _item(body)
    if number == REMOVE:
        place: Any = into
        for name in path[:-1]:
            place = place.get(name) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place.pop(path[-1], None)
    elif text is not None:
        value = json.loads(text)
        for name in path[:-1]:
            deeper = into.get(name)
            if not isinstance(deeper, dict):
                deeper = into[name] = {}
            into = deeper
        into[path[-1]] = value


def row(body: bytes) -> dict[str, Any]:
    """One history record with its ``_step``. Raises as ``apply`` does."""
    values: dict[str, Any] = {}
    step = 0
    for number, wire, value in fields(body):
        if number == 1 and wire == 2:
            apply(values, (SET, value))
        elif number == 2 and wire == 2:
            step = integer(value)
    values.setdefault("_step", step)
    return values


def integer(body: bytes) -> int:
    """Field 1 as an int64; protobuf leaves out a zero."""
    value = next((value for number, wire, value in fields(body) if number == 1 and wire == 0), 0)
    return value - (1 << 64) if value >= 1 << 63 else int(value)


class Latest:
    """Changes of which only the last of each key is decoded: a summary comes again with every row."""

    def __init__(self) -> None:
        self._last: dict[bytes, tuple[int, bytes]] = {}

    def add(self, found: Iterable[tuple[int, bytes]]) -> None:
        for change in found:
            name = _name(change[1])
            # to the end: a change of ``a`` and one of ``a.b`` must stay in order
            self._last.pop(name, None)
            self._last[name] = change

    def into(self, values: dict[str, Any]) -> bool:
        """Apply them; whether all could be decoded."""
        whole = True
        for change in self._last.values():
            try:
                apply(values, change)
            except (ValueError, RecursionError):
                whole = False
        return whole


def _name(item: bytes) -> bytes:
    """The encoded key path, or the whole item where that is not simple."""
    place = 0
    while place + 1 < len(item) and item[place] in (0x0A, 0x12) and item[place + 1] < 0x80:
        place += 2 + item[place + 1]
    # field 16 follows, or nothing does
    return item[:place] if item[place : place + 2] in (b"\x82\x01", b"") else item


def _item(body: bytes) -> tuple[tuple[str, ...], bytes | None]:
    """Key path and JSON text."""
    key, nested, text = "", [], None
    for number, wire, value in fields(body):
        if wire != 2:
            continue
        if number == 1:
            key = sys.intern(value.decode())  # every row and every run has the same names
        elif number == 2:
            nested.append(value.decode())
        elif number == 16:
            text = value
    return tuple(nested) or (key,), text
