"""Records of a ``.wandb`` file and the protobuf fields in them; nothing here knows what they mean.

A 7-byte header (``:W&B``, 0xBEE1, version), then 32 KiB blocks of chunks: crc32 of type and data, length,
type (whole, first, middle, last), data. A chain of chunks is one protobuf ``Record``.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

BLOCK = 32 << 10
HEADER = struct.Struct("<4sHB")
CHUNK = struct.Struct("<IHB")
# Control and info of a Record.
_ENVELOPE = (16, 200)
_TYPE_CRC = [zlib.crc32(bytes([kind])) for kind in range(5)]


class Broken(ValueError):
    """Bytes that are no protobuf message."""


def records(data: bytes, at: int) -> Iterator[bytes]:
    """The whole records of consecutive blocks, from byte ``at`` on; a damaged block is skipped to its end."""
    parts: list[bytes] | None = None
    unpack, header, crc_of = CHUNK.unpack_from, CHUNK.size, zlib.crc32
    for base in range(0, len(data), BLOCK):
        block_end = min(base + BLOCK, len(data))
        last = block_end - header
        place = base + (at if base == 0 else 0)
        while place <= last:
            crc, length, kind = unpack(data, place)
            start = place + header
            place = start + length
            payload = data[start:place]
            if place > block_end or not 0 < kind < 5 or crc_of(payload, _TYPE_CRC[kind]) != crc:
                parts = None
                break
            if kind == 1:
                parts = None
                yield payload
            elif kind == 2:
                parts = [payload]
            elif parts is not None:
                parts.append(payload)
                if kind == 4:
                    yield b"".join(parts)
                    parts = None


def kind(record: bytes) -> int:
    """The tag of what a ``Record`` is about, where it stands behind no more than the number and a short info.

    0 where that takes a closer look (``content``).
    """
    try:
        if record[0] != 8:
            return 0
        at = 2 if record[1] < 0x80 else 3 if record[2] < 0x80 else 4
        if record[at - 1] >= 0x80:
            return 0
        if record[at] == 0xC2 and record[at + 1] == 0x0C and record[at + 2] < 0x80:
            at += 3 + record[at + 2]
        return record[at]
    except IndexError:
        return 0


def content(record: bytes) -> tuple[int, bytes]:
    """Field number and bytes of what a ``Record`` is about: the one message in it besides its control and info.

    (0, nothing) where it holds none. Raises Broken.
    """
    place, end = 0, len(record)
    try:
        while place < end:
            tag = record[place]
            place += 1
            if tag >= 0x80:
                tag = (tag & 0x7F) | (record[place] << 7)
                place += 1
            if tag & 7 == 0:
                while record[place] >= 0x80:
                    place += 1
                place += 1
                continue
            if tag & 7 != 2:
                raise Broken
            length = record[place]
            place += 1
            if length >= 0x80:
                length, place = _varint(record, place - 1)
            if place + length > end:
                raise Broken
            if tag >> 3 not in _ENVELOPE:
                return tag >> 3, record[place : place + length]
            place += length
    except IndexError:
        raise Broken from None
    return 0, b""


def fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """Field number, wire type and value of each field: an int for type 0, else its bytes. Raises Broken."""
    place, end = 0, len(data)
    try:
        while place < end:
            # nearly all tags, lengths and numbers are one byte, and the call is slow
            tag = data[place]
            if tag < 0x80:
                place += 1
            else:
                tag, place = _varint(data, place)
            wire = tag & 7
            value: Any
            if wire == 2 or wire == 0:
                length = data[place]
                if length < 0x80:
                    place += 1
                else:
                    length, place = _varint(data, place)
                if wire == 2:
                    start, place = place, place + length
                    value = data[start:place]
                else:
                    value = length
            elif wire in (1, 5):
                start, place = place, place + (8 if wire == 1 else 4)
                value = data[start:place]
            else:
                raise Broken
            if place > end or tag < 8:
                raise Broken
            yield tag >> 3, wire, value
    except IndexError:
        raise Broken from None


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
