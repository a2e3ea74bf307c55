"""What a look begins with: the walk of the workspace and Slurm's listings, which take their time wherever they are.

Nothing heavy is imported here: what judges is imported while they are under way (``sweeps``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace

from tools.compact import compact
from tools.data import Job, SourceName, SourceState
from tools.place import Place
from tools.sources import command, crew, index, slurm
from tools.text import counted

Told = tuple[tuple[Job, ...] | None, SourceState]
"""The jobs of one of Slurm's listings, None where it could not be read."""


@compact
class Outset:
    """What is under way."""

    _place: Place
    _walk: crew.Begun[None, index.Index]
    _queue: Future[Told]
    _accounting: Future[Told]

    def tree(self) -> index.Index:
        """The files of the workspace."""
        (tree,), _ = self._walk.result()
        # given up where even the folders that links lead to do not answer, or after the whole program stood still
        return tree or _walked(self._place)

    def listings(self) -> tuple[Told, Told]:
        """The queue, and accounting."""
        queue, accounting = self._queue.result(), self._accounting.result()
        if self._place.layout.cluster and "No cluster" in (queue[1].error or ""):
            # of one that is not known sacct says nothing, and exits with 0
            accounting = None, replace(queue[1], name="sacct")
        return queue, accounting


@contextmanager
def begin(place: Place, now: Callable[[], float]) -> Iterator[Outset]:
    """Begin both; whatever is still under way at the end, or at Ctrl-C, is ended."""
    walk = crew.apart(lambda: _walked(place), index.WITHIN_S)
    try:
        with ThreadPoolExecutor(max_workers=2) as pool:
            queue = pool.submit(_slurm, "squeue", place, now, slurm.read_queue)
            accounting = pool.submit(_slurm, "sacct", place, now, slurm.read_accounting)
            try:
                yield Outset(place, walk, queue, accounting)
            except KeyboardInterrupt:
                # again and again: one that is ended may be followed by the next (sacct is asked twice)
                while wait((queue, accounting), timeout=0.05).not_done:
                    command.end_all()
                raise
    finally:
        walk.end()


def _walked(place: Place) -> index.Index:
    return index.walk(place.workspace, place.layout.roots)


def _slurm(name: SourceName, place: Place, now: Callable[[], float], read: Callable[..., slurm.Listing]) -> Told:
    try:
        program = command.find_program(name, folder=place.slurm_bin, workspace=place.workspace)
        listing = read(program, place.user, cluster=place.layout.cluster)
    except (command.CommandError, slurm.SlurmError) as error:
        return None, SourceState(name, False, now(), error=str(error))
    bad = f"{counted(listing.unreadable, 'record')} could not be read" if listing.unreadable else None
    return listing.jobs, SourceState(name, True, now(), detail=bad)
