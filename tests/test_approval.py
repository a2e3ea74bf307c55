"""What a person is asked: the exact thing, on one screen, and nothing but the exact words is a yes."""

from __future__ import annotations

import json
import os
import pty
import select
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lab import Lab
from rich.cells import cell_len
from stage import PLAN, Stage
from test_acts import MAKEFILE, train

from agent.approval import MAX_LINES, Request, request_for
from agent.folding import WIDTH
from agent.ledger import Ledger
from agent.models.scripted import Scripted
from agent.needs import Need
from agent.policy import Check, Verdict, judge
from tools.acts import Action, Observation, Program
from tools.text import Redactor

NOW = 1_000_000.0
WHERE: Any = {"cluster": "gpu1", "workspace": "/w", "nonce": "n", "now": NOW}


def _request(*actions: Action, redactor: Redactor | None = None, refused: tuple[str, ...] = ()) -> Request:
    verdicts = [judge(action, Ledger(), NOW) for action in actions]
    return request_for(
        actions,
        verdicts,
        refused=refused,
        cluster="gpu1",
        workspace="/w",
        nonce="n",
        now=NOW,
        redactor=redactor or Redactor(),
    )


def _resume(run: str, sweep: str = "sw1", *, argv: tuple[str, ...] | None = None, **own: str) -> Action:
    argv = argv or ("/usr/bin/make", "run", f"SWEEP={sweep}", f"RUN={run}")
    shows = (own.get("shows", f"{run}  {sweep}  from 100"),)
    identity = (("run", run), ("sweep", sweep))
    return Action(
        "resume", run, (run,), "run", identity, Program(argv, "/w", True), shows=shows, says=own.get("says", ())
    )


