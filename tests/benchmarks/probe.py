"""Looks inside the product in a process of its own: ``python -m benchmarks.probe tokens|profile|opened WORKSPACE BIN``.

``tokens``: what the tool check_sweeps hands a model, in characters and in tokens of four characters.
``profile``: the functions that a look spends its time in, all threads as one.
``opened``: the files below the workspace that a look opens, one a line.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

TOP = 25


class Inline:
    """A pool of no threads: a task runs where it is handed in, so that a profile sees it."""

    def __init__(self, max_workers: int | None = None) -> None:
        del max_workers

    def __enter__(self) -> Inline:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        from concurrent.futures import Future

        done: Future[Any] = Future()
        done.set_result(function(*arguments))
        return done

    def map(self, function: Callable[..., Any], *items: Iterable[Any], **options: Any) -> Iterator[Any]:
        return map(function, *items)


def place(workspace: str, programs: str) -> Any:
    from tools.layout import Layout
    from tools.place import Place
    from tools.sources import twins
    from tools.sources.command import user_name
    from tools.text import Redactor

    twins.spare = lambda: 0  # what copies of the process do would not be seen
    return Place(Path(workspace), Layout(), user_name(), Redactor(), slurm_bin=Path(programs))


def tokens(workspace: str, programs: str) -> None:
    from tools.base import Context
    from tools.check_sweeps import CHECK_SWEEPS

    text = CHECK_SWEEPS.run(Context(place(workspace, programs)), CHECK_SWEEPS.parse({})).text
    print(json.dumps({"characters": len(text), "tokens": len(text) // 4}))


def profile(workspace: str, programs: str) -> None:
    import concurrent.futures
    import cProfile
    import pstats

    concurrent.futures.ThreadPoolExecutor = Inline  # type: ignore[misc, assignment]
    from tools.sweeps import read_status

    where = place(workspace, programs)
    profiler = cProfile.Profile()
    profiler.enable()
    status, _ = read_status(where)
    status.to_json()
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(TOP)


def opened(workspace: str, programs: str) -> None:
    from tools.sweeps import read_status

    found: set[str] = set()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            found.add(os.fsdecode(arguments[0]))

    where = place(workspace, programs)
    sys.addaudithook(hook)
    read_status(where)
    for path in sorted(found):
        if path.startswith(f"{workspace}/") and os.path.isfile(path):
            print(path)


if __name__ == "__main__":
    {"tokens": tokens, "profile": profile, "opened": opened}[sys.argv[1]](*sys.argv[2:])
