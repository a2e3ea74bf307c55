"""A few keys out of plain YAML without parsing it: a parser takes milliseconds a file, and a look reads thousands.

What is not plain enough to be sure about is answered with None; then the parser has to read the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Any

# What can move or hide a key: merges, explicit keys, anchors and aliases, block scalars, text over several lines.
_MERGE = re.compile(rb"(?m)^ {0,60}(?:<<|\?) ?:")
_SIGN = re.compile(rb"[:-] {1,20}[&*|>]")
_UNCLOSED = re.compile(rb"[:-] {1,20}(?:\"[^\"]{0,9999}|'[^']{0,9999})$")
"""Of one line."""
_LINE = re.compile(
    rb"( {0,60})['\"]?([A-Za-z_]\w{0,80})['\"]?:(?: {1,20}|(?=\n)|$)([^\n]{0,200})(?:\n +value:[ ]*([^\n]{0,200}))?"
)
_SECTION = re.compile(rb"['\"]?([\w-]{1,80})['\"]?:(?: {1,20}#[^\n]{0,200})?")
MAX_LINES_UP = 2_000
_FLAT = re.compile(rb"([A-Za-z_][\w./-]{0,120}):(?: ([^\n]*))?\n(?:  value: ([^\n]*)\n)?")
MAX_LINES = 20_000
"""Lines that are looked at for the sections of the keys, before the parser is quicker."""
MAX_REMEMBERED = 64
"""Bytes of a scalar that is remembered."""
_INTEGER = re.compile(r"[-+]?(?:0|[1-9]\d{0,15})")
# Without a point or an exponent, 012 is ten, and 08 is text.
_FLOAT = re.compile(r"[-+]?\d{1,17}(?:\.\d{0,20}(?:[eE][-+]?\d{1,3})?|[eE][-+]?\d{1,3})")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "True": True, "False": False}
# One word that no rule of YAML reads as anything but text.
_TEXT = re.compile(r"[A-Za-z_][\w./-]{0,200}")
ALSO_WORDS = frozenset("yes no on off y n null true false".split())


def keys_in(data: bytes, keys: frozenset[str]) -> dict[str, Any] | None:
    """Dotted path and value of ``keys``, wherever in the nesting they stand, the least indented first.

    Values may be wrapped as W&B does it (``{value: …}`` over two lines). None: better ask the parser.
    """
    found: dict[str, tuple[int, Any]] = {}
    for start in _lines_with(data, _stems(keys)):
        match = _LINE.match(data, start)
        if match is None or match[2].decode() not in keys:
            line = data[start : data.find(b"\n", start) + 1 or len(data)]
            key = line.strip(b" '\"").partition(b":")[0].rstrip(b" '\"")
            if b"{" in line or b"," in line or (b"-" in key and key.replace(b"-", b"_").decode("latin-1") in keys):
                return None
            continue
        text = match[4] if match[3] == b"" else match[3]
        value = scalar(text) if text else NotImplemented
        path = _path(data, start, match)
        if value is NotImplemented or path is None or path in found:
            return None
        found[path] = (len(match[1]), value)
    if found and not plain(data):
        return None
    return {path: value for path, (_, value) in sorted(found.items(), key=lambda item: item[1][0])}


def plain(data: bytes) -> bool:
    """Whether nothing in it can move or hide a key. The patterns try every place: each only where its sign is there."""
    if b"\t" in data or b"\n---" in data:
        return False
    if (b"<<" in data or b"?" in data) and _MERGE.search(data):
        return False
    if any(sign in data for sign in (b"&", b"*", b"|", b">")) and _SIGN.search(data):
        return False
    return not any(_UNCLOSED.search(line) for mark in (b'"', b"'") for line in _lines(data, mark))


def _lines(data: bytes, mark: bytes) -> Iterator[bytes]:
    """The lines that hold the mark."""
    place = data.find(mark)
    while place >= 0:
        end = data.find(b"\n", place)
        end = len(data) if end < 0 else end
        yield data[data.rfind(b"\n", 0, place) + 1 : end]
        place = data.find(mark, end)


def _path(data: bytes, start: int, match: re.Match[bytes]) -> str | None:
    """The key with the sections it stands in; None where a line above is no plain section."""
    names, indent, place = [match[2].decode()], len(match[1]), start
    for _ in range(MAX_LINES_UP):
        if indent == 0 or place == 0:
            return ".".join(reversed(names)) if indent == 0 else None
        place = data.rfind(b"\n", 0, place - 1) + 1
        line = data[place : data.find(b"\n", place)]
        own = len(line) - len(line.lstrip(b" "))
        if not line.strip() or line.lstrip().startswith(b"#") or own >= indent:
            continue
        section = _SECTION.fullmatch(line.strip())
        if section is None:
            return None
        names.append(section[1].decode())
        indent = own
    return None


def _lines_with(data: bytes, stems: Iterable[bytes]) -> list[int]:
    """Where the lines begin that hold one of the stems."""
    starts = set()
    for stem in stems:
        place = data.find(stem)
        while place >= 0:
            starts.add(data.rfind(b"\n", 0, place) + 1)
            place = data.find(stem, place + len(stem))
    return sorted(starts)


@cache
def _stems(keys: frozenset[str]) -> tuple[bytes, ...]:
    """The last words of the keys: each key ends in one of them."""
    ends = {key.rpartition("_")[2] for key in keys}
    return tuple(end.encode() for end in ends if not any(end != other and end.endswith(other) for other in ends))


def flat(data: bytes) -> dict[str, Any] | None:
    """A file that is nothing but ``key: scalar`` or W&B's ``key:`` and ``value: scalar``; None: ask the parser."""
    found: dict[str, Any] = {}
    place = 0
    while place < len(data):
        if data[place] == 10:  # an empty line
            place += 1
            continue
        match = _FLAT.match(data, place)
        if match is None or (not match[2] and match[3] is None) or (match[2] and match[3] is not None):
            return None
        value = scalar(match[3] if match[3] is not None else match[2])
        if value is NotImplemented:
            return None
        found[match[1].decode()] = {"value": value} if match[3] is not None else value
        place = match.end()
    return found or None


def scalar(text: bytes) -> Any:
    """A scalar as YAML reads it; NotImplemented for what is not plainly a number, a word, true, false or null."""
    return _remembered(text) if len(text) <= MAX_REMEMBERED else _read(text)


def _read(text: bytes) -> Any:
    try:
        word = text.decode("ascii").strip()
    except UnicodeDecodeError:
        return NotImplemented
    word = word.partition(" #")[0].rstrip()
    if word in _WORDS:
        return _WORDS[word]
    if _INTEGER.fullmatch(word):
        return int(word)
    if _FLOAT.fullmatch(word) and not word.lstrip("+-").startswith("0" * 2):
        return float(word)
    if not word:
        return None
    if len(word) >= 2 and word[0] == word[-1] and word[0] in "'\"" and not set(word[1:-1]) & set("'\"\\"):
        return word[1:-1]
    plain = _TEXT.fullmatch(word) and word.lower() not in ALSO_WORDS
    return word if plain else NotImplemented


_remembered = lru_cache(maxsize=4096)(_read)
"""Most values are the same in all runs of a sweep."""