class TestRequest:
    def test_twelve_fit_one_screen_with_the_command_that_each_runs(self) -> None:
        request = _request(*(_resume(f"run{number:02}abc") for number in range(12)))
        assert request.fits
        assert request.confirm == "resume 12 runs"
        text = "\n".join(request.lines)
        assert " 1 runs  /usr/bin/make run SWEEP=sw1 RUN=run00abc" in text, "filled in, as it is started"
        assert "each other runs the same, with its own run for run00abc" in text and "{run}" not in text
        assert all(f"run{number:02}abc  sw1  from 100" in text for number in range(12))

    def test_where_there_is_room_each_has_its_own_command(self) -> None:
        lines = _request(*(_resume(f"run{number:02}abc") for number in range(4))).lines
        assert all(f"     runs  /usr/bin/make run SWEEP=sw1 RUN=run{number:02}abc" in lines for number in range(4))
        assert "each other" not in "\n".join(lines)

    def test_of_two_sweeps_both_ids_are_each_ones_own(self) -> None:
        both = [_resume(f"run{number:02}abc", f"sweep{number % 2}") for number in range(12)]
        text = "\n".join(_request(*both).lines)
        assert "with its own run for run00abc and its own sweep for sweep0" in text.replace("\n   ", "")

    def test_a_dozen_that_lost_something_say_so_in_one_line_each(self) -> None:
        each = [_resume(f"run{number:02}abc") for number in range(12)]
        told = [
            replace(one, shows=(*one.shows, "lost: 6 min"), brief=(f"{one.shows[0]}, lost: 6 min",)) for one in each
        ]
        request = _request(*told)
        assert request.fits and sum("from 100, lost: 6 min" in line for line in request.lines) == 12
        assert "     lost: 6 min" in _request(*told[:3]).lines

    def test_commands_that_differ_in_more_than_ids_are_shown_each(self) -> None:
        other = _resume("bbb2", argv=("/usr/bin/make", "run", "SWEEP=sw1", "RUN=bbb2", "FAST=1"))
        text = "\n".join(_request(_resume("aaa1"), other).lines)
        assert "each other" not in text
        assert "runs  /usr/bin/make run SWEEP=sw1 RUN=aaa1" in text
        assert "runs  /usr/bin/make run SWEEP=sw1 RUN=bbb2 FAST=1" in text

    def test_an_id_inside_another_word_hides_nothing(self) -> None:
        """The shared line stands for exactly what runs, whatever an id looks like."""
        odd = _resume("a", argv=("/usr/bin/make", "run", "SWEEP=sw1", "RUN=a"))
        more = _resume("e", argv=("/usr/bin/make", "run", "SWEEP=sw1", "RUN=e"))
        text = "\n".join(_request(odd, more).lines)
        assert "/usr/bin/make run SWEEP=sw1 RUN=a" in text and "/usr/bin/make run SWEEP=sw1 RUN=e" in text

    def test_an_id_that_is_a_word_of_the_command_hides_nothing(self) -> None:
        """Put in for both, these would leave one line for two commands that can't be told from it."""
        text = "\n".join(_request(_resume("w", "run"), _resume("x", "run")).lines)
        assert "each other" not in text
        assert "make run SWEEP=run RUN=w" in text and "make run SWEEP=run RUN=x" in text

    def test_the_same_command_in_two_folders_is_no_shared_one(self) -> None:
        here, there = _resume("aaa1"), _resume("bbb2")
        assert there.program is not None
        there = replace(there, program=replace(there.program, folder="/elsewhere"))
        assert "each other" not in "\n".join(_request(here, there).lines)

    def test_a_change_of_a_file_is_shown(self) -> None:
        action = replace(_resume("aaa1"), change=(("/w/config.yaml", "+1 −1 lines"),))
        assert " /w/config.yaml: +1 −1 lines" in _request(action).lines

    def test_words_of_the_shell_are_quoted_as_one_would_type_them(self) -> None:
        action = _resume("aaa1", argv=("/usr/bin/sbatch", "a b;rm -rf /", "aaa1"))
        assert "/usr/bin/sbatch 'a b;rm -rf /' aaa1" in "\n".join(_request(action).lines)

    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            ("\x1b[2Jevil", "\\x1b[2Jevil"), ("\u202eabc", "\\u202e"), ("a\nCANCEL 1 JOB", "\\x0a"),
            ("x\u200by", "\\u200b"), ("--user=x", "--user=x"), ("a\tb", "\\x09"), ("\x07\x08", "\\x07\\x08"),
            ("\u2066x\ufeff", "\\u2066x\\ufeff"),
        ],
    )  # fmt: skip
    def test_a_hostile_name_is_made_visible(self, name: str, shown: str) -> None:
        request = _request(_resume("aaa1", shows=f"job 7  {name}"))
        assert all(line.isprintable() for line in request.lines)
        assert shown in "\n".join(request.lines)
        assert not any(line.startswith("CANCEL 1 JOB") for line in request.lines)

    @pytest.mark.parametrize("text", ["x" * 300, "word " * 60, "名前" * 90, "🧹 " * 70, "e\u0301" * 200])
    def test_every_line_fits_eighty_columns(self, text: str) -> None:
        """Letters of the Far East and pictures take two columns each."""
        for action in (_resume("aaa1", shows=text), _resume("aaa1", shows="x", why=text)):
            assert all(cell_len(line) <= WIDTH and len(line) <= WIDTH for line in _request(action).lines)

    @pytest.mark.parametrize(
        "argv",
        [
            ("/usr/bin/make", "run", "SWEEP=sw1", "RUN=aaa1"),
            ("/usr/bin/sbatch", *(f"--option-{number}=value" for number in range(20)), "aaa1"),
            ("/usr/bin/sbatch", "a" + " " * 90 + "b", "   ", "", "'quoted' \"twice\""),
            ("/usr/bin/sbatch", "y" * 250, "名前" * 60),
        ],
    )
    def test_what_is_shown_is_word_for_word_what_runs(self, argv: tuple[str, ...]) -> None:
        lines = _request(_resume("aaa1", argv=argv)).lines
        first = next(number for number, line in enumerate(lines) if line.startswith(" runs  "))
        shown = lines[first].removeprefix(" runs  ")
        for line in lines[first + 1 :]:
            if not line.startswith("   "):
                break
            shown += line[3:]
        assert shlex.split(shown) == list(argv)

    def test_a_need_is_shown_with_what_was_seen_and_its_age(self) -> None:
        need, seen = Need("loadable", (True,), "its checkpoint loads", ""), "checkpoint-300 loads"
        check = Check(need, "ok", Observation("loadable", "aaa1", True, NOW - 4, "checkpoints", seen), told=seen)
        bare = Check(need, "ok", Observation("loadable", "aaa1", True, NOW - 9, "configs"))
        action = _resume("aaa1")
        lines = request_for(
            [action],
            [Verdict(True, (check, bare))],
            cluster="gpu1",
            workspace="/w",
            nonce="n",
            now=NOW,
            redactor=Redactor(),
        ).lines
        assert " [ok] its checkpoint loads: checkpoint-300 loads (checkpoints, 4 s old)" in lines
        assert " [ok] its checkpoint loads (configs, 9 s old)" in lines

    def test_a_folder_that_is_not_the_workspace_is_shown(self) -> None:
        """An absolute path of a script says nothing of where it runs."""
        here = _resume("aaa1")
        assert here.program and not [line for line in _request(here).lines if line.strip().startswith("in ")]
        there = replace(here, program=replace(here.program, folder="/scratch/old"))
        assert " in    /scratch/old" in _request(there).lines
        both = [
            replace(_resume(run), program=replace(there.program, argv=("/bin/make", run))) for run in ("aaa1", "bbb2")
        ]
        assert " ".join(_request(*both).lines).count("/scratch/old") in {1, 2}

    def test_one_act_that_no_screen_holds_is_not_shown_in_part(self) -> None:
        request = _request(_resume("aaa1", argv=("/usr/bin/make", *(f"WORD{number}=1" for number in range(400)))))
        assert len(request.lines) > MAX_LINES
        assert not request.fits

    def test_what_the_agent_thought_is_marked_and_each_part_cut(self) -> None:
        says = (("status", '1 "dead"\n [ok] approved ' + "y" * 300), ("action", "resume it"), ("risks", "\u202enone"))
        lines = _request(_resume("aaa1", says=says)).lines
        at = lines.index(" agent says (UNVERIFIED):")
        text = " ".join(" ".join(lines[at + 1 :]).split())
        status, rest = text.split('" action: "')
        assert status.startswith("status: \"1 'dead' [ok] approved yyy")
        assert len(status) <= 112
        assert rest == 'resume it" risks: "\\u202enone"'
        assert not [line for line in lines[at:] if line.startswith((" [ok]", "[ok]"))], "no words pass for a check"

    def test_of_acts_thought_of_differently_the_words_on_each_are_shown_or_said_to_be_left_out(self) -> None:
        both = [_resume(run, says=(("status", f"{run} died"),)) for run in ("aaa1", "aaa2")]
        request = _request(*both)
        assert ' agent says (UNVERIFIED):\n  1: status: "aaa1 died"\n  2: status: "aaa2 died"' in "\n".join(
            request.lines
        )
        assert request.said == {one.says for one in both}
        many = [_resume(f"run{number:02}", says=(("status", f"{number} died"),)) for number in range(9)]
        request = _request(*many)
        assert " agent says (UNVERIFIED, of run00, NOT SHOWN of 8 others):" in request.lines
        assert request.fits and request.said == {many[0].says}, "what nobody saw is not claimed to have been shown"

    def test_words_that_were_cut_to_a_row_are_not_called_shown(self) -> None:
        says = tuple((name, "words " * 30) for name in ("status", "action", "risks"))
        argv = ("/usr/bin/make", *(f"WORD{number}=1" for number in range(135)))
        assert _request(_resume("aaa1", says=says)).said == {says}
        request = _request(_resume("aaa1", argv=argv, says=says))
        assert request.fits and request.said == frozenset()

    def test_what_is_so_of_some_of_them_is_not_said_of_each(self) -> None:
        needs = [Need("loadable", (True,), "its checkpoint loads", ""), Need("x", (True,), "its cause allows it", "")]
        both, one = (Verdict(True, tuple(Check(need, "ok", None) for need in needs[:count])) for count in (2, 1))
        actions = (_resume("aaa1"), _resume("bbb2"))
        lines = request_for(actions, [both, one], redactor=Redactor(), **WHERE).lines
        assert " [ok] of each: its checkpoint loads" in lines and " [ok] of 1: its cause allows it" in lines

    def test_needs_have_a_line_each_as_long_as_a_screen_holds_them(self) -> None:
        needs = [check.need for check in judge(_resume("aaa1"), Ledger(), NOW).checks]
        checks = tuple(
            Check(need, "ok", Observation(need.kind, "aaa1", True, NOW, "squeue"), told="seen " * 20) for need in needs
        )
        says = (("status", "it died"),)
        request = request_for((_resume("aaa1", says=says),), [Verdict(True, checks)], redactor=Redactor(), **WHERE)
        assert request.fits and request.said == {says}
        assert (
            sum(line.startswith(" [ok] ") for line in request.lines) == len(needs)
            and " read within 10 s:" in request.lines
        )

    def test_the_page_on_wandb_is_named_where_there_is_room(self) -> None:
        page, sweep = "https://wandb.ai/lab/proj/runs/aaa1", "https://wandb.ai/lab/proj/sweeps/sw1"
        one = replace(_resume("aaa1"), pages=(page, sweep))
        assert f" on W&B  {page}" in _request(one).lines
        lines = _request(one, replace(_resume("bbb2"), pages=("https://wandb.ai/lab/proj/runs/bbb2", sweep))).lines
        assert [line for line in lines if "wandb.ai" in line] == [f" on W&B  {sweep}"]

    def test_a_path_is_not_broken_inside_a_name(self) -> None:
        path = "/home/me/" + "/".join(["experiments"] * 8) + "/comprehensive_bayes_tx.yaml"
        for line in _request(_resume("aaa1", argv=("/usr/bin/make", path))).lines:
            assert not line.rstrip().endswith(("experiment", "bayes_t", "compre"))
            assert len(line) < WIDTH or line.endswith(("/", " ", ".yaml"))

    def test_the_agents_words_never_cost_the_request(self) -> None:
        argv = ("/usr/bin/make", *(f"WORD{number}=1" for number in range(135)))
        says = tuple((name, "words " * 30) for name in ("status", "action", "risks"))
        bare, told = _request(_resume("aaa1", argv=argv)), _request(_resume("aaa1", argv=argv, says=says))
        assert bare.fits and len(bare.lines) > MAX_LINES - 3
        assert told.fits
        shorter = _resume("aaa1", argv=argv[:-20], says=says)
        assert _request(shorter).fits and "agent says (UNVERIFIED)" in "\n".join(_request(shorter).lines)

    def test_what_was_seen_of_each_need_never_costs_the_request(self) -> None:
        """A program that lies deep in an environment, or an act on forty jobs: what was seen is told in a few words."""
        argv = ("/usr/bin/make", *(f"WORD{number}=1" for number in range(90)))
        action = _resume("aaa1", argv=argv)
        needs = [check.need for check in judge(action, Ledger(), NOW).checks]
        checks = tuple(
            Check(need, "ok", Observation(need.kind, "aaa1", True, NOW, "squeue"), told="seen " * 20) for need in needs
        )
        request = request_for((action,), [Verdict(True, checks)], redactor=Redactor(), **WHERE)
        text = " ".join(" ".join(request.lines).split())
        assert request.fits and "seen seen seen seen" not in text and "read within 10 s" in text
        assert all(f"{need.says} (seen" in text for need in needs) and "WORD89=1" in text

    def test_secrets_are_not_shown(self) -> None:
        action = _resume("aaa1", argv=("/usr/bin/make", "KEY=hunter2-hunter2"))
        assert "hunter2-hunter2" not in "".join(_request(action, redactor=Redactor(["hunter2-hunter2"])).lines)

    def test_what_was_refused_is_listed_beside_what_is_asked(self) -> None:
        text = "\n".join(_request(_resume("aaa1"), refused=("bbb2: its checkpoint is torn",)).lines)
        assert "refused  bbb2: its checkpoint is torn" in text

    def test_the_digest_is_of_the_bytes_that_run(self) -> None:
        first = _resume("aaa1")
        assert first.program is not None
        changed = replace(first, program=replace(first.program, files=(("/w/Makefile", "0" * 64),)))
        assert _request(first).digest == _request(_resume("aaa1", says=(("status", "other words"),))).digest
        assert _request(first).digest != _request(changed).digest


