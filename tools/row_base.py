"""What the rows of the status have in common: how they are made, cleaned and written, many of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, ParamSpec, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json

from tools.data import Evidence

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A", bound="Row")
BATCH = 200
"""Rows that are looked through or written at once: their text is no more than a few hundred kB."""
_NOT_TOLD: set[str] = set()
_WITHOUT_TEXT = frozenset((type(None), bool, int, float))


class Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings", populate_by_name=True)

    def model_post_init(self, context: Any) -> None:
        """Nobody asks which values were given: the set that tells takes more room than the row."""
        object.__setattr__(self, "__pydantic_fields_set__", _NOT_TOLD)

    def cleaned(self, clean: Callable[[str], str]) -> Self:
        """The same with every text passed through ``clean``, such as ``Redactor.clean``."""
        changed = {}
        for name, value in self.__dict__.items():
            if value is None or isinstance(value, (bool, int, float)):
                continue
            new = _cleaned(value, clean)
            if new is not value:
                changed[name] = new
        return self.model_copy(update=changed) if changed else self


def unasked(kind: Callable[P, R]) -> Callable[P, R]:
    """Makes rows of one kind from values whose types mypy has seen, which are not asked about again.

    The same as the class itself makes of them, in half the time. mypy takes a whole number for a float.
    """
    model = cast("type[Row]", kind)
    blank = {name: field.get_default() for name, field in model.model_fields.items()}
    floats = tuple(name for name, field in model.model_fields.items() if field.annotation in (float, float | None))
    put = object.__setattr__

    def make(*_: P.args, **values: P.kwargs) -> R:
        told: dict[str, Any] = {**blank, **values}
        for name in floats:
            if type(told[name]) is int:
                told[name] = float(told[name])
        row = model.__new__(model)
        put(row, "__dict__", told)
        put(row, "__pydantic_fields_set__", _NOT_TOLD)
        put(row, "__pydantic_extra__", None)
        put(row, "__pydantic_private__", None)
        return cast("R", row)

    return make


def _add_texts(values: Iterable[Any], texts: list[str]) -> None:
    """Add every text in them to ``texts``."""
    for value in values:
        kind = type(value)
        if kind is str:
            texts.append(value)
        elif kind in _WITHOUT_TEXT:
            continue
        elif kind is Evidence:
            texts += (value.source, value.where, value.text)
        else:
            _add_texts(value if kind is tuple else vars(value).values(), texts)


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Row):
        return value.cleaned(clean)
    if is_dataclass(value) and not isinstance(value, type):
        names = (one.name for one in fields(value))
        texts: Any = {name: clean(text) for name in names if isinstance(text := getattr(value, name), str)}
        return replace(value, **texts)
    if isinstance(value, tuple):
        new = tuple(_cleaned(item, clean) for item in value)
        return new if any(one is not other for one, other in zip(new, value, strict=True)) else value
    return value


def cleaned(rows: Sequence[A], clean: Callable[[str], str], plain: Callable[[str], bool]) -> Iterator[A]:
    """Each with every text passed through ``clean``.

    ``plain``: whether a glance at a text tells that nothing in it, nor in any part of it, would be changed, such as
    ``Redactor.plain``: nearly all of thousands of rows stay as they are.
    """
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        if _plain(batch, plain):
            yield from batch
        else:
            yield from (row if _plain((row,), plain) else row.cleaned(clean) for row in batch)


def _plain(rows: Sequence[Row], plain: Callable[[str], bool]) -> bool:
    texts: list[str] = []
    for row in rows:
        _add_texts(row.__dict__.values(), texts)
    # a space ends what any format of a key reads, just as the end of a text does; most paths stand in a row twice
    return plain(" ".join(set(texts)))


def listed(rows: Sequence[Row]) -> str:
    """Rows as they stand in a list of the status, without the list's brackets."""
    text = to_json([rows], indent=1, by_alias=True, inf_nan_mode="strings").decode()
    return text.removeprefix("[\n [\n").removesuffix("\n ]\n]")
