"""A conversation on disk: whole after any end of its process, gone on with as something old."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from servers.messages import call
from stage import PLAN, Stage, demo_place

from agent import history as history_module
from agent.continuing import go_on
from agent.history import History, HistoryError, all_kept, last_of, read
from agent.mending import CUT_OFF, mended
from agent.models.playbook import Playbook
from agent.models.scripted import Scripted
from tools.text import Redactor

AGENT = Path(sys.executable).with_name("agent")
EARLIER = 7_200.0
Stages = Callable[..., Stage]


@pytest.fixture
def stages(tmp_path: Path) -> Stages:
    """One session after the other over one demo: the first began two hours ago, ``earlier`` goes on with it."""

    def make(model: Any, *, earlier: str = "", back: float = 0.0) -> Stage:
        place, folder = demo_place(tmp_path / "state"), tmp_path / "transcripts"
        now = time.time() - back
        history = None if earlier else History.begin(folder, place.workspace, place.redactor, now, demo=True)
        scene = Stage(tmp_path / "state", model, place, lambda: time.time() - back, history=history)
        if earlier:
            scene.shown.write("\n".join(go_on(scene.talk, folder, earlier, time.time())))
        return scene

    return make


def first(stages: Stages) -> Stage:
    """A session of two hours ago: a look, an act that waits, a secret."""
    turns = [
        "Six runs go on. Resume 48213_3 first?",
        [
            {"type": "thinking", "thinking": "hm", "signature": "cw=="},
            call("scancel_with_approval", {"job_id": "48213_0", "plan": PLAN}),
        ],
        "You said no to 48213_0. What next?",
    ]
    scene = stages(Scripted(turns), back=EARLIER)
    scene.ask("check on sweeps")
    scene.ask("cancel 48213_0, the key is hunter2-hunter2", typed=True)
    return scene


def path_of(scene: Stage) -> Path:
    assert scene.thread.history
    return scene.thread.history.path


def closed(scene: Stage) -> Path:
    """The file, as after the end of its process."""
    history = scene.thread.history
    assert history and history._handle is not None
    os.close(history._handle)
    return history.path


def well_formed(messages: list[dict[str, Any]]) -> None:
    open_calls: set[str] = set()
    seen: set[str] = set()
    for message in messages:
        assert message["content"]
        results = [one["tool_use_id"] for one in message["content"] if one["type"] == "tool_result"]
        assert set(results) == open_calls and len(results) == len(open_calls)
        called = [one["id"] for one in message["content"] if one["type"] == "tool_use"]
        assert not seen & set(called)
        seen |= set(called)
        open_calls = set(called)
        assert not open_calls or message["role"] == "assistant"
    assert not open_calls


class TestOnDisk:
    def test_it_is_the_persons_alone_and_holds_no_secret_and_no_thought(self, stages: Stages) -> None:
        scene = first(stages)
        path = path_of(scene)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        written = path.read_text()
        assert "hunter2" not in written and "[secret removed]" in written
        assert "thinking" not in written
        head, *lines = map(json.loads, written.splitlines())
        assert (head["schema"], head["id"], head["demo"]) == (1, path.stem, True)
        assert [line["role"] for line in lines] == [message["role"] for message in scene.talk.messages]

    def test_what_models_say_is_cleaned_too(self, stages: Stages) -> None:
        scene = stages(Scripted(["It is hunter2-hunter2, \x1b[2Jsk-ant-0123456789abcdefghijkl. Right?"]))
        scene.ask("hello there")
        assert "hunter2" not in path_of(scene).read_text() and "sk-ant" not in path_of(scene).read_text()

    def test_what_the_program_asks_of_its_model_is_no_request(self, stages: Stages) -> None:
        scene = stages(Scripted(["48213_3 is at 12 %. Right?", "48213_3 is at 84 %. Right?"]))
        scene.ask("check on sweeps")
        assert read(path_of(scene)).requests == ["check on sweeps"]

    def test_nothing_is_written_before_something_was_asked(self, stages: Stages) -> None:
        assert not path_of(stages(Playbook())).exists()

    def test_each_line_is_there_before_the_next_thing_happens(self, stages: Stages) -> None:
        """The request before the model is asked, the call before the act, the answer before the next request."""
        scene = stages(
            Scripted([[call("scancel_with_approval", {"job_id": "48213_4", "plan": PLAN})], "No. What next?"])
        )
        seen: list[str] = []
        scene.person.meanwhile = lambda: seen.append(path_of(scene).read_text())
        scene.ask("cancel 48213_4", typed=True)
        assert "cancel 48213_4" in seen[0] and '"scancel_with_approval"' in seen[0]
        assert "No. What next?" in path_of(scene).read_text()

    def test_a_folder_that_cannot_be_written_is_said_once_and_stops_nothing(
        self, stages: Stages, tmp_path: Path
    ) -> None:
        (tmp_path / "transcripts").write_text("a file in its place")
        scene = stages(Playbook())
        assert scene.ask("check on sweeps").text and scene.ask("check on sweeps").text
        assert scene.shown.getvalue().count("this conversation is not kept") == 1

    def test_a_full_disk_is_said_once_and_stops_nothing(self, stages: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: Any) -> int:
            raise OSError(28, "No space left on device")

        scene = stages(Playbook())
        monkeypatch.setattr(history_module.os, "fsync", full)
        scene.ask("hello there")
        scene.ask("hello again")
        assert scene.shown.getvalue().replace("\n", " ").count("No space left on device") == 1


# A process that is killed by its own hand while it writes its n-th line, or right after.
DIES = """
import os, signal, sys
from pathlib import Path
from agent import history
from agent.models.scripted import Scripted
from stage import PLAN, Stage, demo_place
state, at, torn = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "torn"
write, count = history.History._write, 0
def dying(self, data):
    global count
    count += 1
    if count == at:
        if torn:
            os.write(self._handle, data[: len(data) // 2])
        else:
            write(self, data)
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, data)
history.History._write = dying
place = demo_place(state)
kept = history.History.begin(state / "transcripts", place.workspace, place.redactor, 1e9, demo=True)
call = {"type": "tool_use", "id": "a", "name": "scancel_with_approval", "input": {"job_id": "48213_4", "plan": PLAN}}
scene = Stage(state, Scripted([[call], "No. What next?", "Hello. What next?"]), place, history=kept)
scene.ask("cancel 48213_4")
scene.ask("hello there")
"""


class TestKilled:
    @pytest.mark.parametrize("how", ["torn", "after"])
    @pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 6])
    def test_a_killed_process_leaves_a_conversation_to_go_on_with(self, tmp_path: Path, at: int, how: str) -> None:
        done = subprocess.run(
            [sys.executable, "-c", DIES, str(tmp_path), str(at), how], capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[1]}"},
        )  # fmt: skip
        assert done.returncode == -9, done.stderr
        (path,) = (tmp_path / "transcripts").iterdir()
        if at == 1:
            assert not list(all_kept(path.parent)), "nothing was asked yet"
            return
        kept = read(path)
        assert kept.torn == (how == "torn")
        messages = kept.messages(time.time())
        well_formed(messages)
        if kept.lines and kept.lines[-1][1]["content"][0]["type"] == "tool_use":
            assert messages[-1]["content"][0]["content"] == CUT_OFF
        # and it is gone on with, in the same file
        scene = Stage(tmp_path, Scripted(["Back again. What next?"]), demo_place(tmp_path))
        lines = go_on(scene.talk, path.parent, path.stem, time.time())
        assert ("torn" in " ".join(lines)) == kept.torn
        scene.ask("hello once more")
        scene.valid()
        again = read(path)
        assert not again.torn and again.requests[-1] == "hello once more"
        assert len(again.lines) == len(kept.lines) + 2

    def test_any_beginning_of_a_file_is_mended(self, stages: Stages) -> None:
        path = closed(first(stages))
        data = path.read_bytes()
        head = data.index(b"\n") + 1
        for end in [*range(head, len(data), 997), len(data)]:
            path.write_bytes(data[:end])
            well_formed(read(path).messages(time.time()))

    @pytest.mark.parametrize(
        "message",
        [
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "nobodys", "content": "x"}]},
            {"role": "assistant", "content": [{"type": "text", "text": ""}]},
            {"role": "assistant", "content": [{"type": "hologram"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "squeue", "input": {}}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": 7}]},
        ],
    )
    def test_what_could_not_be_sent_is_left_out(self, message: Mapping[str, Any]) -> None:
        said = {"role": "user", "content": [{"type": "text", "text": "hello"}]}
        for lines in ([message], [said, message], [message, said], [message, message, said]):
            well_formed(mended([(1.0, line) for line in lines], 2.0))


class TestGoingOn:
    def test_what_was_read_then_is_marked_as_old_for_model_and_person(self, stages: Stages) -> None:
        path = closed(first(stages))
        scene = stages(Scripted(["Hello. What next?"]), earlier=path.stem)
        scene.ask("hello again")
        (request,) = scene.talk.model.requests
        sent = [one for message in request["messages"] for one in message["content"]]
        results = [one["content"] for one in sent if one["type"] == "tool_result"]
        assert len(results) >= 3
        assert all(text.startswith("[OLD: as of 20") and "2 h ago, in an earlier session" in text for text in results)
        shown = scene.shown.getvalue()
        assert f"Going on with {path.stem}: 2 requests, the last 2 h ago. What was read then is old" in shown
        assert "› cancel 48213_0" in shown and "You said no to 48213_0" in shown

    def test_nothing_of_an_earlier_session_counts_as_seen_or_typed(self, stages: Stages) -> None:
        """48213_0 was typed then; now somebody must type it anew."""
        path = closed(first(stages))
        turns = [[call("scancel_with_approval", {"job_id": "48213_0", "plan": PLAN})], "It was denied. What next?"]
        scene = stages(Scripted(turns), earlier=path.stem)
        assert list(scene.talk.ledger) == []
        answer = scene.ask("do it now", typed=True)
        assert len(answer.denied) == 1 and "the person can type the id" in answer.denied[0]
        assert scene.person.asked == []

    def test_a_number_of_then_is_not_told_as_one_of_now(self, stages: Stages) -> None:
        path = closed(first(stages))
        stale = "48213_3 is at 84 %. Resume it?"
        scene = stages(Scripted([stale, stale]), earlier=path.stem)
        answer = scene.ask("and the best one?")
        assert answer.corrections == [
            "job 48213_3 was not read in this session: what is said of it is as old as the session before"
        ]
        scene.valid()

    def test_two_agents_do_not_write_one_conversation(self, stages: Stages) -> None:
        path = path_of(first(stages))
        with pytest.raises(HistoryError, match="is open in another agent of yours"):
            stages(Playbook(), earlier=path.stem)

    def test_the_last_one_of_this_workspace_is_meant(self, tmp_path: Path) -> None:
        def spoken(workspace: str, at: float, *, demo: bool = False) -> str:
            history = History.begin(tmp_path / "t", Path(workspace), Redactor(), at, demo=demo)
            history.keep([{"role": "user", "content": [{"type": "text", "text": f"hello at {at:.0f}"}]}], at)
            return history.path.stem

        spoken("/a", 100.0)
        newest = spoken("/a", 300.0)
        spoken("/b", 400.0)
        demo = spoken("/a", 500.0, demo=True)
        assert last_of(tmp_path / "t", Path("/a"), demo=False).id == newest
        assert last_of(tmp_path / "t", Path("/elsewhere"), demo=True).id == demo
        with pytest.raises(HistoryError, match="no earlier conversation about /c"):
            last_of(tmp_path / "t", Path("/c"), demo=False)

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("../../etc/passwd", "is no conversation's id"),
            ("20200101-000000-0000", "there is no conversation 20200101-000000-0000"),
            ("last", "there is no earlier conversation about"),
        ],
    )
    def test_what_cannot_be_gone_on_with_is_one_line(self, stages: Stages, name: str, said: str) -> None:
        with pytest.raises(HistoryError, match=said):
            stages(Playbook(), earlier=name)

    @pytest.mark.parametrize("data", [b"", b"{}\n", b"[]\n", b"\xff\n", b'{"schema": 99}\n'])
    def test_a_file_that_is_no_conversation_is_one_line_and_in_no_list(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "aa.jsonl").write_bytes(data)
        with pytest.raises(HistoryError, match="is no conversation of this version"):
            read(tmp_path / "aa.jsonl")
        assert list(all_kept(tmp_path)) == []


class TestCommands:
    def _run(self, *words: str, keys: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run([AGENT, *words], input=keys, capture_output=True, text=True, timeout=60)

    def test_asked_listed_and_gone_on_with(self, tmp_path: Path) -> None:
        assert "no conversation is kept in" in self._run("transcripts").stdout
        self._run("ask", "why did 48213_5 die?", "--demo")
        (line,) = self._run("transcripts").stdout.splitlines()
        name, _, _, where, words = line.split(maxsplit=4)
        assert (where, words) == ("demo", "why did 48213_5 die?")
        done = self._run("chat", "--continue", "--demo", keys="resume it\n/quit\n")
        assert f"Going on with {name}: 1 request, the last 0 min ago" in done.stdout
        assert "0c1d2e3f" in done.stdout, "it is the run of the request before"
        assert len(self._run("transcripts").stdout.splitlines()) == 1
        there = self._run("chat", "--continue", name, "--workspace", str(tmp_path))
        assert (there.returncode, there.stderr) == (
            1, f"agent: conversation {name} is about the demo (--demo): name that\n"
        )  # fmt: skip

    def test_none_to_go_on_with(self, tmp_path: Path) -> None:
        done = self._run("chat", "--continue", "--workspace", str(tmp_path))
        assert done.returncode == 1
        assert (
            done.stderr == f"agent: there is no earlier conversation about {tmp_path}; agent transcripts lists them\n"
        )