PROGRAM = Program(("/usr/bin/make", "run"), "/w", True, (("/w/Makefile", "0" * 64),))
ACTION = Action(
    "resume", "aaa1", ("aaa1",), "run", (("job", "7_1"), ("restarts", "0")), PROGRAM, (("/w/file", "+1 line"),)
)  # fmt: skip


class TestBinding:
    @pytest.mark.parametrize(
        "other",
        [
            {"verb": "cancel"}, {"subject": "aaa2"}, {"identity": ()},
            {"identity": (("job", "7_1"), ("restarts", "1"))},
            {"program": None}, {"program": replace(PROGRAM, argv=("/usr/bin/make", "run", "x"))},
            {"program": replace(PROGRAM, folder="/v")}, {"program": replace(PROGRAM, person=False)},
            {"program": replace(PROGRAM, files=(("/w/Makefile", "1" * 64),))}, {"program": replace(PROGRAM, files=())},
            {"change": (("/w/file", "+2 lines"),)}, {"change": ()}, {"first": PROGRAM},
        ],
    )  # fmt: skip
    def test_an_approval_is_of_all_that_runs_and_of_what_it_runs_on(self, other: dict[str, Any]) -> None:
        assert replace(ACTION, **other).binding("n") != ACTION.binding("n")

    def test_the_record_gives_it_back_as_it_was(self) -> None:
        whole = replace(ACTION, first=replace(PROGRAM, argv=("/usr/bin/make", "config")), together="sw1")
        assert Action.from_record(json.loads(json.dumps(whole.to_record()))) == whole

    def test_ages_and_words_may_move_on(self) -> None:
        moved = replace(ACTION, shows=("30 s later",), says=(("status", "other"),), keeps=(("7_2", "RUNNING"),))
        assert moved.binding("n") == ACTION.binding("n")
        assert ACTION.binding("n") != ACTION.binding("m")


