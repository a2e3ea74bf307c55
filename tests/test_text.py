"""What leaves the program holds no secrets and no control characters."""

from __future__ import annotations

import random

import pytest

from tools.text import _KEY_FORMATS, GONE, Redactor, one_line, strip_ansi, visible

KEYS = {
    "wandb, older": "0123456789abcdef0123456789abcdef01234567",
    "wandb, newer": "wandb_v1_" + "A1b2" * 12,
    "anthropic": "sk-ant-api03-" + "Ab1_" * 20,
    "openai": "sk-proj-" + "Ab1x" * 12,
    "hugging face": "hf_" + "aB3d" * 9,
    "aws id": "AKIAIOSFODNN7EXAMPLE",
    "aws secret": "aws_secret_access_key = " + "aB3/" * 10,
    "github": "ghp_" + "a1B2" * 9,
    "github, fine-grained": "github_pat_" + "a1B2" * 16,
    "slack": "xoxb-123456789012-abcdefABCDEF",
    "slack, shortest": "xapp-a1B2c3D4e5",
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
def test_keys_are_removed_wherever_they_stand(key: str) -> None:
    for line in (key, f"login with {key}.", f'{{"token": "{key}"}}', f"https://user:{key}@host/x"):
        cleaned = Redactor().clean(line)
        assert GONE in cleaned
        assert key[-12:] not in cleaned


@pytest.mark.parametrize(
    "harmless",
    [
        "epoch 3 loss 0.0123",
        "run 0c1d2e3f of sweep xk31p7",
        "/cache/models/0123456789abcdef0123456789abcdef01234567/model.safetensors",
        "task-force sk-short hf_x",
        "checkpoint-54000",
    ],
)
def test_what_is_no_key_stays(harmless: str) -> None:
    assert Redactor().clean(harmless) == harmless


def test_exact_values_of_the_environment_are_removed() -> None:
    redactor = Redactor.from_environment({"MY_DB_PASSWORD": "correct horse", "HOME": "/home/me", "X_TOKEN": "short"})
    assert redactor.clean("the correct horse of /home/me is short") == f"the {GONE} of /home/me is short"


def test_cleaning_twice_changes_nothing() -> None:
    once = Redactor().clean("\x1b[31mred\x1b[0m \x00 ghp_" + "a1B2" * 9)
    assert Redactor().clean(once) == once


@pytest.mark.parametrize("sneaky", ["\x1b[2J", "\x07", "\x9b1m", "\u202e", "\u200b", "\u2066", "\ufeff", "\r"])
def test_control_bidi_and_zero_width_characters_become_visible(sneaky: str) -> None:
    shown = visible(f"a{sneaky}b")
    assert sneaky[0] not in shown
    assert "\\x" in shown or "\\u" in shown


def test_what_a_glance_calls_plain_is_what_the_patterns_leave() -> None:
    chance = random.Random(7)
    redactor = Redactor(["correct horse", "päss-wörd"])
    starts = [key[:length] for key in KEYS.values() for length in (3, 4, 5, 10, len(key) - 1, len(key))]
    odd = [
        "…",
        "é",
        "\u017f",
        *(f"aws_\u017fecret_acce\u017fs_\u212aey={'aB3/' * 10}", f"AWS_SECRET_ACCESS_KEY={'aB3/' * 10}"),
        *(f"gh{kind}_{'a1B2' * 9}" for kind in "pousr"),
        *(f"xox{kind}-1234567890" for kind in "abeoprs"),
        "\u00a0",
        "\u3164",
        "\u200b",
        "\x1b[1m",
        "\n",
        "\t",
        "\r",
    ]
    words = [
        *starts,
        *odd,
        " ",
        " ",
        "WANDB_API_KEY=",
        "a" * 40,
        "0" * 40,
        "1b" * 20,
        "aB3/" * 10,
        "correct horse",
        "/",
        "x",
    ]
    plain = 0
    for _ in range(20_000):
        text = "".join(chance.choices(words, k=chance.randint(1, 4)))
        parts = [text, *text.split(" ")]
        if redactor.plain(text):
            plain += 1
            assert not any("correct horse" in part or "päss-wörd" in part for part in parts)
            assert [visible(_KEY_FORMATS.sub(GONE, strip_ansi(part))) for part in parts] == parts
            assert [redactor.clean(part) for part in parts] == parts
    assert 2000 < plain < 18_000, "it must be of use"


def test_nested_values_are_cleaned_keys_included() -> None:
    cleaned = Redactor(["hunter2hunter2"]).clean_all({"hunter2hunter2": ["x hunter2hunter2", 3, None]})
    assert cleaned == {GONE: [f"x {GONE}", 3, None]}


def test_one_line_is_one_line() -> None:
    assert one_line("a\n\tb\x1b[31m c", 80) == "a b c"
    assert one_line("x" * 50, 10) == "x" * 9 + "…"


def test_what_is_nested_too_deep_is_cut_and_said() -> None:
    deep: object = "x"
    for _ in range(3000):
        deep = [deep]
    assert "[nested too deep]" in str(Redactor().clean_all(deep))
