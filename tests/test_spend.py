"""Tokens and dollars: counted per request and session, and limits that hold before anything is spent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from servers.messages import MessagesServer, Reply, call, text
from stage import Stage

from agent.cli import main
from agent.config import Limits, load, user_file
from agent.config_file import ConfigError
from agent.models import ModelError, Usage
from agent.models.claude import Claude
from agent.models.playbook import Playbook
from agent.models.prices import Price, price_of, shipped
from agent.spend import Cost, Purse
from tools.checked import checked

OWN = {"input": 3.0, "output": 15.0, "cache_read": 0.3, "cache_write": 3.75, "as_of": "2026-11-01"}
PRICES = {"test-model": checked(Price, OWN)}
USED = {"input_tokens": 1000, "output_tokens": 200, "cache_read_input_tokens": 50_000}
DOLLARS = 0.003 + 0.003 + 0.015
"""What one reply of ``USED`` costs at these prices."""


Made = Callable[..., tuple[Stage, MessagesServer]]


def reply(words: str = "So it is. What next?") -> Reply:
    return Reply([text(words)], usage=USED)


def looks() -> Reply:
    return Reply([call("squeue", {})], usage=USED)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Made]:
    with MessagesServer([reply() if number % 2 else looks() for number in range(20)]) as server:

        def make(**limits: Any) -> tuple[Stage, MessagesServer]:
            prices = limits.pop("prices", PRICES)
            model = Claude("test-model", server.url, "k", max_retries=0)
            return Stage(tmp_path / "state", model, purse=Purse(Limits(**limits), prices)), server

        yield make


class TestPrices:
    def test_a_request_costs_what_its_tokens_cost(self) -> None:
        price = checked(Price, OWN)
        assert price.dollars(Usage(1_000_000, 0, 0, 0)) == 3
        assert price.dollars(Usage(1000, 200, 50_000, 400)) == pytest.approx(0.003 + 0.003 + 0.015 + 0.0015)

    def test_a_long_prompt_has_its_own_rates(self) -> None:
        price = shipped()["claude-haiku-5-5"]
        assert price.dollars(Usage(100_000, 1000, 0, 0)) == pytest.approx(0.0105)
        assert price.dollars(Usage(60_000, 1000, 40_001, 0)) == pytest.approx(0.03 + 0.0025 + 0.00200005)

    @pytest.mark.parametrize("name", ["claude-sonnet-5-5", "claude-sonnet-5-5-20260928"])
    def test_a_snapshot_costs_what_its_model_costs(self, name: str) -> None:
        assert price_of(name, {}, elsewhere=False) == shipped()["claude-sonnet-5-5"]

    def test_what_is_not_known_is_not_guessed(self) -> None:
        assert price_of("claude-sonnet-9", {}, elsewhere=False) is None
        assert price_of("claude-sonnet-5-5", {}, elsewhere=True) is None, "another server has prices of its own"
        assert price_of("claude-sonnet-5-5", {"claude-sonnet-5-5": PRICES["test-model"]}, elsewhere=True)

    def test_a_sum_says_what_is_not_in_it(self) -> None:
        cost = Cost()
        cost.add(Usage(1000, 0, 0, 0), PRICES["test-model"])
        cost.add(Usage(1000, 0, 0, 0), None)
        assert cost.money() == "$0.0030 and 1 of unknown price"
        assert cost.to_json()["dollars"] is None


class TestCounting:
    def test_a_request_and_the_session_are_counted_apart(self, stage: Made) -> None:
        scene, _ = stage()
        first, second = scene.ask("hello there"), scene.ask("and now")
        assert (first.cost.calls, first.cost.dollars) == (2, pytest.approx(2 * DOLLARS))
        assert second.cost.usage == Usage(2000, 400, 100_000, 0)
        session = scene.thread.purse.session
        assert (session.calls, session.dollars) == (4, pytest.approx(4 * DOLLARS))
        tokens = "102,000 tokens read (100,000 of them from the cache), 400 written"
        assert second.cost.words() == f"2 calls, {tokens}, $0.0420"
        assert "$0" not in scene.shown.getvalue(), "it is for a terminal"

    def test_the_playbook_costs_nothing(self, tmp_path: Path) -> None:
        scene = Stage(tmp_path / "state", Playbook(), purse=Purse(Limits(dollars=0.01, calls=1)))
        assert [scene.ask("check on sweeps").cost.calls for _ in range(3)] == [0, 0, 0]


class TestLimits:
    def test_calls_end_before_the_next_is_made(self, stage: Made) -> None:
        scene, server = stage(calls=3)
        scene.ask("hello there")
        with pytest.raises(ModelError, match=r"the limit of 3 model calls is reached; --max-calls raises it"):
            scene.ask("and now")
        assert len(server.requests) == 3
        scene.valid()
        with pytest.raises(ModelError):
            scene.ask("and now")
        assert len(server.requests) == 3

    def test_dollars_end_before_the_next_is_spent(self, stage: Made) -> None:
        scene, server = stage(dollars=2.5 * DOLLARS)
        scene.ask("hello there")
        with pytest.raises(ModelError, match=r"the limit of \$0\.0525 is reached \(\$0\.0630 spent\); --max-dollars"):
            scene.ask("and now")
        assert len(server.requests) == 3, "the answer that was being made was the last"
        scene.valid()

    def test_dollars_of_a_model_without_a_price_are_not_spent_at_all(self, stage: Made) -> None:
        scene, server = stage(dollars=1, prices={})
        with pytest.raises(ModelError, match="the price of test-model is not known, so the limit of"):
            scene.ask("hello there")
        assert server.requests == []

    def test_calls_of_a_model_without_a_price_are_counted(self, stage: Made) -> None:
        scene, _ = stage(calls=2, prices={})
        assert scene.ask("hello there").cost.money() == "price unknown"


class TestConfig:
    def _own(self, workspace: Path, words: str) -> dict[str, str]:
        home = {"XDG_CONFIG_HOME": str(workspace.parent / "config")}
        user_file(home).parent.mkdir(parents=True, exist_ok=True)
        user_file(home).write_text(words)
        return home

    def test_the_persons_own_file_and_flags(self, workspace: Path) -> None:
        home = self._own(workspace, f"limits: {{dollars: 2, calls: 9}}\nprices: {{m: {json.dumps(OWN)}}}\n")
        assert load(home, workspace=workspace).limits == Limits(dollars=2, calls=9)
        config = load(home, workspace=workspace, max_dollars=0.5, max_calls=None)
        assert config.limits == Limits(dollars=0.5, calls=9)
        assert config.prices["m"].input == 3

    @pytest.mark.parametrize("key", ["limits: {dollars: 1000000}", "prices: {}"])
    def test_a_workspace_sets_neither(self, workspace: Path, key: str) -> None:
        (workspace / "sweep-agent.yaml").write_text(key)
        with pytest.raises(ConfigError, match=r"sweep-agent\.yaml line 1: (limits|prices) can only be set in"):
            load({}, workspace=workspace)

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("limits: {dollars: 0}", "limits.dollars: must be greater than 0"),
            ("limits: {calls: many}", "limits.calls: must be a whole number"),
            ("limits: 5", "limits: must be `key: value` lines"),
            ("limits: {euros: 5}", "limits.euros: is no known key"),
            ("prices: {m: {input: 1}}", "prices.m.output: is missing"),
            ("prices: {m: 1}", "prices.m: must be `key: value` lines"),
        ],
    )
    def test_what_is_wrong_is_one_line(self, workspace: Path, words: str, said: str) -> None:
        home = self._own(workspace, words)
        with pytest.raises(ConfigError) as caught:
            load(home, workspace=workspace)
        assert said in str(caught.value) and "config.yaml" in str(caught.value)


class TestCommand:
    def _ask(self, monkeypatch: pytest.MonkeyPatch, *argv: str, answers: Any = None) -> tuple[Result, int]:
        with MessagesServer(answers or [looks(), reply()]) as server:
            monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
            done = CliRunner().invoke(main, ["ask", "hello", "--demo", "--model", "m", *argv])
        return done, len(server.requests)

    def test_a_limit_is_one_line_and_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        done, requests = self._ask(monkeypatch, "--max-calls", "1")
        assert (done.exit_code, requests) == (1, 1)
        assert done.stderr == "agent: the limit of 1 model call is reached; --max-calls raises it\n"

    def test_the_object_holds_the_cost(self, monkeypatch: pytest.MonkeyPatch) -> None:
        done, _ = self._ask(monkeypatch, "--json")
        cost = json.loads(done.stdout)["cost"]
        assert cost == {
            "model": "m", "calls": 2, "dollars": None, "prices_as_of": None,
            "tokens": {"input": 2000, "output": 400, "cache_read": 100_000, "cache_write": 0},
        }  # fmt: skip

    @pytest.mark.parametrize("value", ["0", "-1", "x"])
    def test_a_limit_of_nothing_is_no_limit(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        done, requests = self._ask(monkeypatch, "--max-dollars", value)
        assert (done.exit_code, requests) == (2, 0)
