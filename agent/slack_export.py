"""A channel of a Slack export, or one file of its messages, as a transcript: what people said to the agent.

An export, unzipped, holds ``users.json`` and a folder for each channel with one file a day
(https://slack.com/help/articles/220556107); a single file holds a list of messages, or what the API's
``conversations.history`` answers. A message is said to the agent where it mentions it, is in a thread in which that
was done before or the agent spoke, or is in a direct message. The rest is left out and counted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent import slack
from agent.config_file import Settings
from agent.transcript import TranscriptError, parse
from tools.text import Redactor

MAX_BYTES = 20 << 20
"""Of one file: a busy channel's day is a few hundred kilobytes."""
_TALK = frozenset((None, "thread_broadcast", "file_share", "bot_message"))
"""Subtypes of messages that somebody wrote; the others tell of joins, topics, edits and the like."""


def transcript_of(path: Path, *, agent: str | None = None, channel: str | None = None) -> str:
    """The YAML of a transcript. ``agent``: its name or user id, ``channel``: a name; left out: the only one there is.

    Raises TranscriptError.
    """
    import yaml

    try:
        days, people = _files(path, channel)
        messages = sorted((one for day in days for one in _messages(day)), key=lambda one: float(one["ts"]))
    except OSError as error:
        raise TranscriptError(f"{error.filename or path}: {error.strerror}") from None
    users = {str(one["id"]): one for one in people if isinstance(one, dict) and "id" in one}
    me = _agent(agent, users, messages)
    name = days[0].parent.name if path.is_dir() else path.stem
    heard = _said_to(me, messages, direct=name.startswith("D") and name.isupper())
    if not heard:
        raise TranscriptError(f"{path}: nobody says anything to {_name(users.get(me, {}), me)} in it")
    written = sum(str(one.get("user", "")) not in ("", me) for one in messages)
    names = {user: _name(one, user) for user, one in users.items() if any(user in str(text) for text in heard)}
    content = {
        "about": f"Imported from Slack: {len(heard)} messages to the agent; {written - len(heard)} others left out.",
        "provenance": "written in Slack; how the cluster was then is unknown, so the embedded demo stands in for it",
        "channel": name,
        "users": names,
        "agent": me,
        "messages": heard,
    }
    clean = Redactor().clean_all(content)
    parse(Settings(path, clean))
    text: str = yaml.safe_dump(clean, sort_keys=False, allow_unicode=True, width=118)
    return text


def _files(where: Path, channel: str | None) -> tuple[Sequence[Path], Sequence[Any]]:
    """The files with the channel's messages, and the people that the export knows."""
    if not where.is_dir():
        people = where.parent / "users.json"
        return (where,), _read(people) if people.is_file() else ()
    if any(entry.suffix == ".json" and entry.name[:4].isdigit() for entry in where.iterdir()):  # a channel's own folder
        people = where.parent / "users.json"
        return _days(where), _read(people) if people.is_file() else ()
    channels = sorted(entry.name for entry in where.iterdir() if entry.is_dir())
    wanted = (channel or "").removeprefix("#") or (channels[0] if len(channels) == 1 else "")
    if wanted not in channels:
        raise TranscriptError(f"{where}: name a channel with --channel; there are: {', '.join(channels) or 'none'}")
    people = where / "users.json"
    return _days(where / wanted), _read(people) if people.is_file() else ()


def _days(folder: Path) -> Sequence[Path]:
    days = sorted(folder.glob("*.json"))
    if not days:
        raise TranscriptError(f"{folder}: no messages are in it")
    return days


def _read(file: Path) -> Any:
    with file.open("rb") as opened:
        data = opened.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise TranscriptError(f"{file}: larger than {MAX_BYTES >> 20} MB")
    if data.startswith(b"PK"):
        raise TranscriptError(f"{file}: unzip the export first")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise TranscriptError(f"{file}: no JSON: {error}") from None


def _messages(file: Path) -> Iterable[dict[str, Any]]:
    found = _read(file)
    found = found.get("messages") if isinstance(found, dict) else found
    if not isinstance(found, list):
        raise TranscriptError(f"{file}: neither a list of messages nor an object that has one")
    for number, one in enumerate(found, 1):
        if not isinstance(one, dict) or one.get("type", "message") != "message" or one.get("subtype") not in _TALK:
            continue
        try:
            float(one["ts"])
        except (KeyError, TypeError, ValueError):
            raise TranscriptError(f"{file}: message {number} has no time (ts)") from None
        yield one


def _agent(given: str | None, users: Mapping[str, Mapping[str, Any]], messages: Sequence[Mapping[str, Any]]) -> str:
    """The agent's user id: the one that is named, or the only bot that anybody speaks to."""
    if given:
        found = [user for user, one in users.items() if given.lstrip("@") in (user, one.get("name"), _name(one, user))]
        if found or not users:
            return found[0] if found else given
        raise TranscriptError(f"--agent {given}: no such user in users.json")
    bots = [user for user, one in users.items() if one.get("is_bot")]
    called = Counter(bot for bot in bots for one in messages if slack.mentions(str(one.get("text", "")), bot))
    if len(called) != 1:
        told = ", ".join(_name(users[bot], bot) for bot in bots) or "none that users.json tells of"
        raise TranscriptError(f"which user is the agent? Name it with --agent; bots: {told}")
    return next(iter(called))


def _name(user: Mapping[str, Any], otherwise: str) -> str:
    profile = user.get("profile") or {}
    return str(profile.get("display_name") or user.get("name") or otherwise)


def _said_to(me: str, messages: Sequence[Mapping[str, Any]], *, direct: bool) -> list[dict[str, str]]:
    heard, threads = [], set()
    for one in messages:
        user, text = str(one.get("user") or ""), str(one.get("text") or "")
        root = str(one.get("thread_ts") or one["ts"])
        if user == me or slack.mentions(text, me):
            threads.add(root)
        if user in ("", me) or one.get("bot_id") or not (direct or root in threads):
            continue
        pasted = [str(file["preview"]) for file in one.get("files") or () if file.get("preview")]
        text = "\n".join([text, *(f"```\n{preview}\n```" for preview in pasted)]).strip()
        if text:
            thread = {"thread": root} if root != str(one["ts"]) else {}
            heard.append({"user": user, "ts": str(one["ts"]), **thread, "text": text})
    return heard
