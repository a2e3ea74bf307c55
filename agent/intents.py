"""What a person asks for, where the words leave no doubt. Used to look before the model speaks, and by the playbook."""

from __future__ import annotations

import re
from typing import Literal

from agent.related import related

Intent = Literal[
    "status",
    "health",
    "explain",
    "batch",
    "context",
    "tail",
    "logs",
    "resume",
    "restart",
    "pause",
    "unpause",
    "finish",
    "end",
    "close",
    "create",
    "note",
    "upload",
    "cancel",
    "sync",
    "clean",
    "archive",
    "remove",
    "empty",
    "launch",
    "related",
    "help",
    "no",
    "other",
]

NO = r"(?:no(?! idea)|nope|nah|nein|not now|never ?mind|leave (?:it|that|them)|don['’]?t|do not|skip|later)\b"
"""What a refusal begins with."""
YES = re.compile(r"(?:yes|y|yep|yeah|sure|ok|okay|please|please do|do it|do that|go on|go ahead|yes,? please)")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{1,127}(?<![./])")
# A number of one digit is a job's only where it is called one, or is all that is to be cancelled.
_JOB = re.compile(
    r"(?<![\w.])(\d{1,18}_\d{1,9}|\d{2,18}|(?:(?<=\bjob )|(?<=cancel )|(?<=kill ))\d(?!\s+[a-z]))(?![\w.])", re.I
)
_RUN = re.compile(r"(?<![\w./-])(?=[a-z]{0,7}[0-9])(?=[0-9]{0,7}[a-z])[a-z0-9]{8}(?![\w/-]|\.\w)")
_ADDRESS = re.compile(
    r"https?://[^\s/]{1,253}/[^\s/]{1,128}/[^\s/]{1,128}/(?:sweeps|runs)/(\w{1,128})(?:[/?#][^\s)]{0,500})?"
)
# The first that matches counts: what changes something comes before what only looks.
_FILES = r"\A(?!\s*(?:how|why|what|which|where|who|did|list|show|can|may)\b)[^\n]{0,200}\b"
_PATTERNS: tuple[tuple[Intent, re.Pattern[str]], ...] = (
    (
        "no",
        re.compile(
            rf"\A\s*{NO}(?:[\s,.!]{{1,3}}(?:no|thanks?|thank you|please|it|that|alone|for now|now|yet|leave|do"
            r"|as it is)\b){0,5}\W*\Z|\A\s*(?:please )?(?:don['’]?t|do not|never) (?:s?cancel|kill|abort|stop|resume"
            r"|restart|launch|start|delete|remove|pause)\b",
            re.I,
        ),
    ),
    ("empty", re.compile(_FILES + r"empty\b[^\n]{0,40}\btrash\b", re.I)),
    ("archive", re.compile(_FILES + r"archive\b[^\n]{0,60}\blogs?\b", re.I)),
    (
        "remove",
        re.compile(_FILES + r"(?:clean(?: ?up)?|remove|delete|trash|throw away)\b[^\n]{0,80}\bcheckpoints?\b", re.I),
    ),
    ("note", re.compile(_FILES + r"(?:notes?|description)\b[^\n]{0,60}\b(?:of|on|for|to)\b[^\n]{0,80}:", re.I)),
    ("close", re.compile(_FILES + r"(?:close|clear|kill|end)\b[^\n]{0,40}\bzombies?\b", re.I)),
    ("pause", re.compile(_FILES + r"pause\b", re.I)),
    ("unpause", re.compile(_FILES + r"(?:unpause\b|resume (?:the )?sweep\b)", re.I)),
    ("finish", re.compile(_FILES + r"stop (?:the )?sweep\b", re.I)),
    ("end", re.compile(_FILES + r"(?:cancel|end|kill) (?:the )?(?:whole )?sweep\b", re.I)),
    (
        "create",
        re.compile(
            _FILES + r"(?:create|make|set up|start|launch) (?:an?(?:other)? )?(?:new )?sweep\b(?! \w{0,12}\d)", re.I
        ),
    ),
    ("upload", re.compile(r"\A\s*(?:please )?(?:sync|upload)\b(?! status)", re.I)),
    ("restart", re.compile(r"\b(?:restart|start over|from scratch|re-?run)\b", re.I)),
    ("cancel", re.compile(r"\b(?:s?cancel|kill|abort|stop)\b", re.I)),
    (
        "health",  # "why is it diverging"; but "why did the diverged run crash" and "resume what diverged" are not
        re.compile(
            r"\A(?![^\n]{0,2000}\b(?:died?|crash\w*|fail\w*|resume|continue|requeue|launch|start|submit|sync|delete)\b)"
            r"[^\n]{0,2000}\b(?:(?:diverg|overfit|plateau|converg|explod)\w{0,6}|learning(?! rate)|learns?"
            r"|training health|gradient norms?|val(?:idation)? loss|how(?:'s| is| are| does)(?: the)? training"
            r"|loss(?:es)? (?:going|doing|fall|ris|trend|curve|look)\w{0,4}"
            r"|(?:what|how)(?:'s| is| are) the loss(?:es)?)\b",
            re.I,
        ),
    ),
    (
        "tail",
        re.compile(
            r"\A(?![^\n]{0,2000}\bwhy\b)[^\n]{0,2000}"
            r"\b(?:tail|(?:end|bottom|last (?:\d{1,3} )?lines?) of (?:the|its|that) (?:\w{1,12} )?logs?)\b",
            re.I,
        ),
    ),
    ("logs", re.compile(r"\b(?:where|find|which|list|show|path)\b.{0,60}\blogs?(?: files?)?\b", re.I)),
    ("batch", re.compile(r"\b(?:batch(?:es| ?sizes?)?|accumulation|how much memory|memory use\w*)\b", re.I)),
    (
        "context",
        re.compile(
            r"\b(?:purpose|hypothes[ie]s|context|key parameters|search space|expected run ?time"
            r"|what(?:'s| is| are| was| were) .{0,60}\b(?:about|(?<!waiting )for|testing|varying)(?=[\s?.!]{0,9}$)"
            r"|notes? (?:of|on|about)|wrong with .{0,40}config)\b",
            re.I,
        ),
    ),
    (
        "explain",
        re.compile(r"\b(?:why|explain|what happened|diagnos\w*|crash\w*|died?|investigate|look into)\b", re.I),
    ),
    ("resume", re.compile(r"\b(?:resume|continue|pick up|requeue)\b", re.I)),
    ("sync", re.compile(r"\b(?:(?:un)?sync(?:ed|ing)?|upload(?:ed)?|offline runs?)\b", re.I)),
    ("clean", re.compile(r"\b(?:clean|disk|archive|delete|remove|space|storage|quota)\b", re.I)),
    ("launch", re.compile(r"\b(?:launch|new sweep|start|submit|more agents|create)\b", re.I)),
    ("help", re.compile(r"^\s*(?:help|\?|what can you do\b.*)\s*\??$", re.I)),
    (
        "status",
        re.compile(
            r"\b(?:status|check|update|sweeps?|progress|running|waiting|pending|queued?|overview"
            r"|zombies?|stale|heartbeats?|how (?:are|is|far)"
            r"|what'?s (?:up|going on))\b",
            re.I,
        ),
    ),
)
_ONLY_STATUS = re.compile(
    r"\s*(?:(?:hi|hello|hey|(?:good )?(?:morning|afternoon|evening))\b[\w ]{0,20}[,.!]{0,3}\s{0,3})?"
    r"(?:(?:please|can you|could you)\s+)*"
    r"(?:check|status|update|report|show|how|what'?s?|overview|progress|give me)\b.{0,80}",
    re.I | re.S,
)


