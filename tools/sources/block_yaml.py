"""YAML as people write it for a sweep, whole, without the parser: keys in blocks, ``- item``, and lists of scalars.

Most sweep YAMLs are no more than that. What is not plain enough to be sure about is answered with None; then the parser
has to read the file.
"""

from __future__ import annotations

import re
from typing import Any

from tools.sources.quick_yaml import ALSO_WORDS, scalar

MAX_BYTES = 64 << 10
"""Of so few bytes no more can come than the parser is allowed to make of a file."""
_PRINTED = re.compile(rb"[ -~\n]*")
# One line: its indent, no deeper than a file may be nested; a key, or the sign of an item; what comes behind.
_ROW = re.compile(rb"( {0,40})(?:- {1,9}|([A-Za-z_][\w./-]{0,100}):(?: {1,9}|$))(.{0,400})")
# Words that no rule of YAML reads as anything but text, in a block: ``${env}`` is one.
_WORDS = re.compile(rb"[A-Za-z_$][^:#]{0,400}")
_Block = dict[str, Any] | list[Any]


def block(data: bytes) -> dict[str, Any] | None:
    """The mapping that a file is; None: ask the parser."""
    if len(data) > MAX_BYTES or not _PRINTED.fullmatch(data):
        return None
    found: dict[str, Any] = {}
    # the mappings and lists that a line stands in, with the indent of each
    opened: list[tuple[int, _Block]] = [(0, found)]
    waiting: str | None = None  # the key in the line above, if nothing stands behind it
    for line in data.split(b"\n"):
        start = line.lstrip(b" ")[:1]
        if not start or start == b"#":
            continue
        row = _ROW.fullmatch(line)
        place = _place(opened, len(row[1]), row[2], waiting) if row else None
        if row is None or place is None:
            return None
        value = _value(row[3])
        if value is NotImplemented:
            return None
        waiting = None
        if isinstance(place, list):
            place.append(value)
            continue
        key = row[2].decode()
        if key in place or key.lower() in ALSO_WORDS:
            return None
        place[key] = value
        if row[3][:1] in (b"", b"#"):
            waiting = key
    return found or None


def _place(opened: list[tuple[int, _Block]], indent: int, key: bytes | None, waiting: str | None) -> _Block | None:
    """Where a line belongs, with what is deeper closed and what it opens opened; None where that is not plain."""
    above, place = opened[-1]
    if waiting is not None and isinstance(place, dict) and (indent > above or (indent == above and key is None)):
        inner: _Block = [] if key is None else {}
        place[waiting] = inner
        opened.append((indent, inner))
        return inner
    while indent < opened[-1][0]:
        opened.pop()
    if key is not None and isinstance(opened[-1][1], list):
        opened.pop()  # items may stand as far left as the key that they are of
    above, place = opened[-1]
    return place if above == indent and isinstance(place, list) == (key is None) else None


def _value(text: bytes) -> Any:
    """A scalar or a list of scalars in one line; NotImplemented for what is not plainly that."""
    if text[:1] == b"#":
        return None
    if text[:1] == b"[":
        return _listed(text.partition(b" #")[0].rstrip(b" "))
    value = scalar(text)
    if value is NotImplemented and text:
        word = text.partition(b" #")[0].rstrip(b" ")
        if _WORDS.fullmatch(word) and word.decode().lower() not in ALSO_WORDS:
            return word.decode()
    return value


def _listed(text: bytes) -> Any:
    if text[-1:] != b"]" or b"#" in text:
        return NotImplemented
    inside = text[1:-1].strip(b" ")
    words = [word.strip(b" ") for word in inside.split(b",")] if inside else []
    values = [scalar(word) for word in words]
    return NotImplemented if b"" in words or NotImplemented in values else values