class TestParts:
    def test_forty_resumes_are_asked_in_parts_and_none_is_lost(self, lab: Lab, tmp_path: Path) -> None:
        lab.file("Makefile", MAKEFILE)
        for number in range(40):
            train(lab, f"7_{number}", f"run{number:02}x")
        calls = [
            {"type": "tool_use", "id": f"c{n}", "name": "resume_run", "input": {"run": f"run{n:02}x", "plan": PLAN}}
            for n in range(40)
        ]
        stage = Stage(tmp_path / "state", Scripted([calls, "Asked. And now?"]), lab.place())
        stage.person.says = "no way"
        stage.ask("resume everything")
        assert len(stage.person.asked) == 1, "after a no the rest is not asked"
        stage = Stage(tmp_path / "other", Scripted([calls, "Asked. And now?"]), lab.place())
        stage.person.says = None
        stage.ask("resume everything")
        assert all(request.fits for request in stage.person.asked)
        shown = "\n".join(line for request in stage.person.asked for line in request.lines)
        assert all(f"run{number:02}x" in shown for number in range(40))


_ASKS = """
import select, sys, time
from rich.console import Console
from agent.approval import Request
from agent.terminal.asking import TerminalApprover
if sys.argv[2] == "early":
    select.select([sys.stdin], [], [])  # what is typed early is in the terminal's queue by then
request = Request(("CANCEL 1 JOB",), "cancel 7_1", time.time() + float(sys.argv[1]), "d")
decision = TerminalApprover(Console()).ask(request)
if sys.argv[2] == "then":
    print("next:", repr(sys.stdin.readline()))
print("answer:", decision, flush=True)
"""


