"""A bug is recorded before it surfaces; a person and a model get one line."""

from __future__ import annotations

import os
import sys
import traceback

from agent import __version__
from tools.text import Redactor, one_line


def record(error: BaseException) -> str:
    """Keep the traceback of an error for a report; one line that names it and says where it lies."""
    from agent.config import state_dir

    name = one_line(f"internal error ({type(error).__name__}: {error})", 200)
    path = state_dir(os.environ) / "last-error.txt"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        told = "".join(traceback.format_exception(error))
        text = f"agent {__version__} {sys.argv[1:]}\n{told}"
        path.write_text(Redactor.from_environment(os.environ).clean(text), encoding="utf-8")
    except OSError:
        return f"{name}; it could not be recorded"
    return f"{name}; recorded in {path}"
