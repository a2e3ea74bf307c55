"""What each act needs, stated a second time here: a need that is missing, not so, unknown, stale or of something else
denies, and every need of RULES counts."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.ledger import Ledger
from agent.needs import Rule
from agent.policy import judge
from agent.rules import RULES
from tools.acts import Action, Observation

AT = 1_000_000.0
NEEDS: Mapping[str, tuple[set[str], set[str]]] = {
    "cancel": ({"queued", "mine", "one_task", "checkpoint_known", "settled"}, {"not_progressing", "typed"}),
    "resume": (
        {"mine", "loadable", "not_live", "not_queued", "not_pending_at_wandb", "mended", "config_there", "command",
         "settled"},
        {"cause_allows", "typed"},
    ),
    "launch": (
        {"command", "sweep_exists", "not_over", "names_no_run", "runs_online", "settled"}, {"accepts_agents", "typed"},
    ),
    "document": ({"wanted", "in_workspace", "jobs_seen"}, set()),
    "archive": ({"mine", "not_live", "not_needed", "quiet", "same_place", "free", "settled"}, set()),
    "remove": (
        {"mine", "not_live", "not_queued", "not_newest", "not_best", "not_shared", "quiet", "same_place", "settled"},
        {"tied", "typed"},
    ),
    "set": ({"state_allows", "mine", "no_other_owner", "settled"}, {"ends_nothing", "typed"}),
    "note": ({"mine", "settled"}, set()),
    "stop": ({"alive", "mine", "checkpoint_known", "settled"}, {"not_progressing", "typed"}),
    "close": ({"running_there", "silent", "mine", "not_live", "not_queued", "settled"}, set()),
    "create": ({"config_checked", "no_other_sweep", "settled"}, set()),
    "sync": ({"not_written", "mine", "counted", "once", "settled"}, {"nothing_there", "typed"}),
    "end": ({"mine", "few_enough", "checkpoint_known", "no_other_owner", "typed", "settled"}, set()),
    "restart": (
        {"config_checked", "no_other_sweep", "mine", "few_enough", "no_other_owner", "checkpoint_known", "settled"},
        {"nothing_to_resume", "loss_is_typed"},
    ),
    "empty": ({"mine", "ours", "in_roots", "still_loads", "settled"}, set()),
}  # fmt: skip
FOR_EVER = {"typed", "wanted"}
"""These hold as long as the conversation; the others for ten seconds."""


def _action(verb: str) -> Action:
    return Action(verb, "7_1", ("7_1", "aaa1"), "job", (("job", "7_1"),), within=("sw1",))


def _ledger(verb: str, *, without: str = "", **other: Any) -> Ledger:
    """Everything the act needs, seen now, but for ``without``, of which ``other`` is seen, if anything."""
    ledger = Ledger()
    all_of, any_of = NEEDS[verb]
    kinds = all_of | (any_of if without in any_of else set(list(any_of)[:1]))
    if without in any_of:
        kinds = all_of | {without}
    for kind in kinds:
        seen = {"kind": kind, "subject": "7_1", "value": True, "at": AT, "source": "test"}
        if kind == without:
            if not other:
                continue
            seen |= other
        ledger.see([Observation(**seen)])
    return ledger


WRONG: Mapping[str, dict[str, Any]] = {
    "missing": {},
    "not so": {"value": False},
    "unknown": {"value": None},
    "stale": {"at": AT - 10.5},
    "of the future": {"at": AT + 5},
    "of another": {"subject": "7_2"},
}


def _cases() -> Iterator[tuple[str, str, str]]:
    for verb, (all_of, any_of) in NEEDS.items():
        for kind in sorted(all_of | any_of):
            for wrong in WRONG:
                if kind in FOR_EVER and wrong in {"stale", "of the future"}:
                    continue
                yield verb, kind, wrong


def _denies(verb: str, kind: str, wrong: str, rules: Mapping[str, Rule] = RULES) -> bool:
    verdict = judge(_action(verb), _ledger(verb, without=kind, **WRONG[wrong]), AT, rules)
    return not verdict.allowed and bool(verdict.why)


def test_the_rules_are_the_ones_stated_here() -> None:
    stated = {
        verb: ({need.kind for need in rule.all_of}, {need.kind for need in rule.any_of}) for verb, rule in RULES.items()
    }
    assert stated == dict(NEEDS)


@pytest.mark.parametrize("verb", NEEDS)
def test_with_everything_seen_a_person_may_be_asked(verb: str) -> None:
    for kind in NEEDS[verb][1] or {""}:
        ledger = _ledger(verb, without=kind, value=True) if kind else _ledger(verb)
        verdict = judge(_action(verb), ledger, AT)
        assert verdict.allowed, verdict.why
        assert all(check.state == "ok" for check in verdict.checks)


@pytest.mark.parametrize(("verb", "kind", "wrong"), list(_cases()))
def test_one_need_that_is_not_met_denies_and_says_what_would_help(verb: str, kind: str, wrong: str) -> None:
    assert _denies(verb, kind, wrong)


def test_every_need_counts() -> None:
    """The mutation table: each need taken out of RULES is noticed by a case above."""
    missed = []
    for verb, rule in RULES.items():
        for need in (*rule.all_of, *rule.any_of):
            kept = replace(
                rule,
                all_of=tuple(one for one in rule.all_of if one is not need),
                any_of=tuple(one for one in rule.any_of if one is not need),
            )
            mutated = {**RULES, verb: kept}
            if need in rule.all_of:
                caught = any(not _denies(*case, mutated) for case in _cases() if case[:2] == (verb, need.kind))
            else:  # one way less to be allowed
                ledger = _ledger(verb, without=need.kind, value=True)
                caught = not judge(_action(verb), ledger, AT, mutated).allowed
            print(f"{verb:9} {need.kind:22} {'caught' if caught else 'MISSED'}")
            missed += [] if caught else [(verb, need.kind)]
    assert missed == []


BY_SWEEP = {"cancel"}
"""Of these alone the id of the sweep is enough: whoever typed it has not named each run of it."""


@pytest.mark.parametrize("verb", [verb for verb, needs in NEEDS.items() if "typed" in set.union(*needs)])
def test_a_typed_id_of_its_run_names_the_act_too_and_its_sweeps_only_a_cancel(verb: str) -> None:
    for name in ("7_1", "aaa1"):
        (verdict,) = [judge(_action(verb), _ledger(verb, without="typed", subject=name, value=True), AT)]
        assert verdict.allowed and verdict.seen[-1 if verb != "end" else -2].endswith(f" here: {name}")
    by_sweep = judge(_action(verb), _ledger(verb, without="typed", subject="sw1", value=True), AT)
    assert by_sweep.allowed is (verb in BY_SWEEP)
    told = "the id of its sweep sw1 was typed here"
    assert f"{told}, not its own" in by_sweep.seen if by_sweep.allowed else f"only {told}" in by_sweep.why
    assert not judge(_action(verb), _ledger(verb, without="typed", subject="other", value=True), AT).allowed


def test_where_both_were_typed_its_own_counts() -> None:
    ledger = _ledger("cancel", without="typed", subject="sw1", value=True)
    ledger.see([Observation("typed", "7_1", True, AT, "terminal")])
    assert judge(_action("cancel"), ledger, AT).seen[-1] == "a person typed its id here: 7_1"


@pytest.mark.parametrize(
    ("verb", "kind"), [(verb, kind) for verb, needs in NEEDS.items() for kind in sorted(set.union(*needs) - {"typed"})]
)
def test_but_what_was_seen_of_its_run_or_sweep_is_not_seen_of_the_job(verb: str, kind: str) -> None:
    for name in ("aaa1", "sw1"):
        assert not judge(_action(verb), _ledger(verb, without=kind, subject=name), AT).allowed


DOUBTFUL = {("resume", "not_live"), ("remove", "not_live"), ("close", "not_live")}
"""Of these alone a person may know better than any source, and says so by typing the ids that stand in doubt."""


def test_ids_that_stand_in_doubt_count_as_seen_to_be_something_else_once_a_person_typed_every_one() -> None:
    for verb, (all_of, any_of) in NEEDS.items():
        for kind in all_of | any_of:
            ledger = _ledger(verb, without=kind, value="8 9_1")
            assert not judge(_action(verb), ledger, AT).allowed
            ledger.see([Observation("typed", "8", True, AT - 5000, "terminal")])
            assert not judge(_action(verb), ledger, AT).allowed
            ledger.see([Observation("typed", "9_1", True, AT - 5000, "terminal")])
            assert judge(_action(verb), ledger, AT).allowed is ((verb, kind) in DOUBTFUL)
            told = [check.need.kind for check in judge(_action(verb), ledger, AT).checks if check.by_word]
            assert told == [kind] * ((verb, kind) in DOUBTFUL)
            ledger.see([Observation(kind, "7_1", "", AT, "test")])
            assert not judge(_action(verb), ledger, AT).allowed, "no id is none that was typed"


def test_an_act_without_a_rule_is_denied() -> None:
    verdict = judge(_action("reboot"), Ledger(), AT)
    assert not verdict.allowed
    assert "no rule for reboot" in verdict.why


def test_the_documentation_has_the_rules_as_they_are() -> None:
    """`make table` renews it."""
    spec = importlib.util.spec_from_file_location("table", Path(__file__).parents[1] / "docs" / "table.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = module.PAGE.read_text(encoding="utf-8")
    assert module.with_table(page, RULES) == page
    for rule in RULES.values():
        assert all(need.says in page for need in (*rule.all_of, *rule.any_of))


def test_the_latest_look_counts() -> None:
    ledger = _ledger("cancel")
    ledger.see([Observation("mine", "7_1", False, AT, "squeue")])
    assert not judge(_action("cancel"), ledger, AT).allowed
