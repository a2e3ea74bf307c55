"""What decides whether an offline run can be synced: the end of its log, the mark beside it, the lab's own script."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tools.sources.wandb_records import BLOCK, CHUNK, HEADER, content, fields, records
from tools.wandb_data import OfflineLog

HEADER_RECORD = 21
HISTORY_RECORD = 2
MAX_COUNTED = 1 << 30
MAX_ENTRIES = 2000
_VERSION = re.compile(r"\d{1,4}\.\d{1,4}\.\d{1,4}")
_SCRIPT = re.compile(r"[^/]{0,60}sync[^/]{0,40}offline[^/]{0,40}\.sbatch")
_FLAG = re.compile(r"--(?:no-mark-synced|mark-synced|include-offline|include-synced|sync-all)\b")


def read_offline(log: str) -> OfflineLog | None:
    """The first and the last 32 KiB block of a ``.wandb`` file; None where it can't be read."""
    try:
        if not Path(log).is_file():
            return None
        with Path(log).open("rb") as file:
            info = os.fstat(file.fileno())
            first = file.read(BLOCK)
            last = max(0, info.st_size - 1) // BLOCK * BLOCK
            file.seek(last)
            end = file.read(BLOCK)
    except OSError:
        return None
    try:
        marked: float | None = os.stat(f"{log}.synced").st_mtime
    except OSError:
        marked = None
    return OfflineLog(
        size=info.st_size,
        written=info.st_mtime,
        marked=marked,
        torn=_torn(end, HEADER.size if last == 0 else 0),
        client=_client(first),
    )


def _torn(block: bytes, place: int) -> bool:
    """Whether the file's last block ends inside a record, or holds a damaged one."""
    whole = True
    while place + CHUNK.size <= len(block):
        crc, length, kind = CHUNK.unpack_from(block, place)
        if (crc, length, kind) == (0, 0, 0):
            return not whole  # room that was set aside and never filled
        place += CHUNK.size + length
        if kind not in (1, 2, 3, 4) or place > len(block):
            return True
        whole = kind in (1, 4)
    return not whole or any(block[place:])


def _client(block: bytes) -> str | None:
    try:
        for number, wire, value in fields(next(records(block, HEADER.size), b"")):
            if number == HEADER_RECORD and wire == 2:
                told = next((inner for part, kind, inner in fields(value) if (part, kind) == (1, 2)), b"")
                producer = next((text for part, kind, text in fields(told) if (part, kind) == (1, 2)), b"")
                match = _VERSION.match(producer.decode("ascii", "replace"))
                return match[0] if match else None
    except ValueError:
        pass
    return None


def sync_scripts(workspace: Path) -> list[tuple[str, tuple[str, ...]]]:
    """The lab's own ``*sync*offline*.sbatch`` files, in the workspace and the folders right below it, as
    (path relative to the workspace, the flags of ``wandb sync`` in its first 64 KiB)."""
    found = []
    count = 0
    waiting = [workspace]
    for folder in waiting:
        try:
            with os.scandir(folder) as listing:
                for entry in listing:
                    count += 1
                    if count > MAX_ENTRIES:
                        break
                    if entry.is_dir(follow_symlinks=False) and folder == workspace and not entry.name.startswith("."):
                        waiting.append(Path(entry.path))
                    elif _SCRIPT.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                        found.append((str(Path(entry.path).relative_to(workspace)), _flags(Path(entry.path))))
        except OSError:
            continue
    return sorted(found)


def _flags(script: Path) -> tuple[str, ...]:
    try:
        with script.open("rb") as file:
            return tuple(dict.fromkeys(_FLAG.findall(file.read(64 << 10).decode("utf-8", "replace"))))
    except OSError:
        return ()


def count_rows(log: str) -> int | None:
    """Whole history rows in a ``.wandb`` file; None where it can't be read, or is larger than 1 GiB."""
    try:
        with Path(log).open("rb") as file:
            data = file.read(MAX_COUNTED + 1)
    except OSError:
        return None
    if len(data) > MAX_COUNTED:
        return None
    count = 0
    for record in records(data, HEADER.size):
        try:
            count += content(record)[0] == HISTORY_RECORD
        except ValueError:
            continue
    return count
