"""The command line: wires, prints, exits. The only place that knows exit codes.

Exit codes: 0 done, 1 error or nothing done of what was to be changed, 2 usage, 3 waits for an approval nobody could
give.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any, cast

import click

from agent import __version__
from agent.cli_common import ERROR, OK, SHARED, USAGE, check_said, flags, plain
from agent.cli_talk import approve, ask, chat
from agent.cli_transcripts import transcripts


@click.group("agent", invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="agent")
def _main(**given: Any) -> None:
    """Look after Weights & Biases sweeps on a Slurm cluster.

    Without a command: chat, in a terminal.

    Exit codes: 0 done, 1 error (or nothing done of what was to be changed), 2 usage, 3 waits for an approval nobody
    could give, 130 stopped by Ctrl-C.
    """
    from agent.terminal import streams
    from agent.terminal.keys import at_terminal

    streams.prepare()
    context = click.get_current_context()
    context.obj = {**given, "demo": given["demo"] or None}
    if context.invoked_subcommand is None:
        if not (at_terminal()):
            click.echo(context.get_help(), err=True)
            click.echo('\nagent: chatting needs a terminal; ask one thing with: agent ask "check on sweeps"', err=True)
            sys.exit(USAGE)
        context.invoke(chat, earlier=None, **dict.fromkeys(SHARED))


main = cast("click.Group", flags(_main, model=True))


for _command in (ask, chat, approve, transcripts):
    main.add_command(_command)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain
def status(config: Any, as_json: bool) -> int:
    """The whole picture, without any model. Exits with 1 where neither the queue nor accounting could be read."""
    from agent.config import state_dir
    from agent.where import place_of
    from tools.sweeps import read_status

    found = read_status(place_of(config, os.environ, state_dir(os.environ)))[0]
    blind = all(not source.ok for source in found.sources if source.name in {"squeue", "sacct"})
    code = ERROR if blind else OK
    if as_json:
        for piece in found.json_pieces():  # the text of very many runs is never there as a whole
            click.echo(piece, nl=False)
        click.echo()
        return code
    from agent.terminal.report import print_report
    from agent.terminal.screen import console

    print_report(found, console())
    return code


@main.command(short_help="Why one job died: from Slurm and its logs, or logs alone.")
@click.argument("what", nargs=-1, required=True, metavar="JOB | LOG_FILES…")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: a row as in status.")
@click.option("--state", help="For log files: what Slurm said, such as FAILED.")
@click.option("--exit-code", metavar="A:B", help="For log files: sacct's exit code.")
@click.option("--elapsed", type=click.IntRange(min=0), metavar="SECONDS", help="For log files: how long it ran.")
@click.option("--target-epochs", type=click.FloatRange(min=0, min_open=True), help="For log files: the target.")
@plain
def explain(config: Any, what: tuple[str, ...], as_json: bool, **said: Any) -> int:
    """Why one job died, from Slurm and its logs, or from log files alone."""
    from agent.explain import explain_job, explain_logs
    from agent.terminal.explain import print_story
    from agent.terminal.screen import console
    from tools.row_base import json_of

    named = [name for name in what if not Path(name).exists()]
    if not all(what) or (len(what) > 1 and any(re.fullmatch(r"[0-9]+(_[0-9]+)?", name) for name in named)):
        raise click.UsageError("name one job, or log files")
    check_said(said)
    by_id = len(what) == 1 and named and "/" not in what[0] and "." not in what[0]
    if by_id and any(value is not None for value in said.values()):
        raise click.UsageError("--state, --exit-code, --elapsed and --target-epochs are for log files, not for a job")
    story = explain_job(config, what[0]) if by_id else explain_logs(config, [Path(name) for name in what], **said)
    if as_json:
        click.echo(json_of(vars(story.rows[0])))
    else:
        print_story(story, console())
    return OK


@main.command(short_help="Play transcripts again and check the answers.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@plain
def replay(config: Any, files: tuple[Path, ...]) -> int:
    """Play transcripts again, each on its own simulated cluster, and check what must be so of each answer."""
    from agent.transcript import TranscriptError
    from agent.transcript_play import replay_file

    if config.workspace != Path.cwd().resolve():
        raise click.UsageError("a transcript describes its own cluster: leave out --workspace")
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
@plain
def verify(config: Any) -> int:
    """Check that no entry of the record was changed, moved or cut out.

    What was done in the demo has a record of its own, which --demo checks.
    """
    from agent.audit import Audit
    from agent.config import state_dir
    from agent.session import audit_file

    state = state_dir(os.environ)
    path = audit_file(state, demo=config.demo)
    found = Audit(path).verify()
    for line in found.problems:
        click.echo(line)
    for number in found.torn:
        click.echo(
            f"{path}:{number}: torn: its writer was killed; the chain goes on over it, nobody has touched it since"
        )
    nothing = not (found.entries or found.problems)
    elsewhere = not config.demo and audit_file(state, demo=True).exists()
    of_demo = "; of the demo's own record: agent audit verify --demo" if elsewhere else ""
    words = f"no entries: nothing was asked for yet{of_demo}" if nothing else f"{found.entries} entries, unbroken"
    click.echo(f"{found.entries} entries, NOT unbroken" if found.problems else words)
    return ERROR if found.problems else OK


@main.group()
def demo() -> None:
    """The embedded demo cluster."""


@demo.command()
@plain
def reset(config: Any) -> int:
    """Forget the demo's state; the next --demo command begins anew."""
    from agent import demo as cluster
    from agent.config import state_dir

    cluster.reset(state_dir(os.environ))
    click.echo("The demo begins anew with the next --demo command.")
    return OK
