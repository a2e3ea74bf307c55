"""The text of a log, bounded: its beginning and its end as lines."""

from __future__ import annotations

import os
import stat

from tools.data import LogText, Stream
from tools.text import strip_ansi

HEAD_BYTES = 128 << 10
TAIL_BYTES = 384 << 10
LINE_CHARS = 2000


def read(
    path: str, stream: Stream = "both", *, head: int = HEAD_BYTES, tail: int = TAIL_BYTES, numbered: bool = True
) -> LogText | None:
    """The beginning and the end of a log as lines; None if it is no readable regular file.

    ``head`` and ``tail`` are bytes; a file no larger than both together is read whole. Without ``numbered`` the
    lines before the end are not counted, which reads them too; then those of the end are numbered from 1.
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
        if info.st_size <= head + tail:
            pieces = [(os.pread(handle, head + tail, 0), 1)]
            left_out = 0
        else:
            left_out = info.st_size - head - tail
            before = _count_lines(handle, head + left_out) if numbered else 0
            pieces = [
                (os.pread(handle, head, 0), 1),
                (os.pread(handle, tail, info.st_size - tail), before + 1),
            ]
    except OSError:
        return None
    finally:
        os.close(handle)
    lines: list[str] = []
    numbers: list[int] = []
    for data, first in pieces:
        _split(data.decode("utf-8", "replace"), first, lines, numbers)
    return LogText(path, stream, tuple(lines), tuple(numbers), info.st_size, info.st_mtime, left_out)


def _count_lines(handle: int, upto: int) -> int:
    """Newlines before a byte offset, so that evidence names real line numbers; bounded at 64 MiB."""
    if upto > 64 << 20:
        return 0
    count = offset = 0
    while offset < upto:
        chunk = os.pread(handle, min(1 << 20, upto - offset), offset)
        if not chunk:
            break
        count += chunk.count(b"\n")
        offset += len(chunk)
    return count


def _split(text: str, first: int, lines: list[str], numbers: list[int]) -> None:
    for number, line in enumerate(strip_ansi(text).split("\n"), first):
        if "\r" in line:
            for piece in line.split("\r"):
                if piece:
                    lines.append(piece[:LINE_CHARS])
                    numbers.append(number)
        elif line:
            lines.append(line[:LINE_CHARS])
            numbers.append(number)
