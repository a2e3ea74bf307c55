"""Random sequences of looks, approvals, clock jumps and calls against a plain statement of the laws.

The acts are fakes, and named so: they change a made-up world, so that any start can be held against what was so at
that very moment. The guard, the rules, the ledger and the audit are the real ones.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.approval import Decision, Request
from agent.audit import Audit
from agent.guard import Guard
from agent.ledger import Ledger
from agent.plans import Plans
from tools.acts import Action, Item, Observation, Outcome, Program, Proposal, Ran
from tools.base import ActTool, Args, Context
from tools.layout import Layout
from tools.place import Place
from tools.text import Redactor

# The laws' own list, not the one in agent.policy.
NEEDED = {
    "cancel": ("queued", "mine", "one_task", "checkpoint_known"),
    "resume": (
        "mine", "loadable", "not_live", "not_queued", "not_pending_at_wandb", "mended", "config_there", "command",
    ),
    "archive": ("mine", "not_live", "not_needed", "quiet", "same_place", "free"),
    "remove": (
        "mine", "not_live", "not_queued", "not_newest", "not_best", "not_shared", "quiet", "same_place",
    ),
    "empty": ("mine", "ours", "in_roots", "still_loads"),
    "set": ("state_allows", "no_other_owner"),
    "note": ("mine",),
    "stop": ("alive", "mine", "checkpoint_known"),
    "close": ("running_there", "silent", "mine", "not_live", "not_queued"),
    "create": ("config_checked", "no_other_sweep"),
    "sync": ("not_written", "mine", "counted", "once"),
    "end": ("mine", "few_enough", "checkpoint_known", "no_other_owner"),
    "restart": ("config_checked", "no_other_sweep", "mine", "few_enough", "no_other_owner", "checkpoint_known"),
}  # fmt: skip
ENOUGH = {
    "cancel": "not_progressing", "resume": "cause_allows", "remove": "tied", "set": "ends_nothing",
    "stop": "not_progressing", "sync": "nothing_there", "restart": "nothing_to_resume",
}  # fmt: skip
TYPED_ALWAYS = ("end",)
TYPED_NEVER_HELPS = ("restart",)
"""Its id alone is no word of what a restart throws away."""
OF_FILES = ("archive", "remove", "empty")
"""Acts on listed files: each file that is touched must have been before the person, as it is now."""
SUBJECTS = ("7_1", "7_2")
KINDS = sorted({kind for kinds in NEEDED.values() for kind in kinds} | set(ENOUGH.values()))


class FakeArgs(Args):
    subject: str


@dataclass
class World:
    now: float = 1_000_000.0
    age: float = 0.0
    so: dict[tuple[str, str], bool | str | None] = field(default_factory=dict)
    token: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SUBJECTS, 0))
    effect: Literal["done", "not_done", "unknown"] = "done"
    certain: bool = True
    typed: set[str] = field(default_factory=set)
    approved: list[tuple[float, str]] = field(default_factory=list)
    """When a person said yes, and all the text that they had before them."""
    blurred: dict[str, float] = field(default_factory=dict)
    """Subject -> when an act on it was begun of which nobody knows what came."""
    broken: list[str] = field(default_factory=list)
    starts: int = 0

    def holds(self, kind: str, subject: str) -> bool | str | None:
        return self.so.get((kind, subject), True)


def _fake(verb: str, world: World, audit: Audit) -> ActTool:
    def propose(context: Context, args: FakeArgs) -> Sequence[Proposal]:
        """A fake act."""
        subject, at = args.subject, world.now - world.age
        kinds = (*NEEDED[verb], *((ENOUGH[verb],) if verb in ENOUGH else ()))
        seen = tuple(Observation(kind, subject, world.holds(kind, subject), at, "world") for kind in kinds)
        token = str(world.token[subject])
        # the act on files is known by what it lists, so that nothing but the items binds it
        items = tuple(Item(f"/{subject}/{name}", token) for name in "ab") if verb in OF_FILES else ()
        action = Action(
            verb, subject, (subject,), "job", () if items else (("token", token),),
            None if items else Program(("/bin/act", subject), "/"), items=items,
            lists=tuple(f"{item.path} token {item.stamp}." for item in items), shows=(f"{subject} token {token}.",),
        )  # fmt: skip
        return (Proposal(action, seen),)

    def perform(context: Context, action: Action) -> Ran:
        _law(world, verb, action, audit)
        world.starts += 1
        return Ran(0 if world.certain else 1, err="" if world.certain else "timed out", seconds=0.1)

    def settle(context: Context, action: Action, since: float, ran: Ran | None) -> Outcome:
        outcome = Outcome(world.effect, "as the world has it")
        if outcome.state == "done":
            world.blurred.pop(action.subject, None)
        elif outcome.state == "unknown" or not (ran and ran.certain):
            world.blurred.setdefault(action.subject, since)
        return outcome

    return ActTool(f"fake_{verb}", FakeArgs, verb, propose, perform, settle)


def _law(world: World, verb: str, action: Action, audit: Audit) -> None:
    """What must be so at the very moment an act is started."""
    subject = action.subject
    tokens = {item.stamp for item in action.items} or {dict(action.identity)["token"]}
    token = tokens.pop()
    if tokens:
        world.broken.append(f"{verb} {subject}: its files are of two times")
    for item in action.items:
        if not any(f"{item.path} token {item.stamp}." in text for _, text in world.approved):
            world.broken.append(f"{verb} {subject}: {item.path} was never before a person")
    said = [at for at, text in world.approved if f"{subject} token {token}." in text and verb.upper() in text]
    if not said or not 0 <= world.now - said[-1] <= 300:
        world.broken.append(f"{verb} {subject}: no approval of exactly this within 300 s")
    if token != str(world.token[subject]):
        world.broken.append(f"{verb} {subject}: it is another thing now")
    if any(world.holds(kind, subject) is not True for kind in NEEDED[verb]):
        world.broken.append(f"{verb} {subject}: a need is not met")
    if verb in TYPED_ALWAYS and subject not in world.typed:
        world.broken.append(f"{verb} {subject}: nobody typed its id")
    typed = subject in world.typed and verb not in TYPED_NEVER_HELPS
    if verb in ENOUGH and world.holds(ENOUGH[verb], subject) is not True and not typed:
        world.broken.append(f"{verb} {subject}: neither evidence nor a typed id")
    if world.age > 10 or world.age < 0:
        world.broken.append(f"{verb} {subject}: what was seen is {world.age} s old")
    last = list(audit.entries())[-1]
    if last["kind"] != "intended" or last["action"]["subject"] != subject:
        world.broken.append(f"{verb} {subject}: no intent was written down")
    if subject in world.blurred and world.now - world.blurred[subject] < 15:
        world.broken.append(f"{verb} {subject}: begun again while nobody knows what came of the last one")


@dataclass
class FakePerson:
    world: World
    says: Decision = "yes"
    meanwhile: Sequence[tuple[Any, ...]] = ()

    def ask(self, request: Request) -> Decision:
        if self.says == "yes":
            self.world.approved.append((self.world.now, "\n".join((*request.listed, *request.lines))))
        for step in self.meanwhile:
            _change(self.world, step)
        return self.says


def _change(world: World, step: tuple[Any, ...]) -> None:
    match step:
        case ("so", kind, subject, value):
            world.so[kind, subject] = value
        case ("age", seconds):
            world.age = seconds
        case ("moves on", subject):
            world.token[subject] += 1
        case ("clock", seconds):
            world.now += seconds
        case ("effect", effect, certain):
            world.effect, world.certain = effect, certain


SUBJECT = st.sampled_from(SUBJECTS)
CHANGE = st.one_of(
    st.tuples(st.just("so"), st.sampled_from(KINDS), SUBJECT, st.sampled_from([True, False, None, "9_9"])),
    st.tuples(st.just("age"), st.sampled_from([0.0, 0.0, 5.0, 9.9, 10.1, 400.0, -3.0])),
    st.tuples(st.just("moves on"), SUBJECT),
    st.tuples(st.just("clock"), st.sampled_from([1.0, 9.0, 20.0, 299.0, 301.0, -30.0, 4000.0])),
    st.tuples(
        st.just("effect"), st.sampled_from(["done", "done", "not_done", "unknown"]), st.sampled_from([True, False])
    ),
)
CALL = st.tuples(
    st.just("act"),
    st.lists(st.tuples(st.sampled_from(sorted(NEEDED)), SUBJECT), min_size=1, max_size=3),
    st.sampled_from(["yes", "yes", "yes", "no", "nobody", "expired"]),
    st.lists(CHANGE, max_size=2),
)
TYPED = st.tuples(st.just("typed"), SUBJECT)
STEPS = st.lists(st.one_of(CALL, CALL, CHANGE, TYPED), min_size=1, max_size=7)

TRACES = 3_000
STARTED: list[int] = []


@settings(max_examples=TRACES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def _traces(steps: Sequence[tuple[Any, ...]]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="laws-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        world = _play(steps, folder)
    finally:
        shutil.rmtree(folder)
    STARTED.append(world.starts)
    assert world.broken == []


def _play(steps: Sequence[tuple[Any, ...]], folder: Path) -> World:
    world, audit, ledger = World(), Audit(folder / "audit.jsonl"), Ledger()
    place = Place(folder, Layout(), "me", Redactor(), demo=True)
    person = FakePerson(world)
    tools: Mapping[str, ActTool] = {verb: _fake(verb, world, audit) for verb in NEEDED}
    context = Context(place, clock=lambda: world.now, sleep=lambda _: None)
    plans = Plans(folder / "plans", folder, demo=True)
    guard = Guard(context, ledger, audit, person, plans, list(tools.values()))
    for step in steps:
        if step[0] == "typed":
            world.typed.add(step[1])
            ledger.see([Observation("typed", step[1], True, world.now, "terminal")])
        elif step[0] == "act":
            _, calls, person.says, person.meanwhile = step
            told = guard.act([(tools[verb], {"subject": subject}) for verb, subject in calls])
            assert len(told) == len(calls)
        else:
            _change(world, step)
    world.broken += audit.verify().problems
    return world


def test_no_law_is_broken_in_three_thousand_traces() -> None:
    STARTED.clear()
    _traces()
    assert len(STARTED) >= TRACES
    assert sum(map(bool, STARTED)) > TRACES // 10, "traces in which nothing ever starts would prove nothing"
