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
    for base in range(0, len(data), BLOCK):
        block_end = min(base + BLOCK, len(data))
        place = base + (at if base == 0 else 0)
        while place + CHUNK.size <= block_end:
            crc, length, kind = CHUNK.unpack_from(data, place)
            end = place + CHUNK.size + length
            if kind not in (1, 2, 3, 4) or end > block_end:
                parts = None
                break
            payload = data[place + CHUNK.size : end]
            if zlib.crc32(payload, _TYPE_CRC[kind]) != crc:
                parts = None
                break
            place = end
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
    while place < end:
        tag = data[place]
        # nearly all tags are one byte, and the call is slow
        if tag < 0x80:
            place += 1
        else:
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
