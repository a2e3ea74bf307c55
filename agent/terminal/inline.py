"""The marks inside a line of Markdown: what they style, and nothing they could hide.

Emphasis and code are shown as such, a link with its address behind it; images, HTML, comments, entities and
backslashes as the text they are. Where the screen can show no style the marks stay. An underscore and the star of a
file pattern are no emphasis.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from rich.console import Console
from rich.style import Style
from rich.text import Text

from agent.terminal.flow import PLAIN, Run
from agent.terminal.links import url_style, with_links

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

MAX_HELD = 600
"""Characters of a line that wait for the end of a mark; then it is taken for an ordinary character."""
CODE = Style(color="cyan")
_STYLES = {"strong_open": Style(bold=True), "em_open": Style(italic=True)}
_SHOWN_AS_TEXT = ["entity", "escape", "html_inline", "html_block", "image", "newline", "reference"]
# A mark that is closed, or what is none. Anything else is a mark that may still be closed.
_CLOSED = re.compile(
    r"(?P<tick>`{1,3})(?!`)(?:(?!(?P=tick)).){1,400}(?P=tick)(?!`)"
    r"|(?P<star>\*{1,3})(?=[^\s*])(?:(?!(?P=star)).){0,400}(?<=\S)(?P=star)(?!\*)"
    r"|\[[^\[\]]{0,400}\](?:\([^()]{0,400}\)|(?!\())"
    r"|\*+(?=\s)|(?P<plain>[^`*\[]+)",
    re.S,
)
_SPACE = re.compile(r"\s+")
_BEFORE = re.compile(r"(?:^|[\s(\[{\"'“‘–—])$")
_AFTER = re.compile(r"[.,;:!?)\]}\"'”’…–—]{0,9}(?:\s|$)")


@cache
def parser() -> MarkdownIt:
    """Markdown without anything that turns text into other text."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table").disable(_SHOWN_AS_TEXT)


def settled(line: str) -> int:
    """How many characters of a line that still grows can be shown: whole words, two more behind them, and none
    with a mark that is still open."""
    at, cuts = 0, [0]
    while at < len(line) and (closed := _CLOSED.match(line, at)):
        if closed["plain"]:
            cuts += [at + space.start() for space in _SPACE.finditer(closed["plain"])]
        at = closed.end()
    if at < len(line) <= MAX_HELD:
        return cuts[-1]
    cuts += [at + space.start() for space in _SPACE.finditer(line[at:])]
    seen = [space.start() for space in _SPACE.finditer(line)]
    return max(cut for cut in cuts if cut <= ([0, 0, 0, *seen])[-3])


def runs(line: str, out: Console, base: Style = PLAIN) -> list[Run]:
    """The pieces of a line, or of some whole words of it; the line as it is, should any letter of it get lost."""
    found = list(_runs(parser().parseInline(line)[0].children or [], base, out))
    return found if all_there(line, "".join(run.text for run in found)) else [Run(line, base)]


def all_there(source: str, shown: str) -> bool:
    """Whether every letter and digit of the source is shown, in its order: no mark hides what was said."""
    rest = iter(shown)
    return all(char in rest for char in source if char.isalnum())


def text_of(tokens: Sequence[Token], out: Console) -> Text:
    """The pieces of a table's cell as one text."""
    return Text.assemble(*((run.text, run.style) for run in _runs(tokens, PLAIN, out)))


def _runs(tokens: Sequence[Token], style: Style, out: Console) -> Iterator[Run]:
    at = 0
    while at < len(tokens):
        token, end = tokens[at], at + 1
        if token.type == "code_inline":
            ticks = "" if out.color_system and not out.no_color else token.markup
            yield Run(f"{ticks}{token.content}{ticks}", style + CODE, whole=True)
        elif token.nesting == 1:
            end = _end(tokens, at)
            inner = tokens[at + 1 : end - 1]
            if token.type == "link_open":
                yield from _link(token, list(_runs(inner, style, out)), style)
            else:
                yield from _emphasis(tokens, at, end, style, out)
        else:
            while end < len(tokens) and tokens[end].type == "text":
                end += 1
            text = "".join(one.content for one in tokens[at:end])
            yield from (Run(part, style + (own or PLAIN), whole=bool(own)) for part, own in with_links(text))
        at = end


def _end(tokens: Sequence[Token], at: int) -> int:
    """Behind the token that closes the one at ``at``."""
    depth = 0
    for number in range(at, len(tokens)):
        depth += tokens[number].nesting
        if depth == 0:
            return number + 1
    return len(tokens)


def _emphasis(tokens: Sequence[Token], at: int, end: int, style: Style, out: Console) -> Iterator[Run]:
    mark = tokens[at].markup
    before = tokens[at - 1].content if at and tokens[at - 1].type == "text" else ""
    after = tokens[end].content if end < len(tokens) and tokens[end].type == "text" else ""
    real = mark[0] == "*" and _BEFORE.search(before) and _AFTER.match(after)
    own = style + _STYLES[tokens[at].type] if real else style
    kept = [] if real and out.color_system else [Run(mark, own)]
    yield from [*kept, *_runs(tokens[at + 1 : end - 1], own, out), *kept]


def _link(token: Token, said: Sequence[Run], style: Style) -> Iterator[Run]:
    """The words of a link and its address; once, where the words are the address."""
    target, title = str(token.attrs["href"]), token.attrs.get("title")
    address = Run(target, style + url_style(target), whole=True)
    if "".join(run.text for run in said) == target:
        yield address
        return
    yield from [*said, Run(" (", style), address, Run(f' "{title}")' if title else ")", style)]
