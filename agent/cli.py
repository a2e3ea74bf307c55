"""The command line: wires, prints, exits. The only place that knows exit codes.

Exit codes: 0 done, 1 error, 2 usage, 3 waits for an approval nobody could give.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from agent import __version__

OK, ERROR, USAGE = 0, 1, 2


def _common(command: Callable[..., int]) -> Callable[..., None]:
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
            _fail(str(error), USAGE)
        except (ModelError, ToolError) as error:
            _fail(str(error), ERROR)
        except click.UsageError:
            raise
        except KeyboardInterrupt:
            _fail("stopped", 130)
        except BrokenPipeError:
            # the reader went away (`agent status | head`): nothing to say, and nobody to say it to
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = OK
        except OSError as error:
            _fail(f"{error.filename or 'the state folder'}: {error.strerror or error} (XDG_STATE_HOME names it)", ERROR)
        except Exception as error:  # noqa: BLE001 - a bug: recorded before it surfaces, and never a traceback
            _fail(f"internal error ({type(error).__name__}: {error}); {_record_bug()}", ERROR)
        sys.exit(code)

    return run


def _record_bug() -> str:
    """Keep the traceback for a report; says where it lies."""
    import traceback

    from agent.config import state_dir

    path = state_dir(os.environ) / "last-error.txt"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(f"agent {__version__} {sys.argv[1:]}\n{traceback.format_exc()}", encoding="utf-8")
    except OSError:
        return "it could not be recorded"
    return f"recorded in {path}"


def _fail(line: str, code: int) -> None:
    click.echo(f"agent: {line}", err=True)
    sys.exit(code)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="agent")
@click.pass_context
def main(context: click.Context) -> None:
    """Look after Weights & Biases sweeps on a Slurm cluster.

    Without a command: chat, in a terminal.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that can't show a sign gets a question mark
    if context.invoked_subcommand is None:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            click.echo(context.get_help(), err=True)
            sys.exit(USAGE)
        context.invoke(chat, workspace=None, demo=False, model=None, rules=None)


@main.command()
@click.argument("text", nargs=-1, required=True)
@_common
def ask(config: Any, text: tuple[str, ...]) -> int:
    """Ask one thing: agent ask "check on sweeps"."""
    conversation, screen = _conversation(config)
    conversation.ask(" ".join(text))
    screen.flush()
    return OK


@main.command()
@_common
def chat(config: Any) -> int:
    """Talk about the sweeps."""
    from agent.terminal.repl import chat as talk
    from agent.terminal.screen import console

    conversation, screen = _conversation(config)
    talk(conversation, screen, console())
    return OK


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@_common
def status(config: Any, as_json: bool) -> int:
    """The whole picture, without any model."""
    from agent.config import state_dir
    from agent.session import place_of
    from tools.sweeps import read_status

    found, _ = read_status(place_of(config, os.environ, state_dir(os.environ)))
    if as_json:
        click.echo(found.to_json())
        return OK
    from agent.terminal.report import print_report
    from agent.terminal.screen import console

    print_report(found, console())
    return OK


@main.command()
@click.argument("what", nargs=-1, required=True, metavar="JOB | LOG_FILES…")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: a row as in status.")
@click.option("--state", help="For log files: what Slurm said, such as FAILED.")
@click.option("--exit-code", metavar="A:B", help="For log files: sacct's exit code.")
@click.option("--elapsed", type=click.IntRange(min=0), metavar="SECONDS", help="For log files: how long it ran.")
@click.option("--target-epochs", type=click.FloatRange(min=0, min_open=True), help="For log files: the target.")
@_common
def explain(config: Any, what: tuple[str, ...], as_json: bool, **said: Any) -> int:
    """Why one job died, from Slurm and its logs, or from log files alone."""
    from agent.explain import explain_job, explain_logs
    from agent.terminal.explain import print_rows
    from agent.terminal.screen import console

    named = [name for name in what if not Path(name).exists()]
    if len(what) > 1 and any(re.fullmatch(r"[0-9]+(_[0-9]+)?", name) for name in named):
        raise click.UsageError("name one job, or log files")
    by_id = len(what) == 1 and named and "/" not in what[0] and "." not in what[0]
    rows = explain_job(config, what[0]) if by_id else explain_logs(config, [Path(name) for name in what], **said)
    if as_json:
        click.echo(rows[0].model_dump_json(indent=1))
    else:
        print_rows(rows, console())
    return OK


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@_common
def replay(config: Any, files: tuple[Path, ...]) -> int:
    """Play transcripts again and check what must be so of each answer."""
    from agent.transcript import TranscriptError, replay_file

    failed = 0
    for file in files:
        try:
            problems = replay_file(file, config)
        except TranscriptError as error:
            problems = [str(error)]
        failed += bool(problems)
        click.echo(f"{'FAIL' if problems else 'ok'}  {file}")
        for problem in problems:
            click.echo(f"      {problem}")
    return ERROR if failed else OK


@main.group()
def audit() -> None:
    """The record of what was asked for, denied and done."""


@audit.command()
@_common
def verify(config: Any) -> int:
    """Check that no entry of the record was changed, moved or cut out."""
    from agent.audit import Audit
    from agent.config import state_dir

    count, problem = Audit(state_dir(os.environ) / "audit.jsonl").verify()
    click.echo(problem or f"{count} entries, unbroken" if count or problem else "no entries: nothing was asked for yet")
    return ERROR if problem else OK


@main.group()
def demo() -> None:
    """The embedded demo cluster."""


@demo.command()
@_common
def reset(config: Any) -> int:
    """Forget the demo's state; the next --demo command begins anew."""
    from agent import demo as cluster
    from agent.config import state_dir

    cluster.reset(state_dir(os.environ))
    click.echo("The demo begins anew with the next --demo command.")
    return OK


def _conversation(config: Any) -> Any:
    from agent.config import state_dir
    from agent.models.playbook import NOTICE
    from agent.session import model_of, place_of, start
    from agent.terminal.screen import Screen, console

    place = place_of(config, os.environ, state_dir(os.environ))
    model = model_of(config, os.environ)
    out = console()
    screen = Screen(out, console(stderr=True), place.redactor)
    conversation = start(config, place, model, screen, state_dir(os.environ))
    if model.name == "playbook":
        out.print(NOTICE, style="dim")
    return conversation, screen