def _typed(keys: list[tuple[float, bytes]], lasts: float = 300.0) -> str:
    """What the approver answers on a terminal of its own; keys of time 0 are typed before the question appears."""
    return _session(keys, lasts, "early" if keys and keys[0][0] == 0 else "").rpartition("answer: ")[2].strip()


def _session(keys: list[tuple[float, bytes]], lasts: float, mode: str) -> str:
    """All that the terminal shows; in the mode ``then`` a line is read after the question has ended by itself."""
    pid, master = pty.fork()
    if pid == 0:
        env = {**os.environ, "TERM": "dumb"}
        os.execve(sys.executable, [sys.executable, "-c", _ASKS, str(lasts), mode], env)
    seen, waiting = b"", list(keys)
    if mode == "early":
        os.write(master, waiting.pop(0)[1])
    tries = 0
    try:
        while tries < 20:
            if not select.select([master], [], [], 3)[0]:
                tries += 1
                # Ctrl-C between the prompt and the read is only seen with the next key: press it again
                os.write(master, b"\x03" if keys and not waiting and keys[-1][1] == b"\x03" else b"")
                continue
            seen += os.read(master, 4096)
            if b"denies >" in seen and waiting:
                os.write(master, waiting.pop(0)[1])
            if b"nobody answered" in seen and mode == "then":
                os.write(master, b"\n")
                mode = ""
    except OSError:
        pass
    os.close(master)  # ends what still waits
    os.waitpid(pid, 0)
    return seen.decode(errors="replace")


