"""The commands for conversations that are kept on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.cli_common import OK, plain


@click.group()
def transcripts() -> None:
    """Conversations as files."""


@transcripts.command("import")
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
