"""Web addresses as terminal hyperlinks (OSC 8). The address itself always stands there to be read.

Rich writes them only to a terminal that takes escape codes: never into a pipe or file, nor with ``TERM=dumb``.
``NO_COLOR`` takes colours away and leaves links, as it leaves bold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.style import Style

_URL = re.compile(r"(https?://[^\s<>\"'`|]{1,2000}(?<![.,;:!?)\]}*]))")


def url_style(url: str) -> Style:
    """How the address itself is shown; one that is no web address is not made a link."""
    return Style(link=url if _URL.fullmatch(url) else None, underline=True)


def with_links(text: str) -> Iterator[tuple[str, Style | None]]:
    """The text in pieces, the web addresses in it with their style."""
    for number, piece in enumerate(_URL.split(text)):
        if piece:
            yield piece, url_style(piece) if number % 2 else None
