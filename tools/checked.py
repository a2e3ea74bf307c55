"""Values that a person wrote, read into plain data and checked by its annotations.

pydantic does it, which takes longer to import than most commands take for all else: only where there is something to
check. So its own ``Field`` and ``AfterValidator`` are not used for what every command has, such as its configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
SECTION = {"extra": "forbid"}
"""What a class says as its ``__pydantic_config__`` if no keys but its fields may be written."""


class Check:
    """Stands in ``Annotated``: what a value must stand once it is of its type. Returns it, or raises ValueError."""

    def __init__(self, check: Callable[[Any], Any]) -> None:
        self._check = check

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self._check, handler(source))


def _above_0(value: float) -> float:
    if not value > 0:
        raise ValueError("must be greater than 0")
    return value


def _not_below_0(value: float) -> float:
    if not value >= 0:
        raise ValueError("must not be less than 0")
    return value


ABOVE_0, NOT_BELOW_0 = Check(_above_0), Check(_not_below_0)


def checked(kind: type[T], values: Mapping[str, Any]) -> T:
    """An object of a class of plain data. Raises pydantic's ValidationError."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind).validate_python(dict(values))
