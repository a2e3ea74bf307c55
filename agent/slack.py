"""Slack's way of writing, read: a message as its author saw it on the screen.

Mentions (``<@U024BE7LH>``), channels (``<#C1|general>``), links (``<url|label>``), the three escapes and emoji codes;
see https://docs.slack.dev/messaging/formatting-message-text. Quoted lines and fenced blocks stay as they are written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent.intents import named

_ANGLE = re.compile(r"<([^<>\n|]{1,3000})(?:\|([^<>\n]{0,1000}))?>")
_EMOJI = re.compile(r":([a-z0-9_+'-]{1,80}):(?::skin-tone-[2-6]:)?", re.I)
_FENCE = re.compile(r"(```.*?```)", re.S)
_NODS = frozenset(("+1", "thumbsup", "white_check_mark", "heavy_check_mark", "ok_hand", "ok"))
"""Alone in a message, one of these means yes."""


def plain(text: str, users: Mapping[str, str], agent: str) -> str:
    """The text of a message. ``users``: id -> name; mentions of ``agent``, whom it is said to, are left out."""
    if (nod := _EMOJI.fullmatch(_without(agent, text))) and nod[1].lower() in _NODS:
        return "yes"
    shown = _ANGLE.sub(lambda match: _shown(match[1], match[2], users), _without(agent, text))
    shown = "".join(piece if piece.startswith("```") else _with_emoji(piece) for piece in _FENCE.split(shown))
    for escape, letter in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):  # the last one last: "&amp;lt;" is "&lt;"
        shown = shown.replace(escape, letter)
    return shown.strip()


def mentions(text: str, user: str) -> bool:
    """Whether the message calls ``user`` by name."""
    return re.search(rf"<@{re.escape(user)}(?:\|[^<>\n]*)?>", text) is not None


def _without(agent: str, text: str) -> str:
    return re.sub(rf"\s?<@{re.escape(agent)}(?:\|[^<>\n]*)?>[,:]?", "", text).strip() if agent else text.strip()


def _shown(what: str, label: str | None, users: Mapping[str, str]) -> str:
    if what.startswith("@"):
        return f"@{label or users.get(what[1:], what[1:])}"
    if what.startswith("#"):
        return f"#{label or what[1:]}"
    if what.startswith("!"):  # <!here>, <!subteam^S1|@ml>, <!date^1392734382^{date}|Feb 18>
        return label or f"@{what[1:].partition('^')[0]}"
    if not label or what.removeprefix("mailto:").removeprefix("https://").removeprefix("http://") == label:
        # what Slack itself made a link of, such as "train.py", is what was written
        return label or what
    return f"{label} ({what})" if named(what) != label else what


def _with_emoji(text: str) -> str:
    from rich.emoji import Emoji, NoEmoji

    def picture(match: re.Match[str]) -> str:
        try:
            return str(Emoji(match[1].lower()))
        except NoEmoji:  # a workspace has emoji of its own
            return match[0]

    return _EMOJI.sub(picture, text)