class TestTerminal:
    @pytest.mark.parametrize(
        ("keys", "answer"),
        [
            (b"cancel 7_1\n", "yes"), (b"  cancel   7_1 \n", "yes"), (b"yes\n", "agreed"), (b"\n", "no"),
            (b"y\n", "agreed"), (b"Go ahead.\n", "agreed"), (b"okay dokay\n", "other"),
            (b"No\n", "no"), (b"n\n", "no"), (b"Cancel 7_1\n", "other"),
            (b"cancel 7_10\n", "other"), (b"cancel 7\n", "other"), (b"\x04", "no"), (b"cancel 7_1\x04\x04", "no"),
            (b"cancel 7_2\x7f1\n", "yes"), (b"\xff\xfe\n", "other"), (b"\x03", "stopped"),
        ],
    )  # fmt: skip
    def test_nothing_but_the_exact_words_is_a_yes(self, keys: bytes, answer: str) -> None:
        assert _typed([(1, keys)]) == answer

    def test_what_was_typed_before_the_question_does_not_count(self) -> None:
        assert _typed([(0, b"cancel 7_1\n"), (1, b"\n")]) == "no"

    def test_too_late_is_too_late(self) -> None:
        assert _typed([], lasts=-1) == "expired"

    @pytest.mark.parametrize("keys", [[], [(1, b"cancel 7_1")]])
    def test_a_question_that_nobody_answers_ends_itself_in_time(self, keys: list[tuple[float, bytes]]) -> None:
        """Also where the words were begun: they are no answer to what the terminal asks next."""
        seen = _session(keys, 1.5, "then")
        assert "nobody answered in time: it is denied, and nothing was done" in seen
        assert "next: '\\n'" in seen and seen.rstrip().endswith("answer: expired")

    def test_without_a_terminal_nobody_can_be_asked(self, capsys: pytest.CaptureFixture[str]) -> None:
        from rich.console import Console

        from agent.terminal.asking import TerminalApprover

        request = Request(("1 JOB  expires",), "cancel 7_1", time.time() + 300, "d", kept=("CANCEL 1 JOB",))
        assert TerminalApprover(Console()).ask(request) == "nobody"
        assert "CANCEL 1 JOB" in capsys.readouterr().out, "what would have been asked is shown all the same"
