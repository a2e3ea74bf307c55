"""One job's story: what is so, where that stands, what to do."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from agent.explain import Story
from agent.terminal.cells import epochs, percent, state_words, steps
from agent.terminal.flow import print_folded
from agent.words import explained, flag_words, only_joins, waiting_words
from tools.data import Evidence
from tools.diagnosis.resume import command_in
from tools.kinds import kind
from tools.status import RunRow
from tools.text import duration


def print_story(story: Story, console: Console) -> None:
    """Print each row with all its evidence."""

    def here(text: str) -> str:
        return text.replace(f"{story.workspace}/", "")

    for row in story.rows:
        console.print(_head(row, story.exit_codes.get(row.job)))
        if kind(row) == "waiting" and row.job and (told := waiting_words(row.reason, row.job)):
            print_folded(console, f"  {told}")
        console.print(Text(f"  epoch {epochs(row)}  step {steps(row)}  {percent(row)}"))
        if row.health:
            note = f": {row.health_note}" if row.health_note else ""
            print_folded(console, f"  training: {row.health}{here(note)}")
        for item in _evidence(row):
            head = f"  {item.source}  {here(item.where)}" if item.where else f"  {item.source}"
            console.print(Text(head, style="dim"), soft_wrap=True)
            print_folded(console, f"      {here(item.text)}")
        if row.checkpoint:
            loads = "loads" if row.checkpoint.loadable else f"does not load: {row.checkpoint.problem}"
            console.print(Text(f"  checkpoint  {here(row.checkpoint.path)}  {loads}"), soft_wrap=True)
        if row.resumable:
            console.print(Text(f"  resumable: {row.resumable}"))
        if row.action:
            words, command = command_in(row.action)
            if words:
                print_folded(console, f"  next: {words}")
            if command:
                console.print(Text(f"      {command}" if words else f"  next: {command}", style="cyan"), soft_wrap=True)
        for words in filter(None, map(flag_words, row.flags)):
            console.print(Text(f"  · {here(words)}", style="dim"), soft_wrap=True)


def _head(row: RunRow, exit_code: str | None) -> Text:
    head = Text.assemble((row.job or row.run or "log", "bold"))
    if row.run and row.job:
        head.append(f" (run {row.run})")
    head.append(f": {state_words(row)}", style="red" if row.cause != "none" else "green")
    if kind(row) != "waiting":
        code = f", exit code {exit_code}" if exit_code and kind(row) != "live" else ""
        state = "" if row.live and row.slurm_state == "RUNNING" else f", {row.slurm_state or 'state unknown'}"
        head.append(f"{state}{code}, ran {duration(row.elapsed_s)}")
    return head


def _evidence(row: RunRow) -> list[Evidence]:
    """Without the checkpoint that is told below; what only ties the log to its run comes last, if it is needed."""
    rest = [item for item in row.evidence if not (row.checkpoint and item.where == row.checkpoint.path)]
    ties = [item for item in rest if only_joins(item.text)]
    return [item for item in rest if item not in ties] + ([] if explained(row.cause) else ties)
