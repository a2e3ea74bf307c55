"""Writes a small ``.wandb`` transaction log, so that the demo's run folders are read like real ones."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

BLOCK = 32 << 10


def run_log(
    run: Mapping[str, str],
    started: float,
    config: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    exit_code: int | None,
) -> bytes:
    """The bytes of a log: run record, history rows, and unless ``exit_code`` is None the summary and exit records.

    ``run`` holds ``run``, ``entity``, ``project``, ``name``, ``sweep`` and ``host``; ``started`` is epoch seconds.
    """
    numbers = {"run": 1, "entity": 2, "project": 3, "name": 8, "sweep": 12, "host": 13}
    body = b"".join(_text(numbers[key], value) for key, value in run.items())
    body += _bytes(4, _items(config))
    body += _bytes(17, _number(1, int(started)) + _number(2, int(started % 1 * 1e9)))
    records = [_bytes(17, body)]
    records += [_bytes(2, _items(row)) for row in history]
    if exit_code is not None:
        records += [_bytes(3, _items(history[-1]))] if history else []
        records.append(_bytes(18, _number(1, exit_code)))
    start = struct.pack("<4sHB", b":W&B", 0xBEE1, 0)
    return start + _framed((_number(1, index + 1) + record for index, record in enumerate(records)), len(start))


def more_history(history: Iterable[Mapping[str, Any]], size: int) -> bytes:
    """What to append to a log of ``size`` bytes."""
    return _framed((_bytes(2, _items(row)) for row in history), size)


def _framed(records: Iterable[bytes], offset: int) -> bytes:
    """Records cut into the pieces of 32 KiB blocks; ``offset`` is where in the file they begin."""
    data = bytearray()
    for record in records:
        first = True
        while True:
            room = BLOCK - (offset + len(data)) % BLOCK
            if room < 7:
                data += bytes(room)
                room = BLOCK
            piece, record = record[: room - 7], record[room - 7 :]
            kind = (1 if first else 4) if not record else (2 if first else 3)
            data += struct.pack("<IHB", zlib.crc32(bytes([kind]) + piece), len(piece), kind) + piece
            first = False
            if not record:
                break
    return bytes(data)


def _items(row: Mapping[str, Any]) -> bytes:
    return b"".join(_bytes(1, _item(key, value)) for key, value in row.items())


def _item(key: str, value: Any) -> bytes:
    return _text(1, key) + _text(16, json.dumps(value))


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
