"""Something told of each line of a text, at once where many of them are alike."""

from __future__ import annotations

from collections.abc import Callable

LONG = 2000
"""Bytes of so many lines that it is worth looking whether they are alike."""
ALIKE = 4
"""So many lines that are alike at the middle make a stretch of it."""
_NEWLINE = b"\n"[0]


def told(text: bytes, of: Callable[[bytes], int]) -> bytes:
    """What ``of`` says of each line, one byte a line; each line of the text ends with a newline.

    In most logs the lines around the middle are alike: these are compared by blocks of many, and asked about once.
    """
    start = text.rfind(b"\n", 0, len(text) // 2) + 1
    end = text.find(b"\n", start) + 1
    line = text[start:end]
    if len(text) < LONG or not text.startswith(line * ALIKE, end):
        lines = text.split(b"\n")
        lines.pop()
        return bytes(map(of, lines))
    for count in (16 * ALIKE, ALIKE, 1):
        many = line * count
        while text.startswith(many, end):
            end += len(many)
        while text.endswith(many, 0, start) and _begins_line(text, start - len(many)):
            start -= len(many)
    alike = bytes((of(line[:-1]),)) * ((end - start) // len(line))
    return told(text[:start], of) + alike + told(text[end:], of)


def _begins_line(text: bytes, at: int) -> bool:
    return at == 0 or text[at - 1] == _NEWLINE
