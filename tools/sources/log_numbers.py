"""Log files by the numbers in their paths, which may be the ids of jobs."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from tools.data import Job
from tools.sources.index import Index

_IDS = re.compile(r"(?<!\d)(\d{1,12})(?:[_-](\d{1,9}))?(?!\d)")


class Numbered:
    """The log files of the workspace whose path below it holds a number of one of the ``jobs``."""

    def __init__(self, index: Index, jobs: Iterable[Job]) -> None:
        wanted = {number for job in jobs for number in (job.array_id, job.raw_id) if number}
        self._any: dict[str, list[str]] = defaultdict(list)
        self._alone: dict[str, list[str]] = defaultdict(list)
        self._tasks: dict[tuple[str, int], list[str]] = defaultdict(list)
        folders: dict[str, list[tuple[str, str]]] = {}
        for path in index.logs if wanted else ():
            folder, _, name = path.removeprefix(index.workspace).rpartition("/")
            if folder not in folders:
                folders[folder] = _IDS.findall(folder)
            for number, after in folders[folder] + _IDS.findall(name):
                if number in wanted:
                    self._add(path, number, after)
                if after in wanted:
                    self._add(path, after, "")

    def _add(self, path: str, number: str, after: str) -> None:
        self._any[number].append(path)
        if after:
            self._tasks[number, int(after)].append(path)
        else:
            self._alone[number].append(path)

    def any(self, number: str) -> Sequence[str]:
        """Those with the number, whatever stands after it."""
        return self._any.get(number, ())

    def alone(self, number: str) -> Sequence[str]:
        """Those with the number where no other one is tied to it."""
        return self._alone.get(number, ())

    def task(self, array: str, task: str) -> Sequence[str]:
        """Those with the array's number and the task's tied to it, with zeros before it or not."""
        return self._tasks.get((array, int(task)), ())
