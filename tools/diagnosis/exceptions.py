"""The exceptions of one log, and which of them is the root of the others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import pairwise

from tools.data import Evidence

# They wrap or accompany what really happened.
WRAPPERS = frozenset(
    "SignalException ChildFailedError CalledProcessError SystemExit KeyboardInterrupt ProcessExitedException "
    "ProcessRaisedException BrokenProcessPool SIGTERMException CommandNotFoundError ExceptionGroup "
    "BaseExceptionGroup RayTaskError FailedJobError".split()
)
CONSEQUENCES = frozenset(
    "BrokenPipeError ConnectionResetError ConnectionRefusedError ConnectionAbortedError EOFError".split()
)
# Raised to be caught: what came up while one of these was handled is what went wrong.
_CONTROL_FLOW = frozenset("StopIteration KeyError IndexError Empty QueueEmpty TimeoutError".split())
# Logged, and done without: a program that raises anything else later has survived it.
_OPTIONAL = frozenset("ImportError ModuleNotFoundError PackageNotFoundError ConnectionError HTTPError".split())
_TOLD_TO_END = frozenset("SignalException SIGTERMException SystemExit KeyboardInterrupt".split())


@dataclass(slots=True)
class Raised:
    order: int
    name: str
    evidence: Evidence
    rank: str | None
    chained: bool
    """It was raised while, or because, the one before it was handled."""
    peer: bool
    """A broken connection or a signal: something else happened first."""
    origin: str = ""
    """Its whole dotted name, and the file in which it was raised."""
    frame: int | None = None
    """Line that names the innermost file of the traceback that is no library's."""
    aside: bool = False
    """A thread's own, or one that is said to be survived: it ended no program."""


@dataclass(slots=True)
class Thread:
    """What one rank, told apart by its label, is in the middle of saying."""

    in_traceback: bool = False
    ignored: bool = False
    chained: bool = False
    aside: bool = False
    survived: bool = False
    """The line before says that the program goes on."""
    frame: str = ""
    """The innermost file of the traceback so far."""
    own: int | None = None
    """Line that names the innermost file so far that is no library's."""
    raised: list[Raised] = field(default_factory=list)


def root(threads: Collection[Thread], root_rank: str | None) -> Raised | None:
    """The exception that came first: of a chain its head, of several ranks the one torchrun names or the first."""
    heads: list[Raised] = []
    for thread in threads:
        head: Raised | None = None
        for raised in thread.raised:
            if raised.chained and head is not None and head.name not in _CONTROL_FLOW:
                continue
            if raised.chained and heads and heads[-1] is head:
                heads.pop()
            head = raised
            heads.append(raised)
    heads = [head for head in heads if not head.peer]
    heads = [head for head in heads if not head.aside] or heads
    own = [head for head in heads if root_rank is not None and head.rank == root_rank]
    strong = [head for head in heads if head.name not in CONSEQUENCES]
    ranked = [head for head in strong if head.rank]
    if own:
        return own[-1]
    if ranked:
        return min(ranked, key=lambda head: head.order)
    return max(strong or heads, key=lambda head: head.order, default=None)


def handled(threads: Collection[Thread]) -> set[int]:
    """Lines of exceptions caught as a matter of course (``except StopIteration: iterator = iter(loader)``)."""
    return {
        before.order
        for thread in threads
        for before, after in pairwise(thread.raised)
        if (after.chained and before.name in _CONTROL_FLOW)
        or (before.name in _OPTIONAL and not after.chained and _of_its_own(after) and after.name not in _OPTIONAL)
    }


def _of_its_own(raised: Raised) -> bool:
    return not raised.peer and raised.name not in CONSEQUENCES


def wrapper(threads: Collection[Thread]) -> Raised | None:
    """Where no exception of the training is left: a launcher's word that what it launched failed."""
    wrappers = [raised for thread in threads for raised in thread.raised if raised.name in WRAPPERS - _TOLD_TO_END]
    return min(wrappers, key=lambda raised: raised.order, default=None)
