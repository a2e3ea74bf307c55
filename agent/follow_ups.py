"""What a short reply means: "yes" to the question that was asked, "and 48213_4?" after one about another job."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agent.intents import NO, YES, intent_of, job_in, named
from agent.outside import is_persons
from tools.questions import ALL_RESUMABLE

STATUS = "check on sweeps"
AGAIN = "Shall I check on the sweeps again?"
ASK_ONCE_MORE = "Shall I ask you for those words again?"
"""After a yes that was not in the words a request asks for."""
_NO = re.compile(rf"\s*{NO}", re.I)
_WORD = re.compile(r"\w[\w.-]{0,127}(?<![.-])")
_IT = re.compile(r"\b(?:it|its|it's|that job|that run)\b", re.I)
_NEXT = re.compile(
    r"\s*(?:(?:and|what about|how about|also|same for)\s.{1,60}|[0-9]{1,18}(?:_[0-9]{1,9})?\W{0,3})", re.I
)
# A question that the program asks -> the request it offers to carry out. The first that matches counts.
_OFFERS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"Job (\S{1,128}) .{0,200}shall I cancel it"), "cancel {}"),
    (re.compile(r"crash of job (\S{1,128})"), "why did {} die?"),
    (re.compile(r"Job (\S{1,128}) ended far too early"), "why did {} die?"),
    (re.compile(r"Job (\S{1,128}) does not learn well"), "how is the training of {} ?"),
    (re.compile(r"other resumable runs?\b"), "resume everything"),
    (re.compile(r"resumable runs of (\S{1,128}?) instead"), "resume {}"),
    (re.compile(r"[Rr]un (\S{1,128}?)(?: was at| from its checkpoint| instead|\?)"), "resume {}"),
    (re.compile(r"end of the log of (\S{1,128}?)\?"), "show the end of the log of {}"),
    (re.compile(r"one by one"), "explain the dead runs"),
    (re.compile(r"sync the offline runs now"), "sync the offline runs"),
    (re.compile(r"(?:look|check)\b.{0,40}\b(?:again|sweeps)\b"), STATUS),
)


def offered(question: str) -> str | None:
    """The request that "yes" to this question stands for; None if the program can't carry it out."""
    for pattern, request in _OFFERS:
        if match := pattern.search(question):
            return request.format(*match.groups())
    return None


def answerable(question: str) -> str:
    """The question, or, where "yes" to it could not be carried out, its first part with one that can."""
    if offered(question):
        return question
    head, colon, _ = question.partition(": ")
    return f"{head}. {AGAIN}" if colon else AGAIN


def turned_down(messages: Sequence[Mapping[str, Any]]) -> set[str]:
    """What the question before was about, where the person's newest words begin with a no: every word of it."""
    *before, newest = messages
    own = [block["text"] for block in newest["content"] if block["type"] == "text" and is_persons(block["text"])]
    if not own or not _NO.match(own[-1]):
        return set()
    said = [block["text"] for one in before[-1:] for block in one["content"] if block["type"] == "text"]
    question = (said[-1].strip().splitlines() or [""])[-1] if said and before[-1]["role"] == "assistant" else ""
    return {*_WORD.findall(question), *([ALL_RESUMABLE] if ALL_RESUMABLE in question else [])}


def request_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """The person's last request, with what came before put in where it is a short reply."""
    meant, answer = "", ""
    for message in messages:
        content = message["content"]
        texts = [content] if isinstance(content, str) else [one["text"] for one in content if one["type"] == "text"]
        if message["role"] == "assistant":
            answer += "".join(texts)
        elif own := [text for text in texts if is_persons(text)]:
            meant, answer = meant_by(named(own[-1]), meant, answer), ""
    return meant


def meant_by(text: str, before: str, answer: str) -> str:
    """What ``text`` asks for, given the request before it and the answer that request got."""
    if YES.fullmatch(text.strip(" \t\n.!,?").lower()):
        lines = answer.strip().splitlines()
        if lines and lines[-1].endswith(ASK_ONCE_MORE):
            return before or text
        return (offered(lines[-1]) if lines else None) or text
    job, earlier = job_in(text), job_in(before)
    if earlier and not job and _IT.search(text) and intent_of(text) not in {"status", "help"}:
        return f"{text} ({earlier})"
    if before and job and _NEXT.fullmatch(text) and intent_of(text) == "explain":
        return before.replace(earlier, job) if earlier else f"{before} {job}"
    return text
