"""The ``.wandb`` transaction log, read with the standard library alone.

A 7-byte header (``:W&B``, 0xBEE1, version), then 32 KiB blocks of chunks: crc32 of type and data, length, type
(whole, first, middle, last), data. A chunk chain is one protobuf ``Record``. Only whole records whose checksums
hold are used; a torn or growing tail ends the reading silently.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BLOCK = 32 << 10
HEADER = struct.Struct("<4sHB")
CHUNK = struct.Struct("<IHB")
HEAD_BLOCKS = 8
TAIL_BLOCKS = 4
_TYPE_CRC = [zlib.crc32(bytes([kind])) for kind in range(5)]

# Field numbers of Record and of what lies in it (wandb_internal.proto; the same from 0.16 to 0.31).
HISTORY, SUMMARY, CONFIG, RUN, EXIT, PREEMPTING = 2, 3, 5, 17, 18, 23
_RUN_TEXT = {1: "run", 2: "entity", 3: "project", 8: "name", 9: "notes", 12: "sweep", 13: "host"}


@dataclass(slots=True)
class LogFacts:
    """What the first and last blocks of one log hold; None and empty where it holds nothing."""

    run: dict[str, str] = field(default_factory=dict)
    started: float | None = None
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    preempting: bool = False
    problem: str | None = None


class _Broken(ValueError):
    """Bytes that are no protobuf message."""


def read_log(path: Path) -> LogFacts:
    """The run, its config and its last values; never raises, what is wrong is in ``problem``."""
    facts = LogFacts()
    try:
        with path.open("rb") as file:
            header = file.read(HEADER.size)
            size = path.stat().st_size
            if len(header) < HEADER.size or HEADER.unpack(header)[:2] != (b":W&B", 0xBEE1):
                facts.problem = "empty" if not header else "not a W&B log"
                return facts
            if size <= HEADER.size:
                facts.problem = "nothing reached the disk"
                return facts
            blocks = (size + BLOCK - 1) // BLOCK
            file.seek(0)
            head = file.read(HEAD_BLOCKS * BLOCK)
            if blocks <= HEAD_BLOCKS:
                _take(records(head, HEADER.size), facts)
                return facts
            _take(records(head, HEADER.size), facts)
            start = max(HEAD_BLOCKS, blocks - TAIL_BLOCKS) * BLOCK
            file.seek(start)
            _take(records(file.read(TAIL_BLOCKS * BLOCK), 0), facts)
    except OSError as error:
        facts.problem = f"can't be read: {error.strerror}"
    return facts


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


def _take(records: Iterator[bytes], facts: LogFacts) -> None:
    for record in records:
        try:
            for number, wire, value in _fields(record):
                if wire == 2:
                    _take_field(number, value, facts)
        except (_Broken, UnicodeDecodeError, ValueError, RecursionError):
            facts.problem = "holds a record that can't be read"


def _take_field(number: int, body: bytes, facts: LogFacts) -> None:
    if number == HISTORY:
        # one row at a time: values of two rows must never mix
        row: dict[str, Any] = {}
        for inner, wire, value in _fields(body):
            if inner == 1 and wire == 2:
                _put_item(row, value)
            elif inner == 2 and wire == 2:
                row.setdefault("_step", next((v for f, w, v in _fields(value) if f == 1 and w == 0), 0))
        facts.history = row
    elif number == SUMMARY:
        _update(facts.summary, body)
    elif number == CONFIG:
        _update(facts.config, body)
    elif number == RUN:
        for inner, wire, value in _fields(body):
            if inner in _RUN_TEXT and wire == 2 and value:
                facts.run[_RUN_TEXT[inner]] = value.decode()
            elif inner == 4 and wire == 2:
                _update(facts.config, value)
            elif inner == 17 and wire == 2:
                stamp = {f: v for f, w, v in _fields(value) if w == 0}
                facts.started = stamp.get(1, 0) + stamp.get(2, 0) / 1e9
    elif number == EXIT:
        code = next((v for f, w, v in _fields(body) if f == 1 and w == 0), 0)
        facts.exit_code = code - (1 << 64) if code >= 1 << 63 else code
    elif number == PREEMPTING:
        facts.preempting = True


def _update(into: dict[str, Any], body: bytes) -> None:
    for number, wire, value in _fields(body):
        if number == 1 and wire == 2:
            _put_item(into, value)
        elif number == 2 and wire == 2:
            path, _ = _item(value)
            place: Any = into
            for name in path[:-1]:
                place = place.get(name) if isinstance(place, dict) else None
            if isinstance(place, dict):
                place.pop(path[-1], None)


def _put_item(into: dict[str, Any], body: bytes) -> None:
    path, text = _item(body)
    if text is None:
        return
    for name in path[:-1]:
        deeper = into.get(name)
        if not isinstance(deeper, dict):
            deeper = into[name] = {}
        into = deeper
    into[path[-1]] = json.loads(text)


def _item(body: bytes) -> tuple[tuple[str, ...], bytes | None]:
    """Key path and JSON text of a history, summary or config item."""
    key, nested, text = "", [], None
    for number, wire, value in _fields(body):
        if wire != 2:
            continue
        if number == 1:
            key = value.decode()
        elif number == 2:
            nested.append(value.decode())
        elif number == 16:
            text = value
    return tuple(nested) or (key,), text


def _fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """Field number, wire type and value of each field of a protobuf message. Raises _Broken."""
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
            raise _Broken
        if place > end or number == 0:
            raise _Broken
        yield number, wire, value


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise _Broken
