"""YAML from a workspace: bounded before anything is built from it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tools.sources import block_yaml, quick_yaml

MAX_BYTES = 512 << 10
MAX_NODES = 200_000
MAX_DEPTH = 60
"""CSafeLoader recurses in C: 100,000 nested brackets end the interpreter."""

# YAML 1.1 wants a point and a sign: it reads 1e-05, as torch and W&B write it, as text.
_FLOAT = re.compile(r"[-+]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)[eE][-+]?\d+$")


def load_yaml(path: Path | str) -> Mapping[str, Any] | None:
    """A YAML mapping; None if it is not there, no mapping, broken, too large, too deep, or would grow by aliases."""
    try:
        data = read(path)
    except OSError:
        return None
    return parsed(data) if data is not None else None


def load_flat(path: Path | str) -> tuple[Mapping[str, Any] | None, float]:
    """The same for a file that mostly is ``key: scalar`` and nothing more, then it is not parsed; and when it was
    written to, in epoch seconds."""
    try:
        data, at = read_with_time(path)
    except OSError:
        return None, 0.0
    if data is None:
        return None, at
    found = quick_yaml.flat(data)
    return (found if found is not None else parsed(data)), at


def load_keys(path: Path | str, keys: frozenset[str]) -> Mapping[str, Any] | None:
    """A mapping that holds at least what stands under ``keys``, wherever in the nesting; else as ``load_yaml``."""
    try:
        data = read(path)
    except OSError:
        return None
    if data is None:
        return None
    found = quick_yaml.keys_in(data, keys)
    return found if found is not None else parsed(data)


def parsed(data: bytes) -> Mapping[str, Any] | None:
    """``load_yaml`` of bytes at hand."""
    found = block_yaml.block(data)
    if found is not None:
        return found
    import yaml

    try:
        if not affordable(data):
            return None
        value = yaml.load(data, Loader=_loader())  # noqa: S506 - a subclass of the safe loader
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def why_not(data: bytes) -> tuple[int | None, str]:
    """Line (1-based) and reason why ``parsed`` gave None."""
    import yaml

    try:
        if not affordable(data):
            return None, "nested too deep, or too large with its aliases written out"
        value = yaml.load(data, Loader=_loader())  # noqa: S506 - a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        return mark.line + 1 if mark else None, error.problem or "no YAML"
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        return None, str(error).partition("\n")[0][:200] or "no YAML"
    return None, f"a {type(value).__name__}, not a mapping"


def read(path: Path | str) -> bytes | None:
    """The bytes of a regular file; None for anything else and for what is too large. Raises OSError."""
    return read_with_time(path)[0]


def read_with_time(path: Path | str) -> tuple[bytes | None, float]:
    """The same, and when it was written to."""
    # a FIFO in a config's place must not block the look
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode) or info.st_size > MAX_BYTES:
            return None, info.st_mtime
        return os.pread(handle, info.st_size, 0), info.st_mtime
    finally:
        os.close(handle)


@cache
def _loader() -> Any:
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # which one is known at run time
        """The safe loader that also knows ``1e-05`` for a number."""

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
    return Loader


def affordable(data: bytes) -> bool:
    """Whether YAML is not deep and stays small with every alias written out; looks at events, builds nothing."""
    import yaml

    sizes: dict[str, int] = {}
    unclosed: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            unclosed.append((event.anchor, total))
            total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = unclosed.pop()
            if anchor:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in unclosed):
                return False
            total += sizes.get(event.anchor or "", 1)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
        if total > MAX_NODES or len(unclosed) > MAX_DEPTH:
            return False
    return True
