"""The whole status from one look."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tools import outset
from tools.place import Place

if TYPE_CHECKING:
    from tools.look import Seen
    from tools.status import Status


def read_status(place: Place, now: Callable[[], float] = time.time) -> tuple[Status, Seen]:
    """Look once and judge everything: the status, without secrets and control characters, and what it rests on."""
    collecting = gc.isenabled()
    if gc.get_freeze_count():
        gc.collect()  # what has become garbage since the last look would be kept for good
    # a look makes many objects and no circles: collecting would walk through all of them again and again, and once
    # more afterwards and at the program's end
    gc.disable()
    try:
        return _read_status(place, now)
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


def _read_status(place: Place, now: Callable[[], float]) -> tuple[Status, Seen]:
    with outset.begin(place, now) as begun:
        # imported while those are under way: half of the time that the status of a small workspace takes
        from tools.look import look
        from tools.picture import status_of

        seen, kept = look(place, begun, now)
    try:
        return status_of(seen, place), seen
    finally:
        kept()
