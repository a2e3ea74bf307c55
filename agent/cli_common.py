"""What every command shares: its flags, its exit codes, and errors as one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from agent import __version__

OK, ERROR, USAGE = 0, 1, 2


def common(command: Callable[..., int]) -> Callable[..., None]:
    """The flags of every command, and errors as one line."""

    @click.option("--workspace", type=click.Path(path_type=Path), help="Folder of the project (default: here).")
    @click.option("--demo", is_flag=True, help="Use the embedded demo instead: no Slurm, no W&B, no key.")
    @click.option("--model", help="Model name, or 'playbook' for none.")
    @click.option("--rules", type=click.Path(path_type=Path), help="Use this rules document as the system prompt.")
    @wraps(command)
    def run(workspace: Path | None, demo: bool, model: str | None, rules: Path | None, **own: Any) -> None:
        from agent.config import ConfigError, load
        from agent.models import ModelError
        from tools.base import ToolError

        try:
            config = load(os.environ, workspace=workspace, demo=demo or None, model=model, rules=rules)
            code = command(config, **own)
        except ConfigError as error:
            fail(str(error), USAGE)
        except (ModelError, ToolError) as error:
            fail(str(error), ERROR)
        except click.UsageError:
            raise
        except KeyboardInterrupt:
            fail("stopped", 130)
        except BrokenPipeError:
            # the reader went away (`agent status | head`): nothing to say, and nobody to say it to
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = OK
        except OSError as error:
            fail(f"{error.filename or 'the state folder'}: {error.strerror or error} (XDG_STATE_HOME names it)", ERROR)
        except Exception as error:  # noqa: BLE001 - a bug: recorded before it surfaces, and never a traceback
            fail(f"internal error ({type(error).__name__}: {error}); {_record_bug()}", ERROR)
        sys.exit(code)

    return run


def _record_bug() -> str:
    """Keep the traceback for a report; says where it lies."""
    import traceback

    from agent.config import state_dir
    from tools.text import Redactor

    path = state_dir(os.environ) / "last-error.txt"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = f"agent {__version__} {sys.argv[1:]}\n{traceback.format_exc()}"
        path.write_text(Redactor.from_environment(os.environ).clean(text), encoding="utf-8")
    except OSError:
        return "it could not be recorded"
    return f"recorded in {path}"


def fail(line: str, code: int) -> None:
    from tools.text import Redactor

    # an error can quote a server, a file or a program
    click.echo(f"agent: {Redactor.from_environment(os.environ).clean(line)}", err=True)
    sys.exit(code)
