"""Keys read without a parser say what the parser would, or that it has to be asked."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from tools.diagnosis import targets
from tools.sources import quick_yaml
from tools.sources.yaml_files import load_flat, load_keys, load_yaml, parsed

SCALARS = [1, 0, -1, 100, 2.5, 1e-5, None, True, "abc", "12", "null", "two words", "yes", "a: b", "*x", "x # y", ""]
KEYS = ["a", "model", "trainer", "data", "scheduler", "x_y", *targets.EPOCH_KEYS, *targets.STEP_KEYS]


def _config(chance: random.Random, depth: int = 0) -> dict[str, Any]:
    def value() -> Any:
        kind = chance.random()
        if kind < 0.3 and depth < 3:
            return _config(chance, depth + 1)
        return [1, {"epochs": 3}] if kind < 0.35 else chance.choice(SCALARS)

    return {chance.choice(KEYS): value() for _ in range(chance.randint(1, 5))}


def test_it_never_says_anything_else_than_the_parser() -> None:
    chance = random.Random(5)
    sure = 0
    for _ in range(1500):
        config = _config(chance)
        if chance.random() < 0.3:
            config = {key: {"value": value} for key, value in config.items()}
        flow = chance.choice([False, False, None])
        data = yaml.safe_dump(config, default_flow_style=flow, sort_keys=False).encode()
        quick = quick_yaml.keys_in(data, targets.KEYS)
        if quick is not None:
            sure += 1
            told, parsed = targets.in_config(quick, ""), targets.in_config(yaml.safe_load(data), "")
            assert (told.epochs, told.steps) == (parsed.epochs, parsed.steps), data.decode()
        if (flat := quick_yaml.flat(data)) is not None:
            assert flat == yaml.safe_load(data), data.decode()
    assert sure > 200, "it must be of use"


@pytest.mark.parametrize(
    "text",
    [
        "base: &b\n  max_epochs: 5\nrun:\n  <<: *b\n",
        "train: {max_epochs: 5}\n",
        "notes: |\n  max_epochs: 5\nmax_epochs: 7\n",
        'notes: "long\n  max_epochs: 5"\nmax_epochs: 7\n',
        "max_epochs: 5\n---\nmax_epochs: 7\n",
        "max_epochs:\n  min: 1\n",
    ],
)
def test_what_is_not_plain_is_left_to_the_parser(text: str) -> None:
    assert quick_yaml.keys_in(text.encode(), targets.KEYS) is None


def test_a_key_keeps_the_sections_it_stands_in(tmp_path: Any) -> None:
    """``scheduler.epochs`` is no target of the training."""
    path = tmp_path / "c.yaml"
    path.write_text("# max_epochs: 9\nscheduler:\n  epochs: 3\ntrainer:\n  fit:\n    max_epochs: 50  # full\n")
    found = load_keys(path, targets.KEYS)
    assert found == {"scheduler.epochs": 3, "trainer.fit.max_epochs": 50}
    assert targets.in_config(found or {}, "").epochs == 50


def test_an_agents_config_is_read_flat_and_a_nested_one_whole(tmp_path: Any) -> None:
    path = tmp_path / "config-a.yaml"
    path.write_text("wandb_version: 1\n\nlr:\n  value: 0.1\nmodel:\n  value: small\n")
    assert load_flat(path)[0] == {"wandb_version": 1, "lr": {"value": 0.1}, "model": {"value": "small"}}
    path.write_text("model:\n  value:\n    size: 3\n")
    assert load_flat(path)[0] == load_yaml(path) == {"model": {"value": {"size": 3}}}


_OLD = re.compile(
    rb"(?m)^ {0,60}(?:<<|\?) ?:|[:-] {1,20}[&*|>]|[:-] {1,20}(?:\"[^\"\n]{0,9999}|'[^'\n]{0,9999})$|\t|\n---"
)
"""All that is not plain in one pattern, as slow as it is short."""


@given(
    st.lists(
        st.sampled_from("a:|- |'|\"|\n|<<:| ? :|&|*|>|\t|---|?| |epochs: 3|#".split("|")) | st.just("|"), max_size=14
    ).map("".join)
)
@example("a: 'b\n'")
@example("a: \"b'c\n")
@example("x 'y'\na: 'b")
@example("\n---")
def test_plain_is_what_one_pattern_for_all_says(text: str) -> None:
    assert quick_yaml.plain(text.encode()) == (not _OLD.search(text.encode()))


@pytest.mark.parametrize("text", "012 -012 08 12345678901234567 1. 1e5 01.5 0 -0 1_0 00".split())
def test_a_number_is_the_one_that_the_parser_reads(text: str) -> None:
    value = quick_yaml.scalar(text.encode())
    assert value is NotImplemented or repr(value) == repr((parsed(f"a: [{{b: {text}}}]".encode()) or {})["a"][0]["b"])
