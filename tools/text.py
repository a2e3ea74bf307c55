"""Text from outside is data: control characters made visible, secrets removed, length bounded.

Applied where text leaves the program: to a model, a screen or a file.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

# C0 and C1 controls, zero-width and bidi characters, line separators, BOM and tags.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)
_ANSI = re.compile(r"\x1b(?:\[[0-9;:?<=>!]{0,40}[ -/]{0,4}[@-~]|\][^\x07\x1b]{0,256}(?:\x07|\x1b\\)|[@-Z\\^_])")

# Formats of keys that reach logs: W&B, Anthropic, OpenAI, Hugging Face, AWS, GitHub, Slack.
_KEY_FORMATS = re.compile(
    r"wandb_v1_[A-Za-z0-9_]{40,120}"
    r"|local-[0-9a-f]{40}(?![0-9a-f])"
    r"|(?<=WANDB_API_KEY[=: ])\s?['\"]?[0-9a-zA-Z_-]{20,128}"
    r"|(?<![0-9A-Za-z/])[0-9a-f]{40}(?![0-9A-Za-z/])"  # W&B's older keys; in a path it is a commit
    r"|sk-ant-[A-Za-z0-9_-]{20,200}"
    r"|sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,200}"
    r"|hf_[A-Za-z0-9]{30,60}"
    r"|(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])"
    r"|(?i:aws_secret_access_key)['\"]?\s?[=:]\s?['\"]?[A-Za-z0-9/+]{40}"
    r"|gh[pousr]_[A-Za-z0-9]{36,255}"
    r"|github_pat_[A-Za-z0-9_]{60,255}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,250}"
    r"|xapp-[A-Za-z0-9-]{10,250}"
)
SHORTEST = 15
"""Characters of the shortest of these keys."""
MOST_WORDS = 3
"""Words that the longest of these formats reads: ``aws_secret_access_key = …``."""
# What each of these formats holds, or "secret", or 40 hexadecimal digits; one set of first letters is found fastest.
_HELD_BY_KEYS = re.compile("[wWshAgx](?:andb_v1_|ANDB_API_KEY|k-|f_|KIA|SIA|h[pousr]_|ithub_pat_|ox[abeoprs]-|app-)")
# Every digit of a key in hexadecimal as one letter: forty of them are found far faster than any forty digits.
_DIGITS = bytes(120 if chr(code) in "0123456789abcdef" else 32 for code in range(256))
_HEX = b"x" * 40
_SECRET_NAME = re.compile(r"(?i)(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)S?$")
GONE = "[secret removed]"
MAX_DEPTH = 40
"""Nesting of a config or metric that is still shown."""


def _may_hold_key(text: str) -> bool:
    """A cheap test before the patterns, for plain ASCII."""
    if _HELD_BY_KEYS.search(text) or "secret" in text.lower():
        return True
    return _HEX in text.encode("ascii").translate(_DIGITS)


def _is_plain(text: str) -> bool:
    """Whether a glance tells that it holds neither a key nor anything hidden; False: it has to be looked through."""
    if text.isascii() and text.isprintable():
        return len(text) < SHORTEST or not _may_hold_key(text)
    # a key is ASCII, but for the long s that counts as one of "secret" where case does not matter
    return (
        not _HIDDEN.search(text)
        and "\u017f" not in text
        and not _may_hold_key(text.encode("ascii", "replace").decode("ascii"))
    )


def strip_ansi(line: str) -> str:
    """The line without terminal colour and cursor codes."""
    return _ANSI.sub("", line) if "\x1b" in line else line


def words_of(line: str) -> list[str]:
    """The words of a command line as a shell splits them; at every space where its quotes don't fit."""
    if line.isascii() and line.isprintable() and not any(sign in line for sign in "'\"\\"):
        return line.split()  # the same, a hundred times faster
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def visible(text: str) -> str:
    """Every control, escape, bidi and zero-width character as ``\\xNN`` or ``\\uNNNN``; tab and newline stay."""

    def show(match: re.Match[str]) -> str:
        code = ord(match[0])
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"

    return _HIDDEN.sub(show, text)


def one_line(text: str, limit: int) -> str:
    """One visible line of at most ``limit`` characters; what is cut ends in an ellipsis."""
    flat = visible(" ".join(strip_ansi(text).split()))
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def some(names: Sequence[str], limit: int = 10) -> str:
    """The first names of many, and how many more there are; ``none`` where there are none."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return (", ".join(names[:limit]) or "none") + more


def counted(number: int, noun: str) -> str:
    """``1 run``, ``2,000 runs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: int | None) -> str:
    """``1-02:03:04``, ``6:12:44``, or ``?``."""
    if seconds is None:
        return "?"
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days}-{clock.zfill(8)}" if days else clock


def roughly(seconds: int | None) -> str:
    """``37 h``, ``12 min``, ``80 d``, or ``?``: time ahead is an estimate, cut to whole units."""
    if seconds is None:
        return "?"
    if seconds < 60:
        return "<1 min"
    if seconds >= 1000 * 3600:
        return f"{seconds // 86_400} d"
    return f"{seconds // 3600} h" if seconds >= 7200 else f"{seconds // 60} min"


def when(at: float | None, now: float) -> str | None:
    """A moment (epoch seconds) with its age: ``2026-11-26T06:34:12+00:00, 11 h ago``; one to come with ``in 3 h``."""
    if at is None:
        return None
    away = roughly(int(abs(now - at)))
    try:
        moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return f"no time that a clock can show ({at:g})"
    return f"{moment}, {f'in {away}' if at > now else f'{away} ago'}"


class Redactor:
    """Removes secrets: exact values it was told of, then the known formats of keys."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        values = sorted({value for value in secrets if len(value) >= 8}, key=len, reverse=True)
        self._secrets = values
        self._exact = re.compile("|".join(map(re.escape, values))) if values else None
        self.most_words = max([MOST_WORDS, *(len(value.split()) for value in values)])
        """Words of a secret at most: a text that still grows is cleaned that many words behind its end."""

    @classmethod
    def from_environment(cls, *sources: Mapping[str, str]) -> Redactor:
        """Secrets are the values of variables named like …KEY, …TOKEN, …SECRET, …PASSWORD."""
        return cls(value for source in sources for name, value in source.items() if _SECRET_NAME.search(name))

    def clean(self, text: str) -> str:
        """The text without secrets and with control characters made visible. Idempotent."""
        if self._exact:
            text = self._exact.sub(GONE, text)
        if _is_plain(text):
            return text
        return visible(_KEY_FORMATS.sub(GONE, strip_ansi(text)))

    def plain(self, text: str) -> bool:
        """Whether a glance tells that ``clean`` would leave it, and every part of it between two spaces, as it is."""
        for secret in self._secrets:
            if secret in text:
                return False
        return _is_plain(text)

    def clean_all(self, value: Any, depth: int = 0) -> Any:
        """The same for every string in nested lists, tuples and dicts, keys included; what is nested too deep goes."""
        if isinstance(value, str):
            return self.clean(value)
        if depth > MAX_DEPTH:
            return "[nested too deep]"
        if isinstance(value, Mapping):
            return {self.clean(str(key)): self.clean_all(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean_all(item, depth + 1) for item in value]
        return value
