"""Epoch and step of a checkpoint as ``trainer_state.json`` tells them, and whether that file is whole."""

from __future__ import annotations

import json
import os
import re

JSON_BYTES = 4 << 20
FIRST_BYTES = 64 << 10
"""Enough for the beginning of a long one."""
LAST_BYTES = 256
"""Enough for the last line, and for white space behind it."""
_EPOCH = re.compile(rb'^  "epoch": ([0-9]{1,12}(?:\.[0-9]{0,20})?)', re.MULTILINE)
_STEP = re.compile(rb'^  "global_step": ([0-9]{1,12})', re.MULTILINE)


def read_state(path: str) -> tuple[dict[str, object], bool]:
    """Epoch and step of a trainer_state, and whether it is torn.

    The Trainer writes it indented, its long history after them: the brace at the very beginning of the last line is
    that of the whole. What lies between is not read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return {}, False
    try:
        size = os.fstat(handle).st_size
        data = os.pread(handle, min(size, FIRST_BYTES), 0)
        epoch, step = _EPOCH.search(data), _STEP.search(data)
        long = size > FIRST_BYTES
        closed = size > JSON_BYTES or (long and _closed(os.pread(handle, LAST_BYTES, size - LAST_BYTES)))
        if long and not (epoch and step and closed):
            data = os.pread(handle, min(size, JSON_BYTES + 1), 0)
    except OSError:
        return {}, False
    finally:
        os.close(handle)
    if epoch and step and (closed or _closed(data)):
        return {"epoch": float(epoch[1]), "global_step": int(step[1])}, False
    content = parsed(data)
    return content or {}, content is None


def _closed(data: bytes) -> bool:
    return data.rstrip().endswith(b"\n}")


def parsed(data: bytes) -> dict[str, object] | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
