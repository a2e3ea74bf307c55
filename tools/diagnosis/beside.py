"""The line near an error's own that names what it is about: the field, the parameter, the assertion.

Many libraries head a message with a line that says no more than that something is wrong.
"""

from __future__ import annotations

import re

from tools.compact import compact
from tools.data import Evidence
from tools.data_log import LogText
from tools.diagnosis.labels import unlabelled
from tools.seldom import seldom

MAX_CHARS = 300


@compact
class _Told:
    hint: str
    """What the error's own line holds."""
    pattern: re.Pattern[str]
    """Of the line that tells: ``key`` is the config key that it names, ``quote`` what counts of a very long one."""
    after: int
    """Lines behind the error's own in which it stands."""
    before: int = 0
    """Lines before it, looked at first, from the nearest."""
    most: int = 1
    with_next: bool = False
    """A line that is a key alone says what is wrong with it in the next."""


_TOLD = (
    # pydantic 1 and 2: the field in a line of its own; none where the whole model is wrong
    _Told(
        "validation error",
        seldom(r"(?P<key>[\w.\[\]()-]{1,200})\s{0,8}$| {2}\S.{0,400}"),
        after=2,
        with_next=True,
    ),
    # jsonschema
    _Told("ValidationError: ", seldom(r"On instance(?P<key>(?:\[[^\]]{1,100}\]){1,20}):"), after=60),
    _Told(
        "in loading state_dict for",
        seldom(r"\s{1,8}(?:Missing key|Unexpected key|size mismatch).{0,800}"),
        after=4,
        most=2,
    ),
    # torch's distributions print the tensor that is wrong
    _Told("found invalid values", seldom(r"(?:tensor\()?\s{0,8}\[{1,8}.{0,400}\b(?:nan|inf)\b.{0,400}"), after=12),
    # faulthandler: the innermost of the frames comes first
    _Told("Fatal Python error: ", seldom(r" {2}File \".{1,400}"), after=12),
    # OmegaConf
    _Told("is not in struct", seldom(r"\s{0,8}full_key: (?P<key>\S{1,200})"), after=3),
    # Hydra's instantiate
    _Told("in call to target '", seldom(r"\w{1,60}(?:Error|Exception)\(.{0,400}"), after=2),
    # what the device prints comes before what the host raises, often a thousand times, and from every thread
    _Told(
        "device-side assert triggered",
        seldom(r".{0,2000}?(?P<quote>Assertion .{1,200} failed)"),
        after=60,
        before=400,
    ),
)
# "went wrong:" and what did, in the next line
_NEXT = _Told(":", seldom(r"(?!Traceback).{0,40}\w.{0,400}"), after=2)


def told_beside(log: LogText, order: int, source: str) -> tuple[tuple[Evidence, ...], str | None]:
    """What stands near line ``order`` and tells more, and the config key that it names (None: it names none).

    The lines of another rank between those of this one tell nothing of it.
    """
    head, rank = unlabelled(log.lines[order])
    told = next((told for told in _TOLD if told.hint in head), _NEXT if head.endswith(":") else None)
    found: list[Evidence] = []
    key: str | None = None
    if told is None:
        return (), None
    size = len(log.lines)
    before, after = range(order - 1, max(-1, order - 1 - told.before), -1), range(order + 1, order + 1 + told.after)
    for i in (*before, *(i for i in after if i < size)):
        text, own = unlabelled(log.lines[i])
        match = told.pattern.match(text) if own == rank or told.before else None
        if match is None:
            continue
        named = match.groupdict()
        quote = named["quote"] if named.get("quote") and match.end() > MAX_CHARS else text.strip()
        if named.get("key"):
            key = key or named["key"]
            if told.with_next and i + 1 < size:
                quote += f" {unlabelled(log.lines[i + 1])[0].strip()}"
        found.append(Evidence(source, log.where(i), quote[:MAX_CHARS]))
        if len(found) == told.most:
            break
    return tuple(found), key
