"""A table that the model wrote: fitted to the screen, with every word of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from agent.terminal.inline import all_there, parser, text_of

GAP = 2
NARROW = 14
"""A column that is never wider holds ids and numbers: it is not broken."""
LONGEST = 24
"""Of a word that a column is made wide enough for."""


def grid(source: str, console: Console) -> RenderableType | None:
    """The table, or one block for each of its rows where the screen is too narrow; None if it is no table, or one
    with more cells in a row than it has columns: Markdown would leave them out."""
    rows, right = _cells(source, console)
    if len({len(row) for row in rows}) != 1 or not all_there(
        source, "".join(cell.plain for row in rows for cell in row)
    ):
        return None
    columns = list(zip(*rows, strict=True))
    least = [_least(column) for column in columns]
    if sum(least) + GAP * (len(least) - 1) > console.width:
        return Text("\n\n").join(_blocks(rows[0], rows[1:]))
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
    for head, column, width, to_right in zip(rows[0], columns, least, right, strict=True):
        narrow = max(cell.cell_len for cell in column) <= NARROW
        justify = "right" if to_right else "left"
        table.add_column(head, justify=justify, no_wrap=narrow, min_width=width, overflow="fold")  # type: ignore[arg-type]
    for row in rows[1:]:
        table.add_row(*row)
    return table


def _cells(source: str, console: Console) -> tuple[list[list[Text]], list[bool]]:
    rows: list[list[Text]] = []
    right: list[bool] = []
    for token in parser().parse(source):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "th_open":
            right.append("right" in str(token.attrs.get("style", "")))
        elif token.type == "inline" and rows:
            rows[-1].append(text_of(token.children or [], console))
    return rows, right


def _least(column: Sequence[Text]) -> int:
    if (widest := max(cell.cell_len for cell in column)) <= NARROW:
        return widest
    return min(LONGEST, max((Text(word).cell_len for cell in column for word in cell.plain.split()), default=1))


def _blocks(head: Sequence[Text], rows: Sequence[Sequence[Text]]) -> Iterator[Text]:
    for row in rows:
        yield Text("\n").join(Text.assemble(name, ": ", cell) for name, cell in zip(head, row, strict=True))
