"""Writes a small ``.wandb`` transaction log, so that the demo's run folders are read like real ones."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

BLOCK = 32 << 10


def run_log(
    run: Mapping[str, str],
    started: float,
    config: Mapping[str, Any],
    history: Iterable[Mapping[str, Any]],
    exit_code: int | None,
) -> bytes:
    """The bytes of a log: run record, history rows, and an exit record unless ``exit_code`` is None.

    ``run`` holds ``run``, ``entity``, ``project``, ``name``, ``sweep`` and ``host``; ``started`` is epoch seconds.
    """
    numbers = {"run": 1, "entity": 2, "project": 3, "name": 8, "sweep": 12, "host": 13}
    body = b"".join(_text(numbers[key], value) for key, value in run.items())
    body += _bytes(4, b"".join(_bytes(1, _item(key, value)) for key, value in config.items()))
    body += _bytes(17, _number(1, int(started)) + _number(2, int(started % 1 * 1e9)))
    records = [_bytes(17, body)]
    records += [_bytes(2, b"".join(_bytes(1, _item(key, value)) for key, value in row.items())) for row in history]
    if exit_code is not None:
        records.append(_bytes(18, _number(1, exit_code)))
    return _framed(_number(1, index + 1) + record for index, record in enumerate(records))


def _framed(records: Iterable[bytes]) -> bytes:
    data = bytearray(struct.pack("<4sHB", b":W&B", 0xBEE1, 0))
    for record in records:
        first = True
        while True:
            room = BLOCK - len(data) % BLOCK
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
