"""What every command shares: its flags, its exit codes, and errors as one line."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from agent import bugs

OK, ERROR, USAGE, WAITS = 0, 1, 2, 3
SHARED = ("workspace", "demo", "model", "rules", "max_dollars", "max_calls")
"""The flags that every command takes."""


def flags(command: Callable[..., Any], *, model: bool) -> Callable[..., Any]:
    """The flags that every command takes; where no ``model`` is asked two of them mean nothing, and are not offered."""
    command = click.option(
        "--rules",
        type=click.Path(path_type=Path),
        help="Use this rules document as the system prompt.",
        hidden=not model,
    )(command)
    command = click.option("--model", help="Model name, or 'playbook' for none.", hidden=not model)(command)
    for name, kind, what in (
        ("dollars", click.FloatRange(min=0, min_open=True), "dollars spent on the model"),
        ("calls", click.IntRange(min=1), "calls of the model"),
    ):
        told = f"Stop at so many {what} in this session."
        command = click.option(f"--max-{name}", type=kind, help=told, hidden=not model)(command)
    command = click.option("--demo", is_flag=True, help="Use the embedded demo instead: no Slurm, no W&B, no key.")(
        command
    )
    return click.option("--workspace", type=click.Path(path_type=Path), help="Folder of the project (default: here).")(
        command
    )


def common(command: Callable[..., int]) -> Callable[..., None]:
    """The flags of a command that talks to a model, and errors as one line."""
    return flags(_guarded(command), model=True)


def plain(command: Callable[..., int]) -> Callable[..., None]:
    """The flags of a command that needs no model, and errors as one line."""
    return flags(_guarded(command), model=False)


def _guarded(command: Callable[..., int]) -> Callable[..., None]:
    @wraps(command)
    def run(**own: Any) -> None:
        from agent.config import load

        if sys.stdout is None:
            fail("standard output is closed: there is nowhere to print to", ERROR)
        # `agent --demo status` means the same as `agent status --demo`
        top = click.get_current_context().find_root().obj or {}
        given = {name: own.pop(name) or None for name in SHARED}
        told = {name: value if value is not None else top.get(name) for name, value in given.items()}
        try:
            config = load(os.environ, **told)
            code = command(config, **own)
            sys.stdout.flush()
        except click.UsageError:
            raise
        except KeyboardInterrupt:
            fail("stopped", 130)
        except BrokenPipeError:
            # the reader went away (`agent status | head`): nothing to say, and nobody to say it to
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = OK
        except OSError as error:
            fail(_os_error(error), ERROR)
        except Exception as error:  # noqa: BLE001 - never a traceback
            fail(*_told(error))
        sys.exit(code)

    return run


def _told(error: Exception) -> tuple[str, int]:
    """What to say of it, and the exit code; what nobody raises on purpose is a bug, recorded before it surfaces."""
    # imported only now: the rooms of these errors are large, and most commands end well
    from agent.config_file import ConfigError
    from agent.history import HistoryError
    from agent.models import ModelError
    from tools.base import ToolError

    if isinstance(error, ConfigError):
        return str(error), USAGE
    if isinstance(error, ModelError | ToolError | HistoryError):
        return str(error), ERROR
    return bugs.record(error), ERROR


def check_said(said: dict[str, Any]) -> None:
    """What a person says that Slurm said, put into Slurm's words. Raises click.UsageError for what they aren't."""
    from tools.data import STATES

    state, code = said["state"], said["exit_code"]
    if state is not None:
        # as sacct shows it: "CANCELLED by 1000", "CANCELLED+"
        said["state"] = state.strip().upper().partition(" ")[0].rstrip("+")
        if said["state"] not in STATES:
            raise click.UsageError(f"--state {state}: no state of Slurm's; there are: {', '.join(sorted(STATES))}")
    if code is not None and not re.fullmatch(r"\d{1,3}:\d{1,3}", code):
        raise click.UsageError(f"--exit-code {code}: sacct's form is CODE:SIGNAL, such as 1:0 or 0:9")


def _os_error(error: OSError) -> str:
    """Which file the system refused, and what a person can do. A failed write names no file: output, else state."""
    from agent.config import state_dir

    told = error.strerror or str(error)
    try:
        print(flush=True)  # does standard output still take anything?
    except OSError as unwritten:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or it is tried again, and fails, at exit
        return f"standard output can't be written: {unwritten.strerror}; send it somewhere else"
    state = state_dir(os.environ)
    at = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else state
    if at.is_relative_to(state) or state.is_relative_to(at):
        return f"{at}: {told}; set XDG_STATE_HOME to a folder that you can write to"
    return f"{at}: {told}; check that path and its permissions"


def fail(line: str, code: int) -> None:
    from tools.text import Redactor

    # an error can quote a server, a file or a program; a folder's name can hold a newline
    clean = Redactor.from_environment(os.environ).clean(line).replace("\n", "\\x0a")
    click.echo(f"agent: {clean}", err=True)
    sys.exit(code)
