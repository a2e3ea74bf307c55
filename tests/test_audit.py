"""The record of acts: an edit, a move, a cut and a torn line show; where it can't be written nothing is changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from stage import PLAN, Stage

import agent.audit
from agent.audit import Audit, Checked
from agent.models.playbook import Playbook
from agent.unsettled import Acts, SettleError
from tools.actions.launch import LAUNCH
from tools.actions.resume import RESUME


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    audit = Audit(tmp_path / "state" / "audit.jsonl")
    for number in range(5):
        audit.append("denied", float(number), {"tool": "scancel_with_approval", "number": number})
    return audit


def _lines(audit: Audit) -> list[str]:
    return audit.path.read_text().splitlines(keepends=True)


def test_an_unbroken_record_verifies_and_is_private(audit: Audit) -> None:
    assert audit.verify() == Checked(5)
    assert audit.path.stat().st_mode & 0o077 == 0
    assert audit.path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [lines[0].replace("scancel", "squeue"), *lines[1:]], ":1: the chain is broken here: this entry"),
        (
            lambda lines: [*lines[:2], lines[2].replace("scancel", "squeue"), *lines[3:]],
            ":3: the chain is broken here: t",
        ),
        (lambda lines: [lines[1], lines[0], *lines[2:]], ":1: the chain is broken here: an entry was moved"),
        (lambda lines: [*lines[:2], *lines[3:]], ":3: the chain is broken here: an entry was moved, put in or removed"),
        (lambda lines: [*lines[:2], lines[2], lines[2], *lines[3:]], ":4: the chain is broken"),
        (lambda lines: lines[:3], "its end was cut or changed: the head knows of 5 lines"),
        (lambda lines: [*lines[:4], lines[4].replace('"number": 4', '"number": 9')], "its end was cut or changed"),
        (lambda lines: [*lines[:4], lines[4][:20]], "its end was cut or changed"),
        (lambda lines: [], "its end was cut"),
    ],
)
def test_what_was_done_to_it_shows(audit: Audit, change: object, said: str) -> None:
    audit.path.write_text("".join(change(_lines(audit))))  # type: ignore[operator]
    assert said in " ".join(audit.verify().problems)


def test_every_place_is_named_and_the_reading_goes_on(audit: Audit) -> None:
    lines = _lines(audit)
    audit.path.write_text("".join([lines[0], lines[1][:30] + "\n", lines[2], lines[4]]))
    found = audit.verify()
    assert [problem.split(": ")[0].rpartition(":")[2] for problem in found.problems[:2]] == ["2", "4"]
    assert "a line that is no entry, and was one" in found.problems[0]
    assert "the head knows of 5 lines" in found.problems[2]
    assert found.entries == 3


def test_a_torn_line_is_told_from_an_edited_one(audit: Audit) -> None:
    """A writer that is killed leaves half a line; the next one goes on behind it."""
    with audit.path.open("a") as file:
        file.write('{"kind": "den')
    assert audit.verify() == Checked(5, torn=(6,))
    audit.append("denied", 6.0, {})
    assert audit.verify() == Checked(6, torn=(6,))
    audit.append("denied", 7.0, {})
    assert audit.verify() == Checked(7, torn=(6,))
    audit.path.write_text(audit.path.read_text().replace('{"kind": "den\n', '{"kind": "nothing\n'))
    assert ":6: the chain is broken here" in audit.verify().problems[0]


def test_what_was_cut_shows_also_after_more_was_written(audit: Audit) -> None:
    audit.path.write_text("".join(_lines(audit)[:3]))
    audit.append("denied", 9.0, {})
    assert "its end was cut or changed" in " ".join(audit.verify().problems)


def test_a_head_of_an_older_version_is_taken_up(audit: Audit) -> None:
    head = audit.path.with_suffix(".head")
    head.write_text(" ".join(head.read_text().split()[:2]) + "\n")
    assert audit.verify() == Checked(5)
    audit.append("denied", 9.0, {})
    assert audit.verify() == Checked(6)


def test_only_what_is_new_is_read(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    acts = Acts(audit)
    assert acts.open() == []
    read: list[bytes] = []
    parsed = agent.audit._parsed
    monkeypatch.setattr(agent.audit, "_parsed", lambda line: read.append(line) or parsed(line))
    audit.append("verified", 6.0, {"act": "a", "submitted": [["aaa1", "77"]]})
    assert acts.submitted() == {"aaa1": ["77"]} and acts.open() == []
    assert len(read) == 1
    audit.path.write_text("")
    with pytest.raises(SettleError, match="cut while it was read"):
        acts.open()


def test_a_record_that_is_gone_shows(audit: Audit) -> None:
    audit.path.unlink()
    assert "the record is gone" in " ".join(audit.verify().problems)


def test_two_processes_write_one_chain(audit: Audit) -> None:
    body = "import sys; from pathlib import Path; from agent.audit import Audit; audit = Audit(Path(sys.argv[1]))\n"
    body += "for number in range(40): audit.append('denied', 1.0, {'number': number})"
    env = {"PYTHONPATH": str(Path(__file__).parents[1])}
    both = [subprocess.Popen([sys.executable, "-c", body, str(audit.path)], env=env) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert audit.verify() == Checked(85)


def test_what_cannot_be_written_down_is_not_done(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "state", Playbook())
    stage.person.says = None
    stage.audit.path.mkdir()
    (told,) = stage.guard.act([(RESUME, {"run": "e5f6a7b8", "plan": PLAN})])
    assert told.state == "denied"
    assert "audit" in told.text
    assert "48252" not in (tmp_path / "state" / "demo" / "cluster.json").read_text()


def test_one_agent_at_a_time_changes_something(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "state", Playbook())
    stage.person.says = None
    with Audit(stage.audit.path).acting():
        (told,) = stage.guard.act([(RESUME, {"run": "e5f6a7b8", "plan": PLAN})])
    assert told.state == "denied"
    assert "another agent of yours is changing something right now" in told.text
    (told,) = stage.guard.act([(RESUME, {"run": "e5f6a7b8", "plan": PLAN})])
    assert told.state == "done"
    assert "job 48252 (PENDING, Resources)" in told.text, "the queue is read anew after the act"


def test_each_task_of_a_submission_is_named_and_counts_as_seen(tmp_path: Path) -> None:
    """Its agents are told by their ids, without another look at the queue."""
    stage = Stage(tmp_path / "state", Playbook())
    stage.person.says = None
    (told,) = stage.guard.act([(LAUNCH, {"sweep": "q7m2vd", "count": 2, "plan": PLAN})])
    assert told.text.endswith("job 48252 (PENDING, Resources; tasks 48252_0, 48252_1)")
    assert {"48252_0", "48252_1"} <= stage.guard.ledger.subjects()


def test_two_agents_asked_for_the_same_run_start_it_once(tmp_path: Path) -> None:
    """Both persons say yes; the second yes is to something that is no longer so."""
    first, second = (Stage(tmp_path / "state", Playbook()) for _ in range(2))
    first.person.says = second.person.says = None
    told = []
    first.person.meanwhile = lambda: told.extend(second.guard.act([(RESUME, {"run": "e5f6a7b8", "plan": PLAN})]))
    (late,) = first.guard.act([(RESUME, {"run": "e5f6a7b8", "plan": PLAN})])
    assert [one.state for one in told] == ["done"]
    assert late.state == "denied" and "job 48252 waits with it" in late.text
    assert "48253" not in (tmp_path / "state" / "demo" / "cluster.json").read_text()
