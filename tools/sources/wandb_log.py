"""What a ``.wandb`` transaction log says of its run, read with the standard library alone.

Only whole records whose checksums hold are used; a torn or growing tail ends the reading silently.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.sources.wandb_records import BLOCK, HEADER, fields, records

__all__ = ["HEADER", "LogFacts", "read_log", "records"]

HEAD_BLOCKS = 8
# A log of much console output can have many blocks without a history row; then the longer tail is read.
TAIL_BLOCKS = (4, 64)
WHOLE = (HEAD_BLOCKS + TAIL_BLOCKS[0]) * BLOCK

# Field numbers of Record and of what lies in it (wandb_internal.proto; the same from 0.16 to 0.31).
HISTORY, SUMMARY, CONFIG, RUN, EXIT, PREEMPTING, ENVIRONMENT = 2, 3, 5, 17, 18, 23, 26
_RUN_TEXT = {1: "run", 2: "entity", 3: "project", 8: "name", 9: "notes", 12: "sweep", 13: "host"}


@dataclass(slots=True)
class LogFacts:
    """What the first and last blocks of one log hold; None and empty where it holds nothing.

    ``slurm`` has the job's SLURM variables, lower case and without the prefix (written by 0.22 and later).
    """

    run: dict[str, str] = field(default_factory=dict)
    started: float | None = None
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: dict[str, Any] = field(default_factory=dict)
    slurm: dict[str, str] = field(default_factory=dict)
    exit_code: int | None = None
    preempting: bool = False
    problem: str | None = None


def read_log(path: Path) -> LogFacts:
    """The run, its config and its last values; never raises, what is wrong is in ``problem``.

    Of a log larger than 384 KiB only the first 256 KiB and the last 128 KiB (2 MiB where those hold no
    history row) are read: config set in between is missed, history and summary come from the end alone.
    """
    facts = LogFacts()
    try:
        # opening a pipe would wait for its writer
        if not stat.S_ISREG(path.stat().st_mode):
            facts.problem = "not a file"
            return facts
        with path.open("rb") as file:
            data = file.read(WHOLE + 1)
            if len(data) < HEADER.size or HEADER.unpack_from(data)[:2] != (b":W&B", 0xBEE1):
                facts.problem = "not a W&B log" if data else "empty"
            elif len(data) == HEADER.size:
                facts.problem = "nothing reached the disk"
            elif len(data) <= WHOLE:
                _take(data, HEADER.size, facts)
            else:
                _take(data[: HEAD_BLOCKS * BLOCK], HEADER.size, facts)
                blocks = -(-file.seek(0, os.SEEK_END) // BLOCK)
                for tail in TAIL_BLOCKS:
                    # early values are not the last ones
                    facts.history, facts.summary = {}, {}
                    start = max(HEAD_BLOCKS, blocks - tail) * BLOCK
                    file.seek(start)
                    _take(file.read(tail * BLOCK), 0, facts)
                    if facts.history:
                        break
    except OSError as error:
        facts.problem = f"can't be read: {error.strerror}"
    return facts


def _take(data: bytes, at: int, facts: LogFacts) -> None:
    rows: list[bytes] = []
    for record in records(data, at):
        try:
            for number, wire, value in fields(record):
                if wire == 2 and number == HISTORY:
                    rows.append(value)
                elif wire == 2:
                    _take_field(number, value, facts)
        except (ValueError, RecursionError):
            facts.problem = "holds a record that can't be read"
    # only the last row is wanted, and most of the time goes into rows
    for body in reversed(rows):
        try:
            facts.history = _row(body)
            return
        except (ValueError, RecursionError):
            facts.problem = "holds a record that can't be read"


def _row(body: bytes) -> dict[str, Any]:
    row: dict[str, Any] = {}
    step = 0
    for number, wire, value in fields(body):
        if number == 1 and wire == 2:
            _put_item(row, value)
        elif number == 2 and wire == 2:
            step = _number(value)
    row.setdefault("_step", step)
    return row


def _number(body: bytes) -> int:
    """Field 1 as an int64; protobuf leaves out a zero."""
    value = next((value for number, wire, value in fields(body) if number == 1 and wire == 0), 0)
    return value - (1 << 64) if value >= 1 << 63 else value


def _take_field(number: int, body: bytes, facts: LogFacts) -> None:
    if number == SUMMARY:
        _update(facts.summary, body)
    elif number == CONFIG:
        _update(facts.config, body)
    elif number == RUN:
        _take_run(body, facts)
    elif number == ENVIRONMENT:
        for inner, wire, value in fields(body):
            if inner == 27 and wire == 2:
                entry = {key: text.decode() for key, kind, text in fields(value) if kind == 2}
                facts.slurm[entry.get(1, "")] = entry.get(2, "")
    elif number == EXIT:
        facts.exit_code = _number(body)
    elif number == PREEMPTING:
        facts.preempting = True


def _take_run(body: bytes, facts: LogFacts) -> None:
    told: dict[str, str] = {}
    for number, wire, value in fields(body):
        if number in _RUN_TEXT and wire == 2 and value:
            told[_RUN_TEXT[number]] = value.decode()
        elif number == 4 and wire == 2:
            _update(facts.config, value)
        elif number == 17 and wire == 2:
            stamp = {part: ticks for part, kind, ticks in fields(value) if kind == 0}
            if 0 < stamp.get(1, 0) < 1e11:
                facts.started = stamp[1] + stamp.get(2, 0) / 1e9
    # an edit writes the whole record again: what is no longer in it was taken away
    facts.run = told


def _update(into: dict[str, Any], body: bytes) -> None:
    for number, wire, value in fields(body):
        if number == 1 and wire == 2:
            _put_item(into, value)
        elif number == 2 and wire == 2:
            path, _ = _item(value)
            place: Any = into
            for name in path[:-1]:
                place = place.get(name) if isinstance(place, dict) else None
            if isinstance(place, dict):
                place.pop(path[-1], None)


def _put_item(into: dict[str, Any], body: bytes) -> None:
    path, text = _item(body)
    if text is None:
        return
    for name in path[:-1]:
        deeper = into.get(name)
        if not isinstance(deeper, dict):
            deeper = into[name] = {}
        into = deeper
    into[path[-1]] = json.loads(text)


def _item(body: bytes) -> tuple[tuple[str, ...], bytes | None]:
    """Key path and JSON text of a history, summary or config item."""
    key, nested, text = "", [], None
    for number, wire, value in fields(body):
        if wire != 2:
            continue
        if number == 1:
            key = value.decode()
        elif number == 2:
            nested.append(value.decode())
        elif number == 16:
            text = value
    return tuple(nested) or (key,), text
