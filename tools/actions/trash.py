"""The trash of one file system: a folder for each removal, with a manifest that was written before anything moved."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.actions.files import Stamp, flush, stamp_of
from tools.acts import Item
from tools.compact import compact
from tools.sources.index import TRASH

MANIFEST = "manifest.json"
MAX_BYTES = 4 << 20
MAX_BATCHES = 10_000


@compact
class Thrown:
    """One checkpoint that this program has put into the trash."""

    path: str
    was: str
    run: str
    at: float
    """When it was thrown away, epoch seconds."""
    stamp: Stamp


def free_name(trash: str, run: str, digest: str) -> str:
    """The name of a new batch; the same as long as nothing lies there under it."""
    base = f"{re.sub(r'[^A-Za-z0-9_.-]', '-', run)[:40].lstrip('.')}-{digest[:8]}"
    names = (base, *(f"{base}-{number}" for number in range(2, 100)))
    return next((name for name in names if not os.path.lexists(os.path.join(trash, name))), base)


def write_manifest(batch: int, items: Sequence[Item], run: str, at: float) -> None:
    """Say what will be moved here, before it is. Raises OSError."""
    content = {"run": run, "at": at, "items": [[os.path.basename(one.goes), one.path, one.stamp] for one in items]}
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
    with os.fdopen(os.open(MANIFEST, flags, 0o600, dir_fd=batch), "w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    flush(batch)


def keep_out_of_git(trash: int) -> None:
    """Weights are no part of a repository, thrown away ones even less. Raises OSError."""
    try:
        handle = os.open(".gitignore", os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=trash)
    except FileExistsError:
        return
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write("*\n")


def read_trash(root: str) -> tuple[list[Thrown], int]:
    """What this program has put into a root's trash and is still there, the oldest first; and how many entries there
    are that it did not put there, which nobody touches."""
    trash = os.path.join(root, TRASH)
    found: list[Thrown] = []
    others = 0
    try:
        names = sorted(os.listdir(trash))[:MAX_BATCHES] if not Path(trash).is_symlink() else []
    except OSError:
        return [], 0
    for name in names:
        batch = os.path.join(trash, name)
        manifest = _manifest(batch) if not Path(batch).is_symlink() else None
        if manifest is None:
            others += name != ".gitignore"
            continue
        mine = list(_of_batch(batch, manifest))
        found += mine
        others += len(set(os.listdir(batch)) - {MANIFEST} - {os.path.basename(one.path) for one in mine})
    return sorted(found, key=lambda one: (one.at, one.path)), others


def _manifest(batch: str) -> Mapping[str, Any] | None:
    try:
        handle = os.open(os.path.join(batch, MANIFEST), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            content = json.loads(file.read(MAX_BYTES))
        return {
            "run": str(content["run"]),
            "at": float(content["at"]),
            "items": [_entry(*one) for one in content["items"]],
        }
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _entry(name: object, was: object, stamp: object) -> tuple[str, str, int]:
    if "/" in str(name) or str(name) in {"", ".", "..", MANIFEST}:
        raise ValueError("no name of an entry")
    return str(name), str(was), int(str(stamp).split(":")[1])


def _of_batch(batch: str, manifest: Mapping[str, Any]) -> Iterator[Thrown]:
    for name, was, inode in manifest["items"]:
        path = os.path.join(batch, name)
        try:
            stamp = stamp_of(path)
        except OSError:
            continue
        if stamp.inode == inode:  # one that was half deleted is still the same
            yield Thrown(path, was, manifest["run"], manifest["at"], stamp)
