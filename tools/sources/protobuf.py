"""The wire form of protobuf messages, as far as W&B's log needs it: fields by number, nothing typed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Broken(ValueError):
    """Bytes that are no protobuf message."""


def fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """Field number, wire type and value of each field: an int for type 0, else its bytes. Raises Broken."""
    place, end = 0, len(data)
    while place < end:
        tag, place = _varint(data, place)
        number, wire = tag >> 3, tag & 7
        value: Any
        if wire == 0:
            value, place = _varint(data, place)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
            value, place = data[place : place + length], place + length
        elif wire == 2:
            length, place = _varint(data, place)
            value, place = data[place : place + length], place + length
        else:
            raise Broken
        if place > end or number == 0:
            raise Broken
        yield number, wire, value


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place
        shift += 7
    raise Broken