def intent_of(text: str) -> Intent:
    """The intent of a request, ``other`` where none is plain. How one job stands is asked of that job alone."""
    if related(text) and not job_in(text):
        return "related"
    found: Intent = next((intent for intent, pattern in _PATTERNS if pattern.search(text)), "other")
    if found == "tail" and not job_in(text):
        return "logs"
    return "explain" if found in {"status", "other"} and job_in(text) else found


def wants_status(text: str) -> bool:
    """Whether the request is plainly for the state of things, so that looking first can't be wrong."""
    return intent_of(text) == "status" and bool(_ONLY_STATUS.fullmatch(text))


def wants_document(text: str) -> bool:
    """Whether the request is for one of the documents that a status keeps."""
    return (
        re.search(r"\b(?:active_sweeps|claude)(?:\.md)?\b|\b(?:update|write|refresh) (?:the )?doc", text, re.I)
        is not None
    )


def asks_what_waits(text: str) -> bool:
    """Whether the request is for the waiting jobs, all of them."""
    return intent_of(text) == "status" and re.search(r"\b(?:waiting|pending|queued?)\b", text, re.I) is not None


def own_words(text: str) -> str:
    """What the person wrote themselves: not what stands in a fenced block, nor quoted lines, which are another's."""
    outside = " ".join(text.split("```")[::2])
    return "\n".join(line for line in outside.splitlines() if not line.lstrip().startswith(">"))


def named(text: str) -> str:
    """The text with the addresses of W&B's sweeps and runs as the ids that they lead to."""
    return _ADDRESS.sub(r"\1", text)


def run_in(text: str) -> str | None:
    """The first word in the text that looks like an id W&B makes for a run."""
    match = _RUN.search(text)
    return match[0] if match else None


def typed_words(text: str) -> set[str]:
    """Ids and paths in what a person typed; what they quote is another's, an address is what it leads to."""
    own = named(own_words(text))
    return {*_ID.findall(own), *(word.strip(".,;:!?'\"()") for word in own.split())}


def jobs_in(text: str) -> list[str]:
    """Every job or array task id in the text, each once."""
    return list(dict.fromkeys(_JOB.findall(text)))


def job_in(text: str) -> str | None:
    """The first of them."""
    return next(iter(jobs_in(text)), None)
