"""The text of a log, bounded: its beginning and its end as lines, and between them where other runs begin."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from itertools import repeat

from tools.data import Stream
from tools.data_log import Lines, LogText
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
            last = os.pread(handle, tail, info.st_size - tail)
            end, end_numbers, _ = _split(last)
            count = last.count(b"\n") + (not last.endswith(b"\n"))  # also those in which nothing is printed
            before = data.count(b"\n") if searched == left_out else -1 - newlines - count
            for stretch in middle:
                own, own_numbers, _ = _split(stretch.data)
                lines = [*lines, *own]
                numbers = (*numbers, *(number + before + stretch.newlines for number in own_numbers))
            left_out -= sum(len(stretch.data) for stretch in middle)
            lines = [*lines, *end]
            encoded = b"\n".join(lines)
            numbers = (*numbers, *(number + before + newlines for number in end_numbers))
    except OSError:
        return None
    finally:
        os.close(handle)
    return LogText(path, stream, Lines(lines), numbers, info.st_size, info.st_mtime, left_out, encoded)


def _split(data: bytes) -> tuple[list[bytes], Sequence[int], bytes]:
    """Lines in UTF-8, and the number of each counted by newlines from 1; a bar's carriage returns make several of one.

    Last come the lines once more, with a newline between them.
    """
    if b"\x1b" in data or not _is_utf8(data):
        data = strip_ansi(data.decode("utf-8", "replace")).encode()
    data = data.removesuffix(b"\n")
    if not data:
        return [], (), b""
    drawn_over = b"\r" in data
    if drawn_over:
        data = data.replace(b"\r\n", b"\n")
    lines = data.split(b"\n")
    numbers: Sequence[int] = range(1, len(lines) + 1)
    if drawn_over:
        lines, numbers = _as_drawn(lines)
        data = b"\n".join(lines)
    if _has_long(data):
        lines = [line.decode()[:LINE_CHARS].encode() for line in lines]
        data = b"\n".join(lines)
    return lines, numbers, data


def _is_utf8(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def _as_drawn(lines: Sequence[bytes]) -> tuple[list[bytes], tuple[int, ...]]:
    """Each state of a bar that was drawn over the one before as a line of its own, and the numbers of all lines."""
    pieces: list[bytes] = []
    numbers: list[int] = []
    for number, line in enumerate(lines, 1):
        if b"\r" not in line:
            pieces.append(line)
            numbers.append(number)
            continue
        own = list(filter(None, line.split(b"\r")))
        pieces += own
        numbers += repeat(number, len(own))
    return pieces, tuple(numbers)


def _has_long(data: bytes) -> bool:
    """Whether any of the lines may be longer than ``LINE_CHARS``; one step for so many bytes, not one a line."""
    start = 0
    while len(data) - start > LINE_CHARS:
        start = data.rfind(b"\n", start, start + LINE_CHARS + 1) + 1
        if not start:
            return True
    return False
