"""Archiving logs, removing checkpoints and emptying the trash, in made workspaces with real files."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lab import HOUR, NOW, Lab, ended, wandb_lines
from stage import PLAN, Stage

from agent.intents import intent_of
from agent.models.playbook import Playbook
from agent.models.playbook_acts import file_call
from agent.told import Told
from tools.actions import files
from tools.actions.archive import ARCHIVE_LOGS
from tools.actions.empty import EMPTY_TRASH
from tools.actions.remove import REMOVE_CHECKPOINTS
from tools.acts import Item
from tools.base import ActTool
from tools.sources.index import TRASH, walk

DAY = 24 * HOUR


def old(path: Path, days: float) -> Path:
    """The same file or folder, as if nobody had written to it for so long."""
    for inner in (*path.rglob("*"), path) if path.is_dir() else (path,):
        os.utime(inner, (NOW - days * DAY,) * 2)
    return path


def old_log(lab: Lab, name: str, days: float = 40, text: str = "epoch 50/50\n") -> Path:
    return old(lab.file(f"logs/{name}", text), days)


def finished(lab: Lab, job: str = "7_1", run: str = "fff1", steps: tuple[int, ...] = (100, 200, 300, 1000)) -> None:
    """A run that has reached its target and left several checkpoints."""
    lab.job(job, "COMPLETED")
    lab.file(f"logs/{job}.out", wandb_lines(run, "sw1") + "epoch 100/100\nTraining completed\n" + ended(run))
    for number, step in enumerate(steps):
        old(lab.checkpoint(run, step), 3 - number / 10)


def dead(lab: Lab, job: str = "7_2", run: str = "ddd1", steps: tuple[int, ...] = (100, 200, 300)) -> None:
    """A run that was preempted and can go on."""
    lab.job(job, "PREEMPTED")
    lab.file(f"logs/{job}.out", wandb_lines(run, "sw1") + "epoch 30/100\n")
    for number, step in enumerate(steps):
        old(lab.checkpoint(run, step), 3 - number / 10)


def best(lab: Lab) -> None:
    finished(lab)
    state = lab.workspace / "outputs/fff1/checkpoint-1000/trainer_state.json"
    state.write_text(json.dumps({"global_step": 1000, "epoch": 100.0, "best_model_checkpoint": "out/checkpoint-100"}))
    old(state, 2)


def linked(lab: Lab) -> None:
    finished(lab)
    (lab.workspace / "keep").mkdir()
    (lab.workspace / "keep" / "this").symlink_to(lab.workspace / "outputs/fff1/checkpoint-100/model.safetensors")


def hard(lab: Lab) -> None:
    finished(lab)
    os.link(lab.workspace / "outputs/fff1/checkpoint-100/model.safetensors", lab.workspace / "copy.bin")


def mentioned(lab: Lab) -> None:
    finished(lab)
    lab.job("9", "COMPLETED", command="train.sh", submit_args="train.sh --init outputs/fff1/checkpoint-100")


def fresh(lab: Lab) -> None:
    finished(lab)
    os.utime(lab.workspace / "outputs/fff1/checkpoint-100/model.safetensors", (NOW - 60, NOW - 60))


def live(lab: Lab) -> None:
    lab.job("7_3", "RUNNING")
    lab.file("logs/7_3.out", wandb_lines("lll1", "sw1") + "epoch 30/100\n")
    for step in (100, 300):
        old(lab.checkpoint("lll1", step), 1)


def queued(lab: Lab) -> None:
    dead(lab)
    lab.job("8", "PENDING", command="run.sbatch sw1 ddd1", submit_args="run.sbatch sw1 ddd1")


def nobodys(lab: Lab) -> None:
    old(lab.file("models/step-5.pt", b"PK" * 50), 9)
    old(lab.file("models/step-9.pt", b"PK" * 50), 9)


@pytest.fixture
def stage(lab: Lab, tmp_path: Path) -> Stage:
    stage = Stage(tmp_path / "state", Playbook(), lab.place(), lambda: NOW)
    stage.person.says = None
    return stage


def act(stage: Stage, tool: ActTool, **values: Any) -> Told:
    stage.context.forget()
    (told,) = stage.guard.act([(tool, {"plan": PLAN, **values})])
    assert all(request.fits for request in stage.person.asked)
    return told


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def batches(lab: Lab) -> list[Path]:
    trash = lab.workspace / TRASH
    return sorted(path for path in trash.iterdir() if path.is_dir()) if trash.is_dir() else []


def thrown(lab: Lab) -> list[str]:
    return sorted(name for batch in batches(lab) for name in names(batch) if name != "manifest.json")


class TestArchive:
    def test_old_logs_go_beside_and_young_ones_stay(self, lab: Lab, stage: Stage) -> None:
        old_log(lab, "sweep_1_0.out", 41), old_log(lab, "sweep_1_0.err", 35), old_log(lab, "sweep_2_0.out", 20)
        told = act(stage, ARCHIVE_LOGS)
        assert told.state == "done" and "all 2 moved" in told.text
        assert names(lab.workspace / "logs" / "archive") == ["sweep_1_0.err", "sweep_1_0.out"]
        assert names(lab.workspace / "logs") == ["archive", "sweep_2_0.out"]
        (request,) = stage.person.asked
        assert request.confirm == "archive logs"
        assert [line.split()[-1] for line in request.listed] == ["logs/sweep_1_0.out", "logs/sweep_1_0.err"]
        text = " ".join(" ".join(request.lines).split())
        assert "2 log files of logs/" in text and "35 to 41 days ago" in text and "frees no room" in text
        assert act(stage, ARCHIVE_LOGS).text.endswith("nothing to archive"), "what lies in the archive is not old logs"

    def test_a_thousand_files_fit_one_screen_and_are_all_listed(self, lab: Lab, stage: Stage) -> None:
        for number in range(1_003):
            old_log(lab, f"sweep_{number}_0.out", 40 + number / 1000)
        told = act(stage, ARCHIVE_LOGS)
        (request,) = stage.person.asked
        assert len(request.listed) == 1_000 and "3 more are as old: ask again for those" in " ".join(request.lines)
        assert "all 1000 moved" in told.text
        assert len(names(lab.workspace / "logs")) == 4

    def test_logs_that_somebody_needs_are_left_alone(self, lab: Lab, stage: Stage) -> None:
        lab.job("7_1", "RUNNING")
        lab.job("8", "PENDING", stdout="logs/wait.out")
        dead(lab, "9", "ddd1")
        for name in ("7_1.out", "wait.out", "9.out", "train-ddd1.log"):
            old(lab.workspace / "logs" / name if name == "9.out" else lab.file(f"logs/{name}", "epoch 1/100\n"), 40)
        lab.file("requirements.txt", "torch\n"), old(lab.workspace / "requirements.txt", 400)
        old(lab.file("outputs/ddd1/train.log", "x\n"), 400)
        old_log(lab, "gone_1.out")
        assert act(stage, ARCHIVE_LOGS).state == "done"
        assert names(lab.workspace / "logs" / "archive") == ["gone_1.out"]
        assert len(names(lab.workspace / "logs")) == 5

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("7_1.out", "needed that no job of the queue writes there, which is not so (7_1 writes there)"),
            ("9.out", "is the log of 9, whose run is not finished"),
            ("young.out", "needed that nobody writes to it, which is not so"),
            ("taken.out", "needed that nothing lies there under that name, which is not so"),
        ],
    )
    def test_one_that_is_named_is_denied_with_the_reason(self, lab: Lab, stage: Stage, name: str, said: str) -> None:
        lab.job("7_1", "RUNNING")
        dead(lab, "9", "ddd1")
        for log in ("7_1.out", "taken.out", "9.out"):
            old(lab.file(f"logs/{log}", "x\n") if log != "9.out" else lab.workspace / "logs" / log, 40)
        lab.file("logs/young.out", "x\n")
        lab.file("logs/archive/taken.out", "the first\n")
        told = act(stage, ARCHIVE_LOGS, paths=[f"logs/{name}"])
        assert told.state == "denied" and said in told.text
        assert (lab.workspace / "logs" / name).is_file() and stage.person.asked == []
        assert (lab.workspace / "logs" / "archive" / "taken.out").read_text() == "the first\n"

    def test_data_is_no_log_whatever_it_is_called(self, lab: Lab, stage: Stage) -> None:
        for name in ("data/corpus.out", "data/train.log", "old.err"):
            old(lab.file(name, "x\n"), 400)
        assert act(stage, ARCHIVE_LOGS).text.endswith("nothing to archive")
        for name in ("slurm-4711.out", "job_logs/x.out"):
            old(lab.file(name, "x\n"), 400)
        assert act(stage, ARCHIVE_LOGS).state == "done"
        assert [request.confirm for request in stage.person.asked] == ["archive 2 log folders"]

    def test_a_hostile_name_is_shown_and_typed_as_it_is_shown(self, lab: Lab, stage: Stage) -> None:
        old(lab.file("lo\x1b[2J\u202e\nlogs/a_777.out", "x\n"), 400)
        told = act(stage, ARCHIVE_LOGS)
        (request,) = stage.person.asked
        assert all(line.isprintable() for line in (*request.lines, *request.listed, request.confirm))
        assert "\\x1b[2J\\u202e\\x0alogs" in request.confirm and told.state == "done"

    @pytest.mark.parametrize("path", ["logs/none.out", "/etc/passwd", "../secret", "outputs"])
    def test_what_is_no_log_seen_here_is_no_target(self, lab: Lab, stage: Stage, path: str) -> None:
        old_log(lab, "a.out")
        assert "is no log file that was seen here" in act(stage, ARCHIVE_LOGS, paths=[path]).text

    def test_one_that_must_stay_is_refused_beside_those_that_are_asked(self, lab: Lab, stage: Stage) -> None:
        dead(lab)
        old(lab.workspace / "logs" / "7_2.out", 40)
        old_log(lab, "a.out")
        lab.file("logs/young.out", "x\n")
        told = act(stage, ARCHIVE_LOGS, paths=["logs/a.out", "logs/7_2.out", "logs/young.out", "logs/none.out"])
        assert told.state == "denied" and "DONE: archive logs" in told.text and told.text.count("DENIED") == 3
        assert names(lab.workspace / "logs" / "archive") == ["a.out"]
        text = " ".join(" ".join(stage.person.asked[0].lines).split())
        assert "7_2.out is the log of 7_2, whose run is not finished" in text and "young.out was written to" in text
        assert "none.out is no log file" in text

    def test_a_file_that_grew_while_the_person_read_stays(self, lab: Lab, stage: Stage) -> None:
        log = old_log(lab, "sweep_1_0.out")
        old_log(lab, "sweep_2_0.out")
        stage.person.meanwhile = lambda: old(lab.file("logs/sweep_1_0.out", "more\n" * 9), 40)
        told = act(stage, ARCHIVE_LOGS)
        assert told.state == "denied" and "sweep_1_0.out is not what it was" in told.text
        assert log.is_file() and not (lab.workspace / "logs" / "archive").exists()

    def test_an_archive_that_is_a_link_is_no_place(self, lab: Lab, stage: Stage) -> None:
        old_log(lab, "a.out")
        (lab.workspace.parent / "elsewhere").mkdir()
        (lab.workspace / "logs" / "archive").symlink_to(lab.workspace.parent / "elsewhere")
        told = act(stage, ARCHIVE_LOGS)
        assert told.state == "denied" and "is a link or no folder" in told.text

    @pytest.mark.parametrize("what", ["archive", "logs"])
    def test_a_link_that_is_swapped_in_at_the_last_moment_leads_nowhere(
        self, lab: Lab, stage: Stage, what: str
    ) -> None:
        """After the last look, before the rename."""
        old_log(lab, "a.out")
        (lab.workspace / "logs" / "archive").mkdir()
        elsewhere = lab.workspace.parent / "elsewhere"
        elsewhere.mkdir()
        real = ARCHIVE_LOGS.perform

        def swap(context: Any, action: Any) -> Any:
            place = lab.workspace / "logs" / ("archive" if what == "archive" else "")
            place.rename(lab.workspace / "aside")
            place.symlink_to(elsewhere if what == "archive" else lab.workspace / "aside")
            return real(context, action)

        told = act(stage, replace(ARCHIVE_LOGS, perform=swap))
        assert told.state in {"failed", "unknown"}, told.text
        assert names(elsewhere) == [] and len(list(lab.workspace.rglob("a.out"))) == 1

    def test_an_archived_log_still_explains_its_job(self, lab: Lab, stage: Stage) -> None:
        finished(lab)
        old(lab.workspace / "logs" / "7_1.out", 40)
        before = lab.row("7_1")
        assert act(stage, ARCHIVE_LOGS).state == "done"
        assert (lab.workspace / "logs" / "archive" / "7_1.out").is_file()
        after = lab.row("7_1")
        assert (
            (after.run, after.epoch, after.cause) == (before.run, before.epoch, before.cause) == ("fff1", 100, "none")
        )


class TestMove:
    """One rename, in the middle of a race."""

    def item(self, folder: Path) -> Item:
        source, target = folder / "from" / "a", folder / "to" / "a"
        for place in (source, target):
            place.parent.mkdir(parents=True, exist_ok=True)
        source.write_text("mine")
        return Item(str(source), str(files.stamp_of(str(source))), str(target))

    def move(self, item: Item) -> str | None:
        with files.opened(os.path.dirname(item.path)) as source, files.opened(os.path.dirname(item.goes)) as target:
            return files.move(item, source, target)

    def test_it_never_goes_over_anything(self, tmp_path: Path) -> None:
        item = self.item(tmp_path)
        Path(item.goes).write_text("theirs")
        assert self.move(item) == "a is there already"
        assert Path(item.goes).read_text() == "theirs" and Path(item.path).read_text() == "mine"

    @pytest.mark.parametrize(
        "change", [lambda p: p.write_text("more"), lambda p: (p.unlink(), p.symlink_to("/etc/passwd"))]
    )
    def test_another_file_is_not_moved(self, tmp_path: Path, change: Callable[[Path], object]) -> None:
        item = self.item(tmp_path)
        change(Path(item.path))
        assert self.move(item) is not None
        assert names(tmp_path / "to") == [] and names(tmp_path / "from") == ["a"]

    def test_one_that_took_its_name_in_between_goes_back(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        item = self.item(tmp_path)
        rename = os.rename

        def swap(*args: Any, **own: Any) -> None:
            monkeypatch.setattr(os, "rename", rename)
            Path(item.path).rename(tmp_path / "mine")
            Path(item.path).write_text("theirs")
            rename(*args, **own)

        monkeypatch.setattr(os, "rename", swap)
        assert "another file took its name" in str(self.move(item))
        assert Path(item.path).read_text() == "theirs" and names(tmp_path / "to") == []

    def test_a_rename_that_fails_leaves_no_placeholder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        item = self.item(tmp_path)

        def full(*args: Any, **own: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "rename", full)
        assert self.move(item) == "No space left on device"
        assert names(tmp_path / "to") == [] and Path(item.path).read_text() == "mine"

    def test_a_folder_is_opened_along_no_link(self, tmp_path: Path) -> None:
        (tmp_path / "real" / "inner").mkdir(parents=True)
        (tmp_path / "link").symlink_to(tmp_path / "real")
        with pytest.raises(OSError), files.opened(str(tmp_path / "link" / "inner")):
            pass


class TestRemove:
    def test_what_a_finished_run_no_longer_needs_goes_into_the_trash(self, lab: Lab, stage: Stage) -> None:
        finished(lab)
        dead(lab)
        told = act(stage, REMOVE_CHECKPOINTS)
        assert told.state == "done" and "all 3 moved" in told.text and "no room is freed" in told.text
        assert thrown(lab) == ["001-checkpoint-100", "002-checkpoint-200", "003-checkpoint-300"]
        assert names(lab.workspace / "outputs" / "fff1") == ["checkpoint-1000"]
        assert len(names(lab.workspace / "outputs" / "ddd1")) == 3
        (request,) = stage.person.asked
        text = " ".join(" ".join(request.lines).split())
        assert "fff1 of sweep sw1, finished: 3 of 4 checkpoints" in text and "keeps checkpoint-1000 (loads)" in text
        assert len(request.listed) == 3

    def test_a_later_look_does_not_take_the_trash_for_checkpoints(self, lab: Lab, stage: Stage) -> None:
        finished(lab)
        assert act(stage, REMOVE_CHECKPOINTS).state == "done"
        assert not [path for path in walk(lab.workspace).checkpoints if TRASH in path]
        assert (lab.workspace / TRASH / ".gitignore").read_text() == "*\n"

    @pytest.mark.parametrize(
        ("make", "path", "said"),
        [
            (dead, "outputs/ddd1/checkpoint-300", "checkpoint-300 is what ddd1 would go on from"),
            (best, "outputs/fff1/checkpoint-100", "checkpoint-100 is called the best or the last one"),
            (linked, "outputs/fff1/checkpoint-100", "keep/this leads to checkpoint-100"),
            (hard, "outputs/fff1/checkpoint-100", "has another name by a hard link"),
            (mentioned, "outputs/fff1/checkpoint-100", "a config or a job's command names"),
            (fresh, "outputs/fff1/checkpoint-100", "needed that nobody writes to it"),
            (live, "outputs/lll1/checkpoint-100", "job 7_3 trains it"),
            (queued, "outputs/ddd1/checkpoint-100", "job 8 waits with it"),
            (nobodys, "models/step-5.pt", "nothing but a folder's name ties it to a run"),
        ],
    )
    def test_what_is_needed_is_denied_with_the_reason(
        self, lab: Lab, stage: Stage, make: Callable[[Lab], None], path: str, said: str
    ) -> None:
        make(lab)
        told = act(stage, REMOVE_CHECKPOINTS, paths=[path])
        assert told.state == "denied" and said in told.text, told.text
        assert (lab.workspace / path).exists() and stage.person.asked == []

    def test_one_of_no_run_needs_its_path_typed(self, lab: Lab, stage: Stage) -> None:
        nobodys(lab)
        stage.ask("hello models/step-5.pt", typed=True)
        assert act(stage, REMOVE_CHECKPOINTS, paths=["models/step-5.pt"]).state == "done"
        assert thrown(lab) == ["001-step-5.pt"]

    @pytest.mark.parametrize("path", ["outputs/fff1", "outputs/fff1/checkpoint-100/model.safetensors", "/etc", ".."])
    def test_what_is_no_checkpoint_is_no_target(self, lab: Lab, stage: Stage, path: str) -> None:
        finished(lab)
        assert "is no checkpoint that was seen here" in act(stage, REMOVE_CHECKPOINTS, paths=[path]).text

    def test_one_that_must_stay_is_refused_beside_those_that_are_asked(self, lab: Lab, stage: Stage) -> None:
        dead(lab)
        finished(lab)
        steps = ("fff1/checkpoint-100", "ddd1/checkpoint-100", "ddd1/checkpoint-300", "ddd1/checkpoint-7")
        told = act(stage, REMOVE_CHECKPOINTS, paths=[f"outputs/{step}" for step in steps])
        assert told.state == "denied" and told.text.count("DENIED") == 2 and told.text.count("DONE: remove") == 2
        assert names(lab.workspace / "outputs" / "ddd1") == ["checkpoint-200", "checkpoint-300"]
        (request,) = stage.person.asked
        assert request.confirm == "remove 2 checkpoint sets"
        text = " ".join(" ".join(request.lines).split())
        assert "checkpoint-300 is what ddd1 would go on from" in text and "checkpoint-7 is no checkpoint" in text

    def test_older_ones_of_a_run_that_can_go_on_may_go_when_it_is_named(self, lab: Lab, stage: Stage) -> None:
        dead(lab)
        assert act(stage, REMOVE_CHECKPOINTS, runs=["ddd1"]).state == "done"
        assert names(lab.workspace / "outputs" / "ddd1") == ["checkpoint-300"]
        assert lab.row("7_2").resumable == "yes"

    def test_another_file_system_is_refused(self, lab: Lab, stage: Stage) -> None:
        finished(lab)
        shm = Path("/dev/shm")
        if not shm.is_dir() or shm.stat().st_dev == lab.workspace.stat().st_dev:
            pytest.skip("no second file system here")
        trash = lab.workspace / TRASH
        elsewhere = shm / f"sweep-agent-test-{os.getpid()}"
        elsewhere.mkdir()
        try:
            trash.symlink_to(elsewhere)
            assert "is a link, no folder" in act(stage, REMOVE_CHECKPOINTS).text
            assert names(elsewhere) == []
        finally:
            elsewhere.rmdir()

    def test_outputs_that_are_a_link_have_their_trash_there(self, lab: Lab, stage: Stage) -> None:
        scratch = lab.workspace.parent / "scratch"
        scratch.mkdir()
        (lab.workspace / "outputs").symlink_to(scratch)
        finished(lab)
        assert act(stage, REMOVE_CHECKPOINTS).state == "done"
        assert names(scratch) == [TRASH, "fff1"] and names(scratch / "fff1") == ["checkpoint-1000"]
        assert act(stage, EMPTY_TRASH).state == "done"
        assert names(scratch / TRASH) == [".gitignore"]

    def test_a_process_killed_between_the_moves_loses_nothing(
        self, lab: Lab, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        finished(lab)
        move, moved = files.move, []

        def killed(*args: Any) -> str | None:
            if moved:
                raise SystemExit(9)
            moved.append(args)
            return move(*args)

        monkeypatch.setattr(files, "move", killed)
        with pytest.raises(SystemExit):
            act(stage, REMOVE_CHECKPOINTS)
        monkeypatch.setattr(files, "move", move)
        manifest = json.loads((batches(lab)[0] / "manifest.json").read_text())
        assert len(manifest["items"]) == 3, "it was written before anything moved"
        (line,) = stage.guard.settle()
        assert "1 of 3 moved" in line and "checkpoint-200: still where it was" in line
        assert len(list(lab.workspace.rglob("model.safetensors"))) == 4
        assert act(stage, REMOVE_CHECKPOINTS).state == "done", "the next one takes the other two"
        assert len(batches(lab)) == 2 and len(thrown(lab)) == 3


class TestEmpty:
    def test_it_shows_what_it_frees_and_deletes_only_what_was_put_there(self, lab: Lab, stage: Stage) -> None:
        finished(lab)
        act(stage, REMOVE_CHECKPOINTS)
        outside = lab.file("keep/weights.pt", "mine")
        (batches(lab)[0] / "001-checkpoint-100" / "link").symlink_to(outside.parent)
        (lab.workspace / TRASH / "notes.txt").write_text("mine too")
        (batches(lab)[0] / "foreign").mkdir()
        told = act(stage, EMPTY_TRASH)
        assert told.state == "done" and "all 3 deleted" in told.text
        request = stage.person.asked[-1]
        text = " ".join(" ".join(request.lines).split())
        assert "deletes FOR GOOD 3 checkpoints of 1 run:" in text and "fff1: 3" in text
        assert "where they were put <1 min ago" in text
        assert "left there: 2 entries that this program did not put there" in text
        assert request.confirm == f"empty {TRASH}" and len(request.listed) == 3
        assert outside.read_text() == "mine", "links are not followed"
        assert names(lab.workspace / TRASH) == [".gitignore", batches(lab)[0].name, "notes.txt"]
        assert names(batches(lab)[0]) == ["foreign", "manifest.json"]

    def test_nothing_is_left_of_a_trash_that_is_all_ours(self, lab: Lab, stage: Stage) -> None:
        finished(lab)
        act(stage, REMOVE_CHECKPOINTS), act(stage, EMPTY_TRASH)
        removed, emptied = (" ".join(" ".join(request.lines).split()) for request in stage.person.asked)
        size = re.search(r"frees ([\d.,]+ \w+)", emptied)
        assert size and f"3 of 4 checkpoints, {size[1]}:" in removed, "one figure, at both"
        assert batches(lab) == []
        assert act(stage, EMPTY_TRASH).text == "the trash is empty: nothing to delete"

    def test_the_last_that_loads_of_a_run_that_can_go_on_is_kept(self, lab: Lab, stage: Stage) -> None:
        dead(lab)
        act(stage, REMOVE_CHECKPOINTS, runs=["ddd1"])
        shutil.rmtree(lab.workspace / "outputs" / "ddd1")
        told = act(stage, EMPTY_TRASH)
        assert told.state == "denied" and "no other checkpoint of ddd1 loads" in told.text
        assert len(thrown(lab)) == 2

    @pytest.mark.parametrize(
        "manifest",
        [
            '{"run": "x", "at": 1, "items": [["../../outputs/fff1/checkpoint-1000", "a", "1:2:d"]]}',
            '{"run": "x", "at": 1, "items": [["..", "a", "1:2:d"]]}',
            '{"run": "x", "at": 1, "items": [["victim", "a", "1:2:d:1:1:1"]]}',
            "not json",
            "[]",
            '{"run": "x"}',
        ],
    )
    def test_a_forged_manifest_deletes_nothing(self, lab: Lab, stage: Stage, manifest: str) -> None:
        finished(lab)
        batch = lab.workspace / TRASH / "forged"
        (batch / "victim").mkdir(parents=True)
        (batch / "manifest.json").write_text(manifest)
        assert act(stage, EMPTY_TRASH).text == "the trash is empty: nothing to delete"
        assert (batch / "victim").is_dir() and (lab.workspace / "outputs/fff1/checkpoint-1000").is_dir()

    def test_what_can_not_be_deleted_is_told_one_by_one(self, lab: Lab, stage: Stage) -> None:
        finished(lab)
        act(stage, REMOVE_CHECKPOINTS)
        real = files.stamp_of

        def failing(name: str, folder: int | None = None) -> files.Stamp:
            if name == "002-checkpoint-200" and folder is not None:
                raise PermissionError(13, "Permission denied")
            return real(name, folder)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "stamp_of", failing)
            told = act(stage, EMPTY_TRASH)
        assert (
            "2 of 3 deleted" in told.text
            and "002-checkpoint-200: still there, whole or in part (Permission" in told.text
        )
        assert thrown(lab) == ["002-checkpoint-200"]
        assert "all 1 deleted" in act(stage, EMPTY_TRASH).text


class TestWords:
    """The playbook, on the demo: what a newcomer types."""

    def test_the_demo_is_tidied_up_and_the_trash_emptied(self, tmp_path: Path) -> None:
        stage = Stage(tmp_path / "state", Playbook())
        stage.person.says = None
        folder = stage.context.place.workspace
        assert "all 6 moved" in stage.ask("archive old logs").text
        assert len(names(folder / "logs" / "archive")) == 6
        assert "moved" in stage.ask("clean up checkpoints of finished runs").text
        assert len(names(folder / "outputs" / "2f9c41d0")) == 2, "the newest and the config"
        told = stage.ask("how much disk do we use?").text
        assert "in the trash, freed when you have it emptied" in told and "logs older than" not in told
        assert "deleted" in stage.ask("empty the trash").text
        assert "in the trash" not in stage.ask("how much disk do we use?").text
        assert names(folder / TRASH) == [".gitignore"]
        assert [request.confirm for request in stage.person.asked] == [
            "archive logs",
            "remove 2f9c41d0",
            f"empty {TRASH}",
        ]
        assert not stage.audit.verify().problems

    def test_a_no_leaves_everything_as_it_was(self, tmp_path: Path) -> None:
        stage = Stage(tmp_path / "state", Playbook())
        before = sorted((stage.context.place.workspace / "logs").iterdir())
        assert "you did not approve it" in stage.ask("archive old logs").text
        assert sorted((stage.context.place.workspace / "logs").iterdir()) == before

    @pytest.mark.parametrize(
        ("said", "intent"),
        [
            ("archive old logs", "archive"),
            ("please archive the logs older than 60 days", "archive"),
            ("clean up checkpoints of finished runs", "remove"),
            ("delete the old checkpoints", "remove"),
            ("empty the trash", "empty"),
            ("how much would it free if we remove checkpoints?", "clean"),
            ("why did you delete the checkpoints of 48213_4?", "explain"),
            ("clean up disk space", "clean"),
            ("which logs can I archive?", "logs"),
        ],
    )
    def test_only_plain_words_are_an_act(self, said: str, intent: str) -> None:
        assert intent_of(said) == intent

    @pytest.mark.parametrize(
        ("intent", "said", "values"),
        [
            ("archive", "archive logs older than 60 days", {"older_than_days": 60}),
            ("archive", "archive logs/run_3.out", {"paths": ["logs/run_3.out"]}),
            ("remove", "remove checkpoint outputs/a1/checkpoint-5", {"paths": ["outputs/a1/checkpoint-5"]}),
            ("remove", "clean up checkpoints of run a1b2c3d4", {"runs": ["a1b2c3d4"]}),
            ("remove", "clean up checkpoints of finished runs", {}),
        ],
    )
    def test_what_is_named_goes_along(self, intent: Any, said: str, values: dict[str, Any]) -> None:
        assert {key: value for key, value in file_call(intent, said)[1].items() if key != "plan"} == values
