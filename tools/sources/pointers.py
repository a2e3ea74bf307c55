"""What still points at a checkpoint by name: the trainer's best one, tracker files and links beside it."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

from tools.sources.trainer_state import JSON_BYTES

# What frameworks write beside their checkpoints (DeepSpeed, Megatron and verl, mmengine).
TRACKERS = frozenset({"latest", "latest_checkpointed_iteration.txt", "last_checkpoint"})
MAX_ENTRIES = 10_000
_BEST = re.compile(r'"best_model_checkpoint": ?(null|"((?:[^"\\\n]|\\.){0,4096})")')


def pointed_at(checkpoint: str) -> frozenset[str] | None:
    """Names in the checkpoint's folder that its trainer state, a tracker file or a link names.

    A tracker may hold a bare number. None where one of them is there and can't be read: then nothing may be
    concluded about the others.
    """
    best = _best(Path(checkpoint, "trainer_state.json"))
    beside = _beside(os.path.dirname(checkpoint))
    return None if best is None or beside is None else frozenset({*best, *beside})


def _best(state: Path) -> set[str] | None:
    try:
        if not stat.S_ISREG(state.stat().st_mode):
            return None
        with state.open("rb") as file:
            data = file.read(JSON_BYTES + 1)
    except FileNotFoundError:
        return set()
    except OSError:
        # a checkpoint that is one file has no state inside it
        return set() if state.parent.is_file() else None
    if len(data) <= JSON_BYTES:
        try:
            told = json.loads(data)
            path = told.get("best_model_checkpoint")
        except (ValueError, AttributeError, RecursionError):
            return None
    else:
        # the long log history comes after it: the trainer sorts its keys
        match = _BEST.search(data[: 64 << 10].decode("utf-8", "replace"))
        if match is None:
            return None
        path = match[2]
    return {os.path.basename(path.rstrip("/"))} if isinstance(path, str) and path else set()


def _beside(folder: str) -> set[str] | None:
    names: set[str] = set()
    try:
        with os.scandir(folder) as listing:
            for count, entry in enumerate(listing):
                if count >= MAX_ENTRIES:
                    return None
                if entry.is_symlink():
                    names.add(os.path.basename(str(Path(entry.path).readlink())))
                elif entry.name in TRACKERS and entry.is_file(follow_symlinks=False):
                    with Path(entry.path).open("rb") as file:
                        words = file.read(4096).decode("utf-8", "replace").split()
                    names.update(os.path.basename(word.rstrip("/")) for word in words)
    except OSError:
        return None
    return names
