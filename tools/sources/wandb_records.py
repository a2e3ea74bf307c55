"""Records of a ``.wandb`` file and the protobuf fields in them; nothing here knows what they mean.

A 7-byte header (``:W&B``, 0xBEE1, version), then 32 KiB blocks of chunks: crc32 of type and data, length,
type (whole, first, middle, last), data. A chain of chunks is one protobuf ``Record``.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal

BLOCK = 32 << 10
HEADER = struct.Struct("<4sHB")
CHUNK = struct.Struct("<IHB")
# Without its checksum: a chunk's length, its type with the first byte of its data, the three bytes after that.
_START = struct.Struct("<4xHHBBB")
_BEYOND = bytes(4)
"""So many bytes of a chunk's start may lie behind the end of the data."""
# Control and info of a Record, and the tags of its number and that info.
_ENVELOPE = (16, 200)
_NUMBER, _INFO = 8, (0xC2, 0x0C)
_WHOLE = _NUMBER << 8 | 1
"""Type and first byte of a chunk that is a whole record and begins with its number."""
SMALLEST = 8
"""Bytes: a shorter record is looked at closely."""
_FIRST = 1 << 3 | 2
"""Tag of field 1 where it holds bytes."""
_TYPE_CRC = [zlib.crc32(bytes([kind])) for kind in range(5)]


class Broken(ValueError):
    """Bytes that are no protobuf message."""


def records(data: bytes, at: int, put_off: Mapping[int, list[Any] | None] = MappingProxyType({})) -> Iterator[bytes]:
    """The whole records of consecutive blocks, from byte ``at`` on; a damaged block is skipped to its end.

    Not those with a tag in ``put_off`` that lie in one chunk: of each the place of the chunk (``record_at``) is added
    to the list of its tag instead, if there is one, and its checksum is not looked at here.
    """
    parts: list[bytes] | None = None
    # what to do with the place of a chunk by its tag; None: look at it here
    away: list[Callable[[int], None] | Literal[False] | None] = [None] * 256
    for number, places in put_off.items():
        away[number] = False if places is None else places.append
    start_of, whole_start, header, crc_of = _START.unpack_from, CHUNK.unpack_from, CHUNK.size, zlib.crc32
    info_tag, more_of_it = _INFO
    size, padded = len(data), data + _BEYOND
    for base in range(0, size, BLOCK):
        block_end = min(base + BLOCK, size)
        last = block_end - header
        place = base + (at if base == 0 else 0)
        while place <= last:
            # a log has a hundred times as many chunks as records that are asked for: this is all that most of them see
            length, kind, one, two, three = start_of(padded, place)
            chunk = place
            place += header + length
            if place > block_end:
                parts = None
                break
            if kind == _WHOLE and length > SMALLEST:
                tag = two if one < 0x80 else three if two < 0x80 else info_tag
                if tag == info_tag:
                    # behind a number of three bytes; of a longer one its own tag, which nobody puts off
                    where = chunk + (9 if one < 0x80 else 10 if two < 0x80 else 11 if three < 0x80 else 7)
                    tag = data[where]
                    if tag == info_tag and data[where + 1] == more_of_it:
                        info = data[where + 2]
                        where += 3 + info
                        tag = data[where] if where < place and info < 0x80 else 0
                keep = away[tag]
                if keep is not None:
                    parts = None
                    if keep:
                        keep(chunk)
                    continue
            kind &= 0xFF
            payload = data[chunk + header : place]
            if not 0 < kind < 5 or crc_of(payload, _TYPE_CRC[kind]) != whole_start(data, chunk)[0]:
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


def record_at(data: bytes, place: int) -> bytes | None:
    """The record in the chunk that begins there; None where its checksum does not hold."""
    crc, length, kind = CHUNK.unpack_from(data, place)
    payload = data[place + CHUNK.size : place + CHUNK.size + length]
    return payload if zlib.crc32(payload, _TYPE_CRC[kind]) == crc else None


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


def leading(data: bytes) -> tuple[list[bytes], int]:
    """The short fields of number 1, bytes all, that a message begins with, and where it goes on. Raises Broken."""
    found: list[bytes] = []
    place, last = 0, len(data) - 2
    while place <= last and data[place] == _FIRST and (length := data[place + 1]) < 0x80:
        start = place + 2
        place = start + length
        found.append(data[start:place])
    if place > last + 2:
        raise Broken
    return found, place


def fields(data: bytes, place: int = 0) -> Iterator[tuple[int, int, Any]]:
    """Field number, wire type and value of each field from there on: an int for type 0, else its bytes. Raises
    Broken."""
    end = len(data)
    try:
        while place < end:
            # nearly all tags, lengths and numbers are one byte or two, and the call is slow
            tag = data[place]
            place += 1
            if tag >= 0x80:
                if data[place] < 0x80:
                    tag = tag & 0x7F | data[place] << 7
                    place += 1
                else:
                    tag, place = _varint(data, place - 1)
            wire = tag & 7
            value: Any
            if wire == 2 or wire == 0:
                length = data[place]
                place += 1
                if length >= 0x80:
                    if data[place] < 0x80:
                        length = length & 0x7F | data[place] << 7
                        place += 1
                    else:
                        length, place = _varint(data, place - 1)
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
