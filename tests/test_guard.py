"""How the guard carries out several acts of one turn: each is told as it is, and none is lost on the way.

The acts are fakes, and named so; the guard, the rules, the ledger, the audit and the plans are the real ones.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stage import Person

from agent.approval import Decision
from agent.audit import Audit
from agent.guard import Guard
from agent.ledger import Ledger
from agent.plans import Plans, read_plan
from agent.rules import RULES
from agent.told import Told
from tools.acts import Action, Observation, Outcome, Program, Proposal, Ran
from tools.base import ActTool, Args, Context, ToolError
from tools.layout import Layout
from tools.place import Place
from tools.text import Redactor

NOW = 1_000_000.0


class FakeArgs(Args):
    subject: str
    together: str = ""


class Scene:
    """One guard over one fake act; ``trouble`` is called with a subject each time its act is proposed."""

    def __init__(self, folder: Path, verb: str = "resume") -> None:
        self.now, self.started, self.proposed = NOW, list[str](), list[str]()
        self.trouble: Callable[[str], object] = lambda subject: None
        self.missing: set[str] = set()
        self.typed: set[str] = set()
        self.shows: tuple[str, ...] = ()
        self.ran = Ran(0)
        self.person = Person(None)
        self.folder, self.ledger = folder, Ledger()
        self.audit = Audit(folder / "audit.jsonl")
        self.context = Context(Place(folder, Layout(), "me", Redactor(), demo=True), clock=lambda: self.now)
        self.tool = ActTool(f"fake_{verb}", FakeArgs, verb, self._propose, self._perform, self._settle)
        plans = Plans(folder / "plans", folder, demo=True)
        self.guard = Guard(self.context, self.ledger, self.audit, self.person, plans, [self.tool])

    def act(self, *subjects: str, together: str = "") -> list[Told]:
        values = [{"subject": subject, "together": together or subject} for subject in subjects]
        return self.guard.act([(self.tool, one) for one in values])

    def kinds(self) -> list[str]:
        return [entry["kind"] for entry in self.audit.entries()]

    def _propose(self, context: Context, args: FakeArgs) -> Sequence[Proposal]:
        """A fake act; of several subjects, such as a1+b2, it is several."""
        self.proposed.append(args.subject)
        self.trouble(args.subject)
        return [self._proposal(subject, args.together) for subject in args.subject.split("+")]

    def _proposal(self, subject: str, together: str) -> Proposal:
        verb, names, identity = self.tool.verb, (subject, together), (("run", subject),)
        rule = RULES[verb]
        kinds = {need.kind for need in (*rule.all_of, *rule.any_of)} - {"typed", "settled"}
        so = subject not in self.missing
        seen = tuple(Observation(kind, subject, so, self.now, "world", "as it is") for kind in sorted(kinds))
        program, shows = Program(("/bin/act", subject), "/"), (f"subject {subject}", *self.shows)
        own = together if verb == "cancel" else ""
        return Proposal(Action(verb, subject, names, "run", identity, program, shows=shows, together=own), seen)

    def _perform(self, context: Context, action: Action) -> Ran:
        self.started.append(action.subject)
        return self.ran

    def _settle(self, context: Context, action: Action, since: float, ran: Ran | None) -> Outcome:
        return Outcome("not_done", "it is not so") if self.ran.code else Outcome("done", "it is so")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ToolError("the look failed")])
def test_trouble_at_one_start_does_not_hide_what_was_started(scene: Scene, error: Exception) -> None:
    def fail_at_the_start(subject: str) -> None:
        if subject == "b2" and scene.proposed.count("b2") == 2:
            raise error

    scene.trouble = fail_at_the_start
    first, second, third = scene.act("a1", "b2", "c3")
    assert [one.state for one in (first, second, third)] == ["done", "denied", "done"]
    assert scene.started == ["a1", "c3"]
    assert scene.kinds().count("verified") == 2, "what was started is read back"
    assert scene.guard.done == ["resume", "resume"]


def test_a_plan_is_kept_for_every_part_that_nobody_could_be_asked_about(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "cancel")
    scene.person.says = "nobody"
    told = scene.guard.act(
        [(scene.tool, {"subject": job, "together": sweep}) for job, sweep in (("1", "sw1"), ("2", "sw1"), ("3", "sw2"))]
    )
    assert [one.state for one in told] == ["waits"] * 3
    assert len(scene.person.asked) == 2, "cancels of two sweeps are never in one request"
    assert "declined" not in " ".join(one.text for one in told)
    named = [one.text.rpartition(" ")[2] for one in told]
    assert [(entry["kind"], entry["plan"]) for entry in scene.audit.entries()] == [
        ("waits", name) for name in dict.fromkeys(named)
    ]
    kept = [read_plan(tmp_path / "plans", name, NOW) for name in dict.fromkeys(named)]
    assert [[values["subject"] for _, values in plan.calls] for plan in kept] == [["1", "2"], ["3"]]


def test_a_plan_that_cannot_be_kept_is_said(scene: Scene) -> None:
    scene.person.says = "nobody"
    (scene.folder / "plans").write_text("a file where the folder should be")
    (told,) = scene.act("a1")
    assert told.state == "denied"
    assert "plans" in told.text and "nothing was done" in told.text


def test_what_was_refused_never_pushes_the_rest_off_the_screen(scene: Scene) -> None:
    """Twelve fit one screen; with five refused beside them they are asked in parts."""
    good, bad = [f"good{number:02}" for number in range(12)], [f"bad{number}" for number in range(5)]
    scene.missing = set(bad)
    told = scene.act(*good, *bad)
    assert [one.state for one in told] == ["done"] * 12 + ["denied"] * 5
    assert scene.started == good
    assert all(request.fits for request in scene.person.asked)
    assert any("refused  " in line for line in scene.person.asked[0].lines)


def test_one_act_that_just_fits_is_asked_with_the_number_of_those_refused(scene: Scene) -> None:
    scene.shows = tuple(f"line {number}" for number in range(12))
    scene.missing = {"b2"}
    first, second = scene.act("a1", "b2")
    assert (first.state, second.state) == ("done", "denied")
    assert " refused  1 more of these; the answer says why" in scene.person.asked[0].lines


@pytest.mark.parametrize(("typed", "sizes"), [(False, [5, 5, 2]), (True, [12])])
def test_five_cancels_at_most_unless_the_sweep_was_typed(tmp_path: Path, typed: bool, sizes: list[int]) -> None:
    scene = Scene(tmp_path, "cancel")
    if typed:
        scene.ledger.see([Observation("typed", "sw1", True, NOW, "terminal")])
    told = scene.act(*(str(number) for number in range(12)), together="sw1")
    assert [one.state for one in told] == ["done"] * 12
    confirmed = [request.confirm for request in scene.person.asked]
    assert confirmed == [f"cancel {size} runs" for size in sizes]


def test_the_same_act_twice_in_a_turn_is_done_once(scene: Scene) -> None:
    first, second = scene.act("a1", "a1")
    assert first.state == "done"
    assert second.state == "failed" and "asked for twice" in second.text
    assert scene.started == ["a1"]


def test_a_no_stands_for_the_rest_of_the_turn(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "cancel")
    scene.person.says = "no"
    told = scene.act(*(str(number) for number in range(7)), together="sw1")
    assert {one.state for one in told} == {"declined"}
    assert len(scene.person.asked) == 1
    assert scene.started == []


@pytest.mark.parametrize("said", ["no", "agreed", "other", "expired", "stopped"])
def test_whatever_is_no_yes_is_written_down_and_starts_nothing(scene: Scene, said: Decision) -> None:
    scene.person.says = said
    (told,) = scene.act("a1")
    assert told.state == "declined"
    assert scene.started == []
    assert [(entry["kind"], entry["how"]) for entry in scene.audit.entries()] == [("declined", said)]
    assert scene.guard.stopped is (said == "stopped")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("no", "the person said no"),
        ("agreed", "the person did type a yes, but only `resume a1` counts, to the letter"),
        ("other", "the person did not approve it: what was typed is not `resume a1`"),
        ("expired", "the time for it ran out before anybody approved it"),
        ("stopped", "the person stopped it"),
    ],
)
def test_a_no_a_slip_and_silence_are_told_apart(scene: Scene, said: Decision, told: str) -> None:
    scene.person.says = said
    (one,) = scene.act("a1")
    assert one.text.startswith(f"NOT DONE: {told}")


def test_where_nobody_answers_nothing_else_is_asked_of_whatever_kind(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "cancel")
    other = Scene(tmp_path / "other", "resume")
    scene.person.says = "expired"
    told = scene.guard.act([(scene.tool, {"subject": "7"}), (other.tool, {"subject": "a1"})])
    assert [one.state for one in told] == ["declined"] * 2 and "nobody is there" in told[1].text
    assert len(scene.person.asked) == 1


def test_a_stop_at_the_second_question_does_not_hide_what_the_first_yes_did(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "cancel")

    def then_stop() -> None:
        scene.person.says = None if len(scene.person.asked) == 1 else "stopped"

    scene.person.meanwhile = then_stop
    told = scene.act("1", "2", "3")
    assert [one.state for one in told] == ["done", "declined", "declined"]
    assert len(scene.person.asked) == 2, "after a stop nothing more is asked"
    assert scene.guard.stopped


def test_ctrl_c_during_an_act_waits_until_all_of_it_is_read_back(scene: Scene) -> None:
    scene.trouble = lambda subject: len(scene.started) == 1 and os.kill(os.getpid(), signal.SIGINT)
    told = scene.act("a1", "b2", "c3")
    assert [one.state for one in told] == ["done"] * 3
    assert scene.kinds() == ["intended", "done"] * 3 + ["verified"] * 3
    assert scene.guard.stopped
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_a_program_said_is_told_without_secrets_and_codes(scene: Scene) -> None:
    secret = "hf_" + "a1b2" * 9
    scene.ran = Ran(1, err=f"first\nerror: \x1b[2J\u202e{secret} is wrong")
    (told,) = scene.act("a1")
    assert told.state == "failed"
    assert "is wrong" in told.text and "exit code 1" in told.text
    assert secret not in told.text and told.text.isprintable()
    assert secret not in scene.audit.path.read_text()


def test_an_approval_is_of_one_question(scene: Scene) -> None:
    """The same act asked for again is another request: its digest holds a nonce."""
    scene.act("a1")
    scene.act("a1")
    first, second = scene.person.asked
    assert first.digest != second.digest
    assert first.lines[0] != second.lines[0], "a person sees that they differ"


def test_a_call_of_several_acts_is_as_good_as_its_worst(scene: Scene) -> None:
    def fail_at_the_second_start(subject: str) -> None:
        if len(scene.started) == 1:
            raise OSError(5, "Input/output error")

    scene.trouble = fail_at_the_second_start
    (told,) = scene.act("a1+b2")
    assert told.state == "denied", "the model must not take it for done"
    assert "DONE: resume a1" in told.text and "Input/output error" in told.text


def test_two_acts_on_one_subject_are_told_apart_at_the_start(scene: Scene) -> None:
    """A run with checkpoints in two roots: each is the one that was approved."""
    first = scene.tool.propose(scene.context, FakeArgs(subject="a1"))[0]
    assert isinstance(first, Proposal)
    second = replace(first, action=replace(first.action, identity=(("root", "/scratch"),)))
    scene.tool = replace(scene.tool, propose=lambda context, args: [first, second])
    told = scene.act("a1")
    assert told[0].state == "done" and told[0].text.count("DONE: resume a1") == 2
    assert scene.started == ["a1", "a1"]


def test_a_call_of_several_acts_is_kept_once(scene: Scene) -> None:
    scene.person.says = "nobody"
    (told,) = scene.act("a1+b2")
    plan = read_plan(scene.folder / "plans", told.text.splitlines()[0].rpartition(" ")[2], NOW)
    assert [values["subject"] for _, values in plan.calls] == ["a1+b2"]


def test_an_act_whose_intent_cannot_be_written_down_is_not_started(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Audit.append

    def full(self: Audit, kind: str, *more: Any) -> None:
        if kind == "intended":
            raise OSError(28, "No space left on device")
        append(self, kind, *more)

    monkeypatch.setattr(Audit, "append", full)
    (told,) = scene.act("a1")
    assert told.state == "denied"
    assert "No space left on device" in told.text and "nothing is changed without it" in told.text
    assert scene.started == []


def test_a_record_that_can_no_longer_be_read_does_not_hide_what_was_done(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = Audit.entries

    def fails_after_the_start(self: Audit) -> Any:
        if scene.started:
            raise OSError(5, "Input/output error")
        return entries(self)

    monkeypatch.setattr(Audit, "entries", fails_after_the_start)
    assert [one.state for one in scene.act("a1")] == ["done"]


@pytest.mark.parametrize("submitted", [[["a1"]], [1], 7])
def test_a_record_of_jobs_that_was_edited_lets_nothing_through(scene: Scene, submitted: Any) -> None:
    scene.audit.append("verified", NOW, {"act": "a", "state": "done", "text": "", "submitted": submitted})
    (told,) = scene.act("a1")
    assert told.state == "denied" and "agent audit verify" in told.text


def test_a_record_that_makes_no_sense_lets_nothing_through(scene: Scene) -> None:
    scene.audit.append("intended", NOW, {"act": "edited"})
    (told,) = scene.act("a1")
    assert told.state == "denied"
    assert "agent audit verify" in told.text and "Nothing is changed without it" in told.text
    assert scene.person.asked == []


def test_only_documents_are_written_without_asking() -> None:
    assert {verb for verb, rule in RULES.items() if not rule.asks} == {"document"}
