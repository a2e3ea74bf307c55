"""The lines of W&B's own debug logs that tell something: errors, refused requests, retries, how the run ended.

``logs/debug.log`` is the client's, one text line an entry; ``logs/debug-internal.log`` the uploader's: JSON lines
since 0.17, text before. What uploads failed stands only here.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator

from tools.compact import compact

TAIL = 64 << 10
"""Bytes read from the end of each file."""
MAX_SHOWN = 12
MAX_TEXT = 400
NAMES = ("debug.log", "debug-internal.log")

_BAD = frozenset({"ERROR", "WARN", "WARNING", "CRITICAL", "FATAL"})
_TEXT = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[,.]\d{1,9}\s{1,8}([A-Z]{4,8})\s{1,8}\S{1,80}\s{1,8}"
    r"\[[^\]]{1,200}\]\s(.{0,2000})"
)
_TELLING = re.compile(
    r"(?i)\berror|fatal|exception|traceback|permission|denied|forbidden|unauthori[sz]ed|retry|timed? ?out|timeout"
    r"|refused|unreachable|no route|connection reset|network error|\b[45]\d\d\b[ :]{1,2}[A-Z]"
    r"|http[ /.\d]{0,8} ?[45]\d\d\b|exit ?code|preempt|stream: all finish|disk full|quota|no space|rate limit"
)
# The signed part of an upload's address is a key of its own.
_SIGNED = re.compile(r"\?[^\s\"']{20,4000}")
# Said at every start or end of every run: nothing is wrong.
_ROUTINE = re.compile(
    r"(?i)second timeout\b|Loading settings|operation stats|message_loop has been closed|Unknown environment variable"
    r"|Could not save program|GraphQL client is nil"
)


@compact
class DebugLine:
    """One entry, or several that say the same."""

    where: str
    """``file:line``; from the end (-1 is the last) where the file's beginning was not read."""
    at: str
    """Time of the last one, as it stands there."""
    level: str
    text: str
    times: int = 1


@compact
class DebugLog:
    path: str
    lines: tuple[DebugLine, ...]
    """The last ones, errors before the rest; oldest first."""
    left_out: int = 0
    """Telling entries that are not in ``lines``."""
    unread: int = 0
    """Bytes before the end that was read."""
    problem: str | None = None


def read_debug(run_dir: str) -> tuple[DebugLog, ...]:
    """The debug logs of one W&B run folder that are there. Never raises."""
    found = []
    for name in NAMES:
        path = f"{run_dir}/logs/{name}"
        try:
            # a FIFO must not block, and a link could lead out of the workspace
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        except OSError as error:
            found.append(DebugLog(path, (), problem=error.strerror))
            continue
        try:
            info = os.fstat(handle)
            if stat.S_ISREG(info.st_mode):
                start = max(0, info.st_size - TAIL)
                found.append(_log(path, os.pread(handle, TAIL, start), start))
        except OSError as error:
            found.append(DebugLog(path, (), problem=error.strerror))
        finally:
            os.close(handle)
    return tuple(found)


def _log(path: str, data: bytes, start: int) -> DebugLog:
    rows = data.decode("utf-8", "replace").split("\n")
    if rows and not rows[-1]:
        rows.pop()
    telling: dict[str, DebugLine] = {}
    for place, at, level, text in _entries(rows):
        if _tells(level, text):
            before = telling.pop(f"{level} {text}", None)
            where = before.where if before else f"{path}:{place - len(rows) if start else place + 1}"
            telling[f"{level} {text}"] = DebugLine(where, at, level, text, (before.times if before else 0) + 1)
    lines = list(telling.values())
    shown = sorted(range(len(lines)), key=lambda place: (lines[place].level in _BAD, place))[-MAX_SHOWN:]
    return DebugLog(path, tuple(lines[place] for place in sorted(shown)), len(lines) - len(shown), start)


def _entries(rows: list[str]) -> Iterator[tuple[int, str, str, str]]:
    """Place, time, level and words of each entry; of a traceback below one, its last line."""
    open_: tuple[int, str, str, str] | None = None
    below = ""
    for place, row in enumerate(rows):
        entry = _entry(row[:8_000])
        if entry is None:
            below = row[:1_000].strip() or below
            continue
        if open_:
            yield _closed(open_, below)
        open_, below = (place, *entry), ""
    if open_:
        yield _closed(open_, below)


def _closed(entry: tuple[int, str, str, str], below: str) -> tuple[int, str, str, str]:
    place, at, level, text = entry
    words = " ".join(f"{text} {below}".split() if level in _BAD or text.endswith(":") else text.split())
    return place, at, level, _SIGNED.sub("?…", words)[:MAX_TEXT]


def _entry(row: str) -> tuple[str, str, str] | None:
    """Time, level and words of a line that is an entry."""
    if row.startswith("{"):
        try:
            value = json.loads(row)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict) or "msg" not in value:
            return None
        more = [f"{key}={value[key]}" for key in ("status", "error", "url", "body", "exit_code") if key in value]
        level = str(value.get("level", ""))[:10].partition("+")[0]
        return str(value.get("time", ""))[:19], level, " ".join([str(value["msg"]), *more])
    match = _TEXT.match(row)
    return (match[1], match[2], match[3]) if match else None


def _tells(level: str, text: str) -> bool:
    return not _ROUTINE.search(text) and (level in _BAD or bool(_TELLING.search(text)))
