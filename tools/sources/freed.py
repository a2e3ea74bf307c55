"""Memory that was freed goes back to the system: the C library keeps the room of long listings and of read files.

After the listings of 20,000 jobs that is a fifth of all that a look takes.
"""

from __future__ import annotations

from functools import cache
from typing import Any

LEAST = 5_000
"""Jobs or runs from which it is worth the hundredth of a second."""


def give_back(items: int) -> None:
    """Where so many items were read, and the C library can (glibc can)."""
    if items >= LEAST and (trim := _trim()):
        trim(0)


@cache
def _trim() -> Any:
    import ctypes

    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
