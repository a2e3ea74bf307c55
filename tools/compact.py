"""The kind of class that all plain data here has: frozen, with slots, and quickly made.

``dataclasses`` writes six functions for such a class as text and compiles each, which for the classes of a look takes
longer than all else that is done before it begins. Here only the constructor is; the others are made of shared parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from reprlib import recursive_repr
from typing import Any, TypeVar, dataclass_transform

C = TypeVar("C")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def compact(cls: type[C]) -> type[C]:
    """As ``@dataclass(frozen=True, slots=True)``, for fields that are all given to the constructor and without a
    ``__post_init__``; pickled as its values alone.

    Without slots an instance takes three times the room; pickled as dataclasses with slots are, ten times as long.
    """
    made: Any = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    own: tuple[Field[Any], ...] = fields(made)
    assert all(one.init and not one.kw_only for one in own)
    values = _values([one.name for one in own])
    compared = _values([one.name for one in own if one.compare])
    made.__init__ = _init(made, own)
    made.__repr__ = _repr([one.name for one in own if one.repr])
    made.__eq__ = lambda self, other: (
        compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented
    )
    made.__hash__ = lambda self: hash(compared(self))
    made.__reduce__ = lambda self: (self.__class__, values(self))
    made.__setattr__, made.__delattr__ = _refuse_to_set, _refuse_to_delete
    return made  # type: ignore[no-any-return]


def _values(names: list[str]) -> Callable[[object], tuple[Any, ...]]:
    """Returns what returns these attributes of an object."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda self: tuple(getattr(self, name) for name in names)


def _init(made: type, own: tuple[Field[Any], ...]) -> Callable[..., None]:
    """The constructor. It sets each field through its slot, which takes half the time of ``object.__setattr__``."""
    known: dict[str, Any] = {"__name__": made.__module__, "_missing": MISSING}
    taken, steps = [], []
    for one in own:
        name, value = one.name, one.name
        known[f"_set_{name}"] = getattr(made, name).__set__
        if one.default is not MISSING:
            known[f"_default_{name}"] = one.default
            taken.append(f"{name}=_default_{name}")
        elif one.default_factory is not MISSING:
            known[f"_new_{name}"] = one.default_factory
            taken.append(f"{name}=_missing")
            value = f"_new_{name}() if {name} is _missing else {name}"
        else:
            taken.append(name)
        steps.append(f"_set_{name}(self, {value})")
    body = "\n ".join(steps) or "pass"
    exec(f"def __init__({', '.join(['self', *taken])}):\n {body}", known)  # noqa: S102 - of names alone, as dataclasses do
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{made.__qualname__}.__init__"
    return init


def _repr(shown: list[str]) -> Callable[[object], str]:
    @recursive_repr()
    def told(self: object) -> str:
        return f"{self.__class__.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    return told


def _refuse_to_set(self: object, name: str, _: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")
