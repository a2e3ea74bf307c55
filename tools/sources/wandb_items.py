"""Items of history, summary and config in a ``.wandb`` record: a key path and its JSON, or its removal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from tools.sources.wandb_records import fields

SET, REMOVE = 1, 2
_first_value = json.JSONDecoder().raw_decode


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
        value = _decoded(text)
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


def _decoded(text: bytes) -> Any:
    """The JSON of an item; a whole number without the parser. Raises ValueError or RecursionError."""
    if text.isdigit() and (text[0] != 48 or len(text) == 1) and len(text) < 18:
        return int(text)
    words = text.decode("utf-8", "surrogatepass")
    try:
        value, end = _first_value(words)
        if end == len(words):
            return value
    except ValueError:
        pass
    return json.loads(words)  # with white space around it, or broken


def _item(body: bytes) -> tuple[tuple[str, ...], bytes | None]:
    """Key path and JSON text."""
    return _plain_item(body) or _any_item(body)


def _plain_item(body: bytes) -> tuple[tuple[str, ...], bytes] | None:
    """An item as W&B writes nearly all: one name or several, all shorter than 128 bytes, then the value, no more."""
    names: list[str] = []
    end, place = len(body), 0
    while place + 1 < end and (tag := body[place]) in (0x0A, 0x12) and body[place + 1] < 0x80:
        start = place + 2
        place = start + body[place + 1]
        names.append(sys.intern(body[start:place].decode()))  # every row and every run has the same names
        if tag == 0x0A:
            break
    if not names or body[place : place + 2] != b"\x82\x01" or place + 4 > end:
        return None
    length, start = body[place + 2], place + 3
    if length >= 0x80:
        if body[start] >= 0x80:
            return None
        length, start = length & 0x7F | body[start] << 7, start + 1
    return (tuple(names), body[start:]) if start + length == end else None


def _any_item(body: bytes) -> tuple[tuple[str, ...], bytes | None]:
    key, nested, text = "", [], None
    for number, wire, value in fields(body):
        if wire != 2:
            continue
        if number == 1:
            key = sys.intern(value.decode())
        elif number == 2:
            nested.append(sys.intern(value.decode()))
        elif number == 16:
            text = value
    return tuple(nested) or (key,), text
