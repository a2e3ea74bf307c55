"""What a sweep is for and what it varies, in the words of its own YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools.compact import compact
from tools.diagnosis import space
from tools.diagnosis.space import Parameter
from tools.diagnosis.targets import Target, in_command, in_sweep_parameters
from tools.seldom import seldom
from tools.wandb_data import Note, SweepConfig

MAX_CHARS = 600
"""Of one text about a sweep."""

# Words that begin a comment and say what it is; the first group is the label, the rest the text.
_LABELS = (
    ("hypothesis", seldom(r"(?i)(?:hypothes[ie]s|expectation)\b[\s:=–—-]{0,6}(.*)")),
    (
        "expected_runtime",
        seldom(
            r"(?i)(?:(?:expected|estimated)\s{1,3}(?:run[ -]?time|time|duration)|run[ -]?time|duration)\b"
            r"(?:\s{1,3}is)?[\s:=–—-]{0,6}(.*)"
        ),
    ),
    ("purpose", seldom(r"(?i)(?:purpose|goal|aim|objective|description|question)\s{0,3}[:=–—-]\s{0,4}(.*)")),
    ("other", seldom(r"([A-Z][\w ./-]{0,40}:\s.*)")),  # "Usage: …", "Author: …"
)
# Lines for programs, and keys that were switched off: no words about the sweep.
_MACHINE = seldom(
    r"(?i)yaml-language-server|!/|-\*-|vim?:|\$schema|spdx|copyright|licen[sc]e|yamllint|prettier|noqa"
    r"|(?:program|method|entity|project|command|metric|name|run_cap|early_terminate)\s?:"
    r"|[a-z_][a-z0-9_.-]{0,60}:(?:\s{0,9}$|\s{1,9}[-+.\d\[{'\"])|- "
)
_ENDS = (".", "!", "?", ":")


@compact
class Said:
    """Words and where they stand (``file:line``)."""

    text: str
    where: str


@compact
class SweepContext:
    """None where nothing says it."""

    purpose: Said | None
    hypothesis: Said | None
    varied: tuple[Parameter, ...]
    fixed: tuple[Parameter, ...]
    expected_runtime: Said | None
    target: Target
    notes: tuple[Said, ...]
    """What else the file says: other keys, other comments."""


@dataclass(slots=True)
class _Block:
    """Comment lines that belong together."""

    label: str | None
    text: str
    line: int


_Labelled = dict[str | None, list[Said]]


def purpose_of(config: SweepConfig) -> Said | None:
    """The keys ``description`` and ``purpose``, a comment so labelled, the first comment, ``notes`` and ``comment``."""
    return _purpose(*_said_in(config))


def _purpose(keys: Mapping[str, Said], by_label: _Labelled) -> Said | None:
    told_of = [keys.get("description"), keys.get("purpose"), *by_label.get("purpose", [])]
    return next(filter(None, (*told_of, *by_label.get(None, []), keys.get("notes"), keys.get("comment"))), None)


def _said_in(config: SweepConfig) -> tuple[dict[str, Said], _Labelled]:
    """What its keys say and what its comments say, these by their labels."""
    keys = {name: Said(note.text[:MAX_CHARS], f"{config.path}:{note.line}") for name, note in config.told.items()}
    blocks = _blocks(config.comments, config.path)
    by_label: _Labelled = {}
    for block in blocks:
        if block.text:
            by_label.setdefault(block.label, []).append(
                Said(block.text[:MAX_CHARS], f"{config.path}:{block.line}"),
            )
    return keys, by_label


def context_of(config: SweepConfig) -> SweepContext:
    """The fields of the rules' template.

    Hypothesis: the key, a comment so labelled, else what other comments there are.
    """
    keys, by_label = _said_in(config)
    purpose = _purpose(keys, by_label)
    plain, other = by_label.get(None, []), by_label.get("other", [])
    rest = [said for said in plain if not purpose or _bare(said.text) != _bare(purpose.text)]
    marked = [keys.get("hypothesis"), *by_label.get("hypothesis", [])]
    hypothesis = next(filter(None, marked), None)
    if hypothesis is None and rest:
        hypothesis, rest = Said(" ".join(said.text for said in rest)[:MAX_CHARS], rest[0].where), []
    runtime = [keys.get("expected_runtime"), keys.get("runtime"), *by_label.get("expected_runtime", [])]
    found = space.parameters(config)
    return SweepContext(
        purpose=purpose,
        hypothesis=hypothesis,
        varied=tuple(one for one in found if one.kind in ("values", "range")),
        fixed=tuple(one for one in found if one.kind == "fixed"),
        expected_runtime=next(filter(None, runtime), None),
        target=target_of(config),
        notes=tuple(
            said
            for said in dict.fromkeys([*keys.values(), *rest, *other])
            if said not in (purpose, hypothesis, *runtime) and (not purpose or _bare(said.text) != _bare(purpose.text))
        ),
    )


def target_of(config: SweepConfig) -> Target:
    """What its parameters fix, else what its command says."""
    target = in_sweep_parameters(config.parameters, "parameters")
    if target:
        name = (target.where or "").partition(" ")[2].partition(".")[0]
        return Target(target.epochs, target.steps, config.where(f"parameters.{name}"))
    target = in_command(" ".join(config.command), "command")
    return Target(target.epochs, target.steps, config.where("command")) if target else target


def _blocks(comments: Sequence[Note], path: str) -> list[_Block]:
    """Comment lines put together: a wrapped sentence, and what follows a label up to a break."""
    blocks: list[_Block] = []
    open_: _Block | None = None
    file = path.rpartition("/")[2]
    for note in comments:
        label, text = _label(note.text)
        if not note.text or (label != "purpose" and _MACHINE.match(note.text)) or _path_of(note.text, file):
            open_ = None
        elif label is None and open_ and (open_.label not in (None, "other") or _goes_on(open_.text, text)):
            open_.text = f"{open_.text} {text}".strip()
        else:
            open_ = _Block(label, text, note.line)
            blocks.append(open_)
    return blocks


def _path_of(text: str, file: str) -> bool:
    """Whether a comment only repeats the file's own name."""
    return " " not in text and text.rpartition("/")[2] == file


def _label(text: str) -> tuple[str | None, str]:
    for label, pattern in _LABELS:
        if match := pattern.match(text):
            return label, match[1].strip()
    return None, text


def _goes_on(before: str, text: str) -> bool:
    """Whether a line is the rest of the sentence before it."""
    return not before.endswith(_ENDS) and not text[:1].isupper() and not text.startswith(("-", "*"))


def _bare(text: str) -> str:
    return text.casefold().rstrip(" .!")
