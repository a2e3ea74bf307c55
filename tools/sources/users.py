"""Users by the numbers that Slurm prints."""

from __future__ import annotations

import pwd
from functools import cache


@cache
def user_of(uid: str) -> str:
    """The name of the user with this number, as Slurm prints it; the number itself where the database has none."""
    try:
        return f"{pwd.getpwuid(int(uid)).pw_name} (uid {uid})"
    except (KeyError, ValueError, OverflowError):
        return f"uid {uid}"
