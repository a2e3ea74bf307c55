"""Patterns that are compiled at first use, which find what compiled ones find."""

from __future__ import annotations

import re

import pytest

from tools.seldom import seldom

WORDING = r"(?i)(?P<first>[a-z]{1,5})-(\d{1,3})"


@pytest.mark.parametrize("text", ["", "ab-12", "x AB-1, cd-345 y", "ab-", "é-1"])
def test_finds_what_the_compiled_pattern_finds(text: str) -> None:
    late, now = seldom(WORDING), re.compile(WORDING)
    for _ in range(2):  # the first use compiles
        for name in ("search", "match", "fullmatch"):
            one, other = getattr(late, name)(text), getattr(now, name)(text)
            assert (one and (one.span(), one.groupdict())) == (other and (other.span(), other.groupdict()))
        assert late.findall(text) == now.findall(text) and late.sub("_", text) == now.sub("_", text)
    assert (late.pattern, late.groups, late.flags) == (now.pattern, now.groups, now.flags)


def test_what_is_wrong_is_told_at_first_use() -> None:
    broken = seldom("(")
    with pytest.raises(re.error):
        broken.search("")
