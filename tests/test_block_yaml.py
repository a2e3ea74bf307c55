"""A sweep YAML read without the parser holds what the parser would make of it, or the parser has to be asked."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tools.sources import block_yaml, yaml_files

_SWEEP = """# Sweep 9: which learning rate distils best.
program: train.py
method: bayes
description: Learning rates for the model, set 9  # the second
metric:
  name: eval/loss
  goal: minimize

parameters:
  lr:
    # too high a rate diverges
    values: [0.00001, 1e-4, 'x', "y z", small]
    distribution: q_uniform
  batch_size:
    value: 16
  empty:
  seed:
    values:
    - 0
    - 1
command:
- ${env}
- python
- "${program}"
"""
_INDENTS = st.sampled_from(["", "", "", "  ", "  ", "    ", " "])
_SIGNS = st.sampled_from(["a:", "a: ", "b: ", "c:", "parameters:", "y: ", "- ", "- ", "-", "# ", "a", "---", "- a: "])
_VALUES = st.sampled_from(
    "|1|012|08|1.|.5|1e5|-1e-05|12345678901234567|1_0|yes|Null|TRUE|~|two words|a #b|a# b|#|# c|'q'|\"q w\"|'q|it's|"
    "[1, a]|[]|[ ]|[a,]|[a, 'b, c']|[1,2] # c|[1, #2]|[[1]]|{a: 1}|&x 1|*x|!!str 1|a: b|a:b|- x|2024-01-01|1:30|"
    "${env}|$x, {y}|a, [b]|@x|%x|é|\t|<<|=|a\r| x |null x|1 2|.inf|? x|>|\\|".split("|")
)
_LINES = st.builds("{}{}{}".format, _INDENTS, _SIGNS, _VALUES)


@given(st.lists(_LINES, max_size=8).map("\n".join), st.sampled_from(["", "\n"]))
@example(_SWEEP, "")
@example("a:\n  b: 1\n c: 2", "\n")
@example("a:\n  - x\n- y", "\n")
@example("a: word\n  more", "\n")
@example("a: word\n# c\n  b: 1", "\n")
@example("a: 1\na: 2", "\n")
@example("a:\n- x\n  - y", "\n")
@example("a: # c\n  b: 1", "\n")
@example("- # c\n  b: 1", "\n")
@example("a: [a,]", "\n")
@example("a: [ ]", "\n")
@example("a: [1, #2]", "\n")
@example("yes: 1", "\n")
@example("a: two words: 3", "\n")
def test_it_never_says_anything_else_than_the_parser(text: str, end: str) -> None:
    data = (text + end).encode()
    quick = block_yaml.block(data)
    if quick is not None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(block_yaml, "block", lambda data: None)
            assert repr(quick) == repr(yaml_files.parsed(data)), text


def test_a_plain_sweep_needs_no_parser() -> None:
    quick = block_yaml.block(_SWEEP.encode())
    assert quick is not None
    assert quick["parameters"]["lr"]["values"] == [0.00001, 1e-4, "x", "y z", "small"]
    assert quick["command"] == ["${env}", "python", "${program}"]


def test_what_is_large_or_deep_is_left_to_the_parser() -> None:
    assert block_yaml.block(b"a: 1\n" + b"#\n" * block_yaml.MAX_BYTES) is None
    assert block_yaml.block("\n".join(f"{' ' * depth}a:" for depth in range(60)).encode()) is None
