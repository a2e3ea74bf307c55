"""What the rows of the status have in common: how they are made, cleaned and written, many of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import MISSING, FrozenInstanceError, dataclass, fields, is_dataclass, replace
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from tools.data import Evidence

A = TypeVar("A", bound="Row")
BATCH = 200
"""Rows that are looked through or written at once: their text is no more than a few hundred kB."""
_WITHOUT_TEXT = frozenset((type(None), bool, int, float))


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Row:
    """A frozen dataclass whose values are all named where it is made; mypy has seen their types.

    It takes a whole number for a float: here it becomes one.
    """

    _blank: ClassVar[dict[str, Any]]
    """Field -> its default; what has none is MISSING."""
    _floats: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls) -> None:
        dataclass(init=False, repr=False, eq=False)(cls)
        own = fields(cls)  # type: ignore[arg-type]
        cls._blank = {one.name: one.default for one in own}
        cls._floats = tuple(one.name for one in own if one.type in ("float", "float | None"))

    def __init__(self, **values: Any) -> None:
        told = {**self._blank, **values}
        if len(told) > len(self._blank) or MISSING in told.values():
            wrong = [name for name, value in told.items() if name not in self._blank or value is MISSING]
            raise TypeError(f"{type(self).__name__}: unknown or not given: {', '.join(wrong)}")
        for name in self._floats:
            if type(told[name]) is int:
                told[name] = float(told[name])
        self.__dict__.update(told)

    def __setattr__(self, name: str, _: object) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def cleaned(self, clean: Callable[[str], str]) -> Self:
        """The same with every text passed through ``clean``, such as ``Redactor.clean``."""
        changed = {}
        for name, value in self.__dict__.items():
            if value is None or isinstance(value, (bool, int, float)):
                continue
            new = _cleaned(value, clean)
            if new is not value:
                changed[name] = new
        return replace(self, **changed) if changed else self  # type: ignore[type-var]


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


def json_of(value: object) -> str:
    """As text; not-a-number and infinity are the strings ``NaN`` and ``Infinity``."""
    from pydantic_core import to_json

    return to_json(value, indent=1, inf_nan_mode="strings").decode()


def listed(rows: Sequence[Row]) -> str:
    """Rows as they stand in a list of the status, without the list's brackets."""
    return json_of([list(map(vars, rows))]).removeprefix("[\n [\n").removesuffix("\n ]\n]")
