"""Slurm's file name patterns: ``logs/%x_%A_%a.out`` as the path of one job's log."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

_PATTERN = re.compile(r"%(%|([0-9]{0,2})([AajJxuNnstb]))")


class Names(NamedTuple):
    """What Slurm's patterns stand for in one job."""

    job: str
    raw: str
    name: str
    user: str
    nodes: str = ""

    @property
    def node(self) -> str:
        """The first node's short name."""
        return re.split(r"[,\[]", self.nodes)[0].split(".")[0]


def _last_digit(names: Names) -> str:
    task = names.job.partition("_")[2]
    return str(int(task) % 10) if task else ""


_STANDS_FOR: dict[str, Callable[[Names], str]] = {
    "A": lambda names: names.job.partition("_")[0],
    "a": lambda names: names.job.partition("_")[2] or "4294967294",  # what Slurm writes for a job that is no array task
    "j": lambda names: names.raw,
    "J": lambda names: names.raw,
    "x": lambda names: names.name,
    "u": lambda names: names.user,
    "N": lambda names: names.node,
    "n": lambda names: "0",
    "s": lambda names: "batch",
    "t": lambda names: "0",
    "b": _last_digit,
}


@lru_cache(maxsize=1024)
def _template(pattern: str) -> tuple[str, tuple[Callable[[Names], str], ...]]:
    """The pattern as a format of Python's, and what reads each of its values."""
    form, end = "", 0
    values: list[Callable[[Names], str]] = []
    for match in _PATTERN.finditer(pattern):
        form += pattern[end : match.start()].replace("%", "%%")
        end = match.end()
        if match[1] == "%":
            form += "%%"
        else:
            form += "%s"
            values.append(_wide(_STANDS_FOR[match[3]], int(match[2] or 0)))
    return form + pattern[end:].replace("%", "%%"), tuple(values)


def _wide(value: Callable[[Names], str], width: int) -> Callable[[Names], str]:
    """``%8j``: a number is filled up with zeros."""
    if not width:
        return value
    return lambda names: text.zfill(width) if (text := value(names)).isdigit() else text


def fill(pattern: str, names: Names, workdir: str) -> str | None:
    """A log path with its patterns filled in, made absolute; None where it can't be known.

    ``%N`` is the first node's short name; per-step and per-task patterns are those of the batch step.
    """
    if not pattern or pattern in {"(null)", "N/A", "none", "/dev/null"}:
        return None
    path = pattern
    if "\\" in pattern:
        path = pattern.replace("\\", "")  # a backslash switches every pattern off
    elif "%" in pattern:
        form, values = _template(pattern)
        path = form % tuple([value(names) for value in values])
    if "%N" in pattern and not names.node:
        return None
    if path.startswith("/"):
        return path
    return f"{workdir}/{path}" if workdir.startswith("/") else None
