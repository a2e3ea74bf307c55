"""What a workspace's CLAUDE.md says of its experiments: a person's words, read as data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tools.diagnosis.context import Said

MAX_LINES = 2_000
MAX_SHOWN = 15
"""Lines of all its sections together, as in the rules' script."""
MAX_CHARS = 300
LEAST = 4
"""Characters that a name needs to be looked for: shorter ones stand in other words."""
_HEADING = re.compile(r"(#{1,6})\s{1,8}(.{0,300})")
_TOPIC = re.compile(r"(?i)\b(?:experiment|current|sweep)")


def sections(text: str, path: str) -> list[Said]:
    """The lines of the sections whose heading is about experiments, sweeps or what is current."""
    return [Said(_cut(line), f"{path}:{number}") for number, line, inside in _lines(text) if inside][:MAX_SHOWN]


def naming(text: str, path: str, names: Iterable[str]) -> list[Said]:
    """The lines, wherever they stand, that name a sweep by its id or its config's file name."""
    wanted = [re.escape(name) for name in names if len(name) >= LEAST]
    if not wanted:
        return []
    pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(wanted)})(?![\w-])")
    found = (Said(_cut(line), f"{path}:{number}") for number, line, _ in _lines(text) if pattern.search(line))
    return list(found)[:MAX_SHOWN]


def _cut(line: str) -> str:
    return line if len(line) <= MAX_CHARS else f"{line[: MAX_CHARS - 1]}…"


def _lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """(Number, line, whether it stands in such a section); empty lines and marks of code are left out."""
    depth = 0
    fenced = False
    for number, line in enumerate(text.splitlines()[:MAX_LINES], 1):
        bare = line[:2_000].strip()
        if bare.startswith(("```", "~~~")):
            fenced = not fenced
            continue
        heading = None if fenced else _HEADING.match(bare)
        if heading and (not depth or len(heading[1]) <= depth):
            depth = len(heading[1]) if _TOPIC.search(heading[2]) else 0
        if bare and not bare.startswith("<!--"):
            yield number, bare, depth > 0
