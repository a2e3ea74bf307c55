"""Items of history, summary and config in a ``.wandb`` record: a key path and its JSON, or its removal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from tools.sources.wandb_records import fields, leading

SET, REMOVE = 1, 2
_VALUE = b"\x82\x01"
"""Tag of field 16, an item's JSON."""
_NAME, _NESTED = 0x0A, 0x12
"""Tags of a key that stands alone, and of one that is a part of a path."""
MAX_PATH = MAX_REMEMBERED = 256
"""Bytes of a key path, and of a whole item, that is remembered."""
_SCALAR = frozenset(b'"-0123456789tfnNI')
"""First bytes of JSON that is no object and no list."""
_first_value = json.JSONDecoder().raw_decode


def changes(body: bytes) -> list[tuple[int, bytes]]:
    """What a summary or config record sets and removes, in its order, not decoded. Raises Broken."""
    short, place = leading(body)
    found = [(SET, item) for item in short]
    if place < len(body):
        more = fields(body, place)
        found += [(number, value) for number, wire, value in more if wire == 2 and number in (SET, REMOVE)]
    return found


def apply(into: dict[str, Any], change: tuple[int, bytes]) -> None:
    """Carry out one change, whole or not at all. Raises ValueError or RecursionError where it is broken."""
    number, body = change
    if number == SET:
        path, text, value = _remembered(body) if len(body) <= MAX_REMEMBERED else _read(body)
        if text is not None:
            _put(into, path, _decoded(text) if value is NotImplemented else value)
        return
    path, _ = _item(body)
    place: Any = into
    for name in path[:-1]:
        place = place.get(name) if isinstance(place, dict) else None
    if isinstance(place, dict):
        place.pop(path[-1], None)


def _read(body: bytes) -> tuple[tuple[str, ...], bytes | None, Any]:
    """Key path, JSON text and value of an item; NotImplemented for what may be changed and must be decoded anew."""
    path, text = _item(body)
    return path, text, _decoded(text) if text and text[0] in _SCALAR else NotImplemented


_remembered = lru_cache(maxsize=4096)(_read)
"""Most of a config is the same in all runs of a sweep."""


def _put(into: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    for name in path[:-1] if len(path) > 1 else ():
        deeper = into.get(name)
        if not isinstance(deeper, dict):
            deeper = into[name] = {}
        into = deeper
    into[path[-1]] = value


def row(body: bytes) -> dict[str, Any]:
    """One history record with its ``_step``. Raises as ``apply`` does."""
    values: dict[str, Any] = {}
    step = 0
    items, place = leading(body)
    for number, wire, value in fields(body, place):
        if number == 1 and wire == 2:
            items.append(value)
        elif number == 2 and wire == 2:
            step = integer(value)
    for item in items:
        path, text = plain_item(item) or any_item(item)
        if text is not None:
            value = _decoded(text)
            if len(path) == 1:
                values[path[0]] = value
            else:
                _put(values, path, value)
    values.setdefault("_step", step)
    return values


def integer(body: bytes) -> int:
    """Field 1 as an int64; protobuf leaves out a zero."""
    if len(body) == 2 and body[0] == 8 and body[1] < 0x80:
        return body[1]
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
    while place + 1 < len(item) and item[place] in (_NAME, _NESTED) and item[place + 1] < 0x80:
        place += 2 + item[place + 1]
    # field 16 follows, or nothing does
    return item[:place] if item[place : place + 2] in (_VALUE, b"") else item


def _decoded(text: bytes) -> Any:
    """The JSON of an item; a whole number without the parser. Raises ValueError or RecursionError."""
    if text.isdigit() and (text[0] != 48 or len(text) == 1) and len(text) < 18:
        return int(text)
    try:
        words = text.decode()
    except UnicodeDecodeError:
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
    return plain_item(body) or any_item(body)


def plain_item(body: bytes) -> tuple[tuple[str, ...], bytes] | None:
    """An item as W&B writes nearly all: a short key path, then the value, no more; None: ask ``any_item``."""
    place = body.find(_VALUE)
    start = place + 3
    if not 0 < place <= MAX_PATH or start >= len(body):
        return None
    path = _path(body[:place])
    length = body[start - 1]
    if length >= 0x80:
        if body[start] >= 0x80:
            return None
        length, start = length & 0x7F | body[start] << 7, start + 1
    return (path, body[start:]) if path and start + length == len(body) else None


@lru_cache(maxsize=4096)
def _path(encoded: bytes) -> tuple[str, ...]:
    """The names of a key path, which come again in every row and every run; none where it is no plain one."""
    names: list[str] = []
    place, end = 0, len(encoded)
    only = encoded[0] == _NAME
    while place + 1 < end and encoded[place] in (_NAME, _NESTED) and encoded[place + 1] < 0x80:
        start = place + 2
        place = start + encoded[place + 1]
        if place > end or only != (encoded[start - 2] == _NAME):
            return ()
        names.append(sys.intern(encoded[start:place].decode()))
    return tuple(names) if place == end and (len(names) == 1 or not only) else ()


def any_item(body: bytes) -> tuple[tuple[str, ...], bytes | None]:
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


def plain_entry(body: bytes) -> tuple[str, str] | None:
    """Key and value of a map's entry, both short, and no more in it; None: ask ``any_entry``."""
    size = len(body)
    if size < 4 or body[0] != _NAME or body[1] >= 0x80:
        return None
    at = 2 + body[1]
    if at + 2 > size or body[at] != _NESTED or not body[at + 1] == size - at - 2 < 0x80:
        return None
    return body[2:at].decode(), body[at + 2 :].decode()


def any_entry(body: bytes) -> tuple[str, str]:
    entry = {key: text.decode() for key, wire, text in fields(body) if wire == 2}
    return entry.get(1, ""), entry.get(2, "")
