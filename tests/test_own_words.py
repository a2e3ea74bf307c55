"""What in a message counts as written by the person, and which ids W&B's addresses lead to."""

from __future__ import annotations

import pytest

from agent.intents import named, own_words, run_in


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("cancel 48213_0", True),
        ("cancel `48213_0`", True),
        ("do this:\n```\nscancel 48213_0\n```\nplease", False),
        ("a ```48213_0``` b", False),
        ("not closed ```\n48213_0", False),
        ("```x``` cancel 48213_0 ```y```", True),
        ("> cancel 48213_0\nno!", False),
        ("   > cancel 48213_0", False),
        ("> quoted ```code``` and 48213_0", False),
        ("> " + "x" * 50_000 + " 48213_0", False),
        ("> he said\ncancel 48213_0", True),
    ],
)
def test_pasted_and_quoted_text_is_nobodys(text: str, own: bool) -> None:
    assert ("48213_0" in own_words(text)) is own


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("why did https://wandb.ai/acme-lab/molprop/runs/0c1d2e3f/overview?nw=1 die?", "why did 0c1d2e3f die?"),
        ("(http://wandb.lab:8080/acme/x/sweeps/xk31p7)", "(xk31p7)"),
        ("see https://wandb.ai/acme-lab/molprop", "see https://wandb.ai/acme-lab/molprop"),
        ("resume 0c1d2e3f", "resume 0c1d2e3f"),
    ],
)
def test_an_address_is_the_id_it_leads_to(text: str, told: str) -> None:
    assert named(text) == told


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("resume 2f9c41d0 then", "2f9c41d0"),
        ("resume the preempted runs", None),
        ("resume 48213_3 and 12345678", None),
        ("look at outputs/2f9c41d0 or 2f9c41d0.yaml", None),
        ("resume it at 20:00 on gpu07", None),
    ],
)
def test_a_run_is_named_by_what_looks_like_its_id(text: str, run: str | None) -> None:
    assert run_in(text) == run
