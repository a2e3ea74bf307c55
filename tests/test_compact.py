"""Plain data: what its classes do is what frozen dataclasses with slots do."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, astuple, dataclass, field, fields, replace
from typing import Any, Generic, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.compact import compact

T = TypeVar("T")
Kind = Callable[[type], Any]
KINDS = (compact, dataclass(frozen=True, slots=True))


def _classes(kind: Kind) -> list[Any]:
    """One of each shape there is."""

    class Nothing:
        """Nothing in it."""

    class One:
        """A single value, whose name is one that the maker uses, too."""

        MISSING: object

    class Many:
        """Defaults, a default made anew, and what is neither shown nor compared."""

        self_: int
        name: object = 2.5
        _own: object = field(default_factory=list)
        secret: object = field(default="s3cret", repr=False)
        beside: object = field(default=b"", compare=False)

        @property
        def first(self) -> int:
            return self.self_

        def again(self) -> Any:
            return super().__eq__(self)

    class Base(Generic[T]):
        """Inherited from."""

        a: T
        b: object = ()

    made = [kind(one) for one in (Nothing, One, Many, Base)]

    class Heir(made[-1]):  # type: ignore[misc, name-defined]
        """Of a base with fields."""

        c: object = None

    return [*made, kind(Heir)]


OURS, THEIRS = (_classes(kind) for kind in KINDS)
VALUES = st.one_of(st.none(), st.integers(0, 2), st.sampled_from([1.0, float("nan"), "a", "ü\n", (), [], [1]]))


def _told(action: Callable[[], object]) -> object:
    """What comes of it, as text, or the error."""
    try:
        return repr(action())
    except Exception as error:  # noqa: BLE001 - which one is what is compared
        return type(error), str(error)


@pytest.mark.parametrize("number", range(len(OURS)))
@given(given_=st.lists(VALUES, max_size=6), more=st.dictionaries(st.sampled_from("bc") | st.just("name"), VALUES))
def test_made_shown_compared_and_hashed_as_a_dataclass(number: int, given_: list[Any], more: dict[str, Any]) -> None:
    ours, theirs = OURS[number], THEIRS[number]
    made = _told(lambda: ours(*given_, **more))
    assert made == _told(lambda: theirs(*given_, **more))
    if not isinstance(made, str):
        return
    (one, same), (other, other_same) = ((kind(*given_, **more), kind(*given_, **more)) for kind in (ours, theirs))
    for act in (hash, astuple, asdict, copy.copy, copy.deepcopy, lambda it: [f.name for f in fields(it)]):
        assert _told(lambda act=act: act(one)) == _told(lambda act=act: act(other))
    assert (one == same, one != same, one == other) == (other == other_same, other != other_same, False)
    assert one.__eq__(given_) is NotImplemented and ours.__match_args__ == theirs.__match_args__
    assert not hasattr(one, "__dict__") and ours.__slots__ == theirs.__slots__


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_compared_makes_no_difference(kind: Kind) -> None:
    many = _classes(kind)[2]
    one, other = many(1, _own=(), beside=b"1"), many(1, _own=(), beside=b"2")
    assert one == other and hash(one) == hash(other)
    assert one != replace(one, secret="t") and "s3cret" not in repr(one)
    assert many(1)._own is not many(1)._own


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_it_changes(kind: Kind) -> None:
    one = _classes(kind)[2](1)
    for change in (lambda: setattr(one, "name", 3), lambda: delattr(one, "name")):
        with pytest.raises(FrozenInstanceError, match="field 'name'"):
            change()
    with pytest.raises((FrozenInstanceError, TypeError)):
        one.unknown = 3
    assert one.name == 2.5


def test_holding_itself_it_can_still_be_shown() -> None:
    inside: list[Any] = []
    one = OURS[1](inside)
    inside.append(one)
    assert repr(one).endswith("One(MISSING=[...])")


@compact
class Pickled:
    """At home in a module, as pickle wants it."""

    a: int


@compact
class PickledMore(Pickled):
    """Of its own kind when it comes back."""

    b: tuple[int, ...] = field(default_factory=tuple)


@pytest.mark.parametrize("one", [Pickled(1), PickledMore(1), PickledMore(2, (3,))])
def test_comes_back_from_pickle(one: Pickled) -> None:
    back = pickle.loads(pickle.dumps(one))
    assert back == one and type(back) is type(one)
