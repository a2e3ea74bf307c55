"""The contract of an answer: it ends with a question, and contradicts nothing that was seen.

The tables, links, causes and commands of a status are printed by code and are true by construction; what the
model adds is checked here. A contradiction goes back to the model once; a missing question is supplied by code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from agent.ledger import Ledger

_JOB = re.compile(r"(?<![\w./-])(\d{1,18}_\d{1,9})(?![\w./-])")
_IN_NAMES = re.compile(r"(?<![0-9])(\d{1,18}_\d{1,9})(?![0-9])")
_CLAIM = re.compile(
    r"\bI(?:'ve| have)?(?: just| now| already)? (cancell?ed|killed|submitted|resumed|restarted|relaunched|launched"
    r"|synced|deleted|removed|archived|paused|stopped|closed|created)\b(?! (?:nothing|none|neither|no)\b)",
    re.I,
)
# What is claimed -> the acts that make it true.
_CLAIMS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("canceled", "killed"), frozenset({"cancel", "end", "set", "stop", "restart", "close"})),
    **dict.fromkeys(("paused", "stopped"), frozenset({"set", "stop", "cancel", "end"})),
    "closed": frozenset({"close"}),
    "created": frozenset({"create", "restart"}),
    "submitted": frozenset({"resume", "launch", "restart"}),
    "resumed": frozenset({"resume"}),
    "restarted": frozenset({"restart"}),
    **dict.fromkeys(("launched", "relaunched"), frozenset({"launch"})),
    "synced": frozenset({"sync"}),
    "deleted": frozenset({"empty"}),
    "removed": frozenset({"remove", "empty"}),
    "archived": frozenset({"archive"}),
}
# A share of progress, as people put it: "at 47 %", "(47 %)", "job: 47 %", "47 % done"; not "cut the batch to 75 %".
_PERCENT = re.compile(
    r"(?:\b(?:at|is|was|were|stands?|stood|reached|about|roughly)\s{1,3}|[(:·|–—]\s{0,2})(\d{1,3}(?:\.\d{1,3})?)\s?%"
    r"|(\d{1,3}(?:\.\d{1,3})?)\s?%\s{1,2}(?:done|complete|trained|finished|of (?:its|the) (?:target|epochs))",
    re.I,
)
_EPOCH = re.compile(r"\bepochs?\s?(?:=|:|is|at)?\s?(\d[\d,]{0,14}(?:\.\d{1,6})?)", re.I)
# "step 1" of a plan is no training step
_STEP = re.compile(r"\bsteps?\s?(?:=|:|is|at)?\s?(\d[\d,]{2,14})", re.I)
_BRACKETS = re.compile(r"\([^()\n]{0,400}\)")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n")


def ends_with_question(text: str) -> bool:
    """Whether the last line asks something (trailing marks of emphasis and quotes don't matter)."""
    return text.rstrip(" \n\t*_`\"')").endswith("?")


def contradictions(
    text: str, ledger: Ledger, acted: Iterable[str] = (), asked: str = "", *, old: bool = False
) -> list[str]:
    """What the text says against the record, each as one line that tells what is so; jobs may be named as ``asked``.

    ``old``: the conversation has an earlier session's part; what that saw counts for nothing.
    """
    subjects = ledger.subjects()
    unknown = [
        job for job in _unknown_jobs(text, subjects, old) if not _mentions(asked, job) and job not in ledger.named
    ]
    told = "was not read in this session: what is said of it is as old as the session before"
    found = [f"job {job} {told if old else 'is named, but no source has shown it'}" for job in unknown]
    done = set(acted)
    found += [
        f"it says “{claim[0]}”, but no result in this conversation says so"
        for claim in _CLAIM.finditer(text)
        if not done & _CLAIMS[claim[1].lower().replace("cancelled", "canceled")]
    ]
    # what stands in brackets belongs to the words before them
    together = _BRACKETS.sub(lambda match: match[0].replace(";", ","), text)
    for sentence in _SENTENCE.split(together):
        named = [subject for subject in subjects if _mentions(sentence, subject)]
        if named:
            found += _wrong_numbers(sentence, named, ledger)
    return list(dict.fromkeys(found))


def _unknown_jobs(text: str, subjects: set[str], old: bool) -> list[str]:
    if not (subjects or old):
        return []  # nothing was looked at: nothing can be held against it
    return [job for job in dict.fromkeys(_JOB.findall(text)) if job not in subjects]


def jobs_named(text: str) -> list[str]:
    """The array tasks that stand in a text, also within the name of a file."""
    return list(dict.fromkeys(_IN_NAMES.findall(text)))


def _mentions(sentence: str, subject: str) -> bool:
    where = sentence.find(subject)
    while where >= 0:
        before = sentence[where - 1 : where] if where else ""
        after = sentence[where + len(subject) : where + len(subject) + 1]
        if not (before.isalnum() or before == "_") and not (after.isalnum() or after == "_"):
            return True
        where = sentence.find(subject, where + 1)
    return False


def _wrong_numbers(sentence: str, named: list[str], ledger: Ledger) -> list[str]:
    """Numbers in a sentence that names jobs or runs must be ones that were seen of one of them."""
    found = []
    checks = (
        ("percent", _PERCENT, ("percent",), 1.0),
        ("epoch", _EPOCH, ("epoch", "target_epochs"), 0.5),
        ("step", _STEP, ("step", "checkpoint", "target_steps"), 0.0),
    )
    for what, pattern, kinds, slack in checks:
        seen = {float(value) for subject in named for value in ledger.values(subject, *kinds)}
        for match in pattern.finditer(sentence):
            number = next(group for group in match.groups() if group)
            said = float(number.replace(",", ""))
            if seen and not any(abs(said - value) <= slack for value in seen):
                truth = ", ".join(f"{value:g}" for value in sorted(seen)[:4])
                found.append(f"{what} {number} is said of {', '.join(sorted(named)[:3])}; seen: {truth}")
    return found
