"""The text of a log, bounded: its beginning and its end as lines, and between them where other runs begin."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from tools.data import Stream
from tools.data_log import LogText
from tools.sources.log_middle import around_beginnings
from tools.text import strip_ansi

HEAD_BYTES = 128 << 10
TAIL_BYTES = 384 << 10
LINE_CHARS = 2000
BETWEEN = 64 << 20
"""Bytes between beginning and end, the last ones, that are searched for other runs and whose lines are counted; where
there are more of them, lines are numbered from the end."""


def read(
    path: str, stream: Stream = "both", *, head: int = HEAD_BYTES, tail: int = TAIL_BYTES, between: int = BETWEEN
) -> LogText | None:
    """The beginning and the end of a log as lines, and what lies around where runs begin between them.

    ``head``, ``tail`` and ``between`` are bytes; a file no larger than the first two together is read whole. None if it
    is no readable regular file.
    """
    try:
        # a FIFO or device in a log's place must not block the look
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode):
            return None
        left_out = max(0, info.st_size - head - tail)
        data = os.pread(handle, head if left_out else info.st_size, 0)
        lines, numbers, encoded = _split(data)
        if left_out:
            searched = min(left_out, between)
            middle, newlines = around_beginnings(handle, info.st_size - tail - searched, info.st_size - tail)
            end, end_numbers, encoded = _split(os.pread(handle, tail, info.st_size - tail))
            before = data.count(b"\n") if searched == left_out else -1 - newlines - end_numbers[-1]
            for stretch in middle:
                own, own_numbers, _ = _split(stretch.data)
                lines = [*lines, *own]
                numbers = (*numbers, *(number + before + stretch.newlines for number in own_numbers))
            left_out -= sum(len(stretch.data) for stretch in middle)
            lines, encoded = [*lines, *end], b""
            numbers = (*numbers, *(number + before + newlines for number in end_numbers))
    except OSError:
        return None
    finally:
        os.close(handle)
    return LogText(path, stream, tuple(lines), numbers, info.st_size, info.st_mtime, left_out, encoded)


def _split(data: bytes) -> tuple[Sequence[str], Sequence[int], bytes]:
    """Lines, and the number of each counted by newlines from 1; a bar's carriage returns make several of one.

    Last come the bytes, where they are the lines and nothing else; else nothing.
    """
    plain = b"\x1b" not in data and b"\r" not in data
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text, plain = data.decode("utf-8", "replace"), False
    text = (text if plain else strip_ansi(text)).removesuffix("\n")
    if not text:
        return (), (), b""
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    lines = text.split("\n")
    if "\r" not in text:
        if max(map(len, lines)) > LINE_CHARS:
            lines, plain = [line[:LINE_CHARS] for line in lines], False
        return lines, range(1, len(lines) + 1), data.removesuffix(b"\n") if plain else b""
    pieces: list[str] = []
    numbers: list[int] = []
    for number, line in enumerate(lines, 1):
        own = [piece[:LINE_CHARS] for piece in line.split("\r") if piece] if "\r" in line else [line[:LINE_CHARS]]
        pieces += own
        numbers += [number] * len(own)
    return pieces, tuple(numbers), b""
