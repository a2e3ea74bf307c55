"""The commands for conversations as files: those that are kept, and those that a Slack export holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from agent.cli_common import OK, SHARED, plain


@click.group(invoke_without_command=True, short_help="The conversations that are kept, newest first.")
@click.pass_context
def transcripts(context: click.Context) -> None:
    """The conversations that are kept, newest first; agent chat --continue ID goes on with one."""
    if context.invoked_subcommand is None:
        context.invoke(listed, limit=20, **dict.fromkeys(SHARED))


@transcripts.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@plain
def listed(_: Any, limit: int) -> int:
    """List them: id, when, workspace, first words."""
    import time
    from itertools import islice

    from agent.config import state_dir
    from agent.history import all_kept
    from tools.text import Redactor

    folder = state_dir(os.environ) / "transcripts"
    clean = Redactor.from_environment(os.environ).clean
    found = list(islice(all_kept(folder), limit))
    if not found:
        click.echo(f"no conversation is kept in {folder}")
    for kept in found:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(kept.at))
        where = "demo" if kept.demo else kept.workspace
        click.echo(clean(f"{kept.id}  {when}  {where}  {kept.first_words}"))
    return OK


@transcripts.command("import", short_help="Print a Slack export as a transcript for replay.")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--agent", metavar="USER", help="Who of the channel is the agent: a name or user id.")
@click.option("--channel", metavar="NAME", help="Which channel of the export.")
@plain
def imported(_: Any, source: Path, agent: str | None, channel: str | None) -> int:
    """Print a Slack export (unzipped), a channel's folder or a JSON file of messages as a transcript for replay."""
    from agent.slack_export import transcript_of
    from agent.transcript import TranscriptError
    from tools.base import ToolError

    try:
        click.echo(transcript_of(source, agent=agent, channel=channel), nl=False)
    except TranscriptError as error:
        raise ToolError(str(error)) from None
    return OK
