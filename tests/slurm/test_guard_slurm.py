"""Acts on a real Slurm: the one job that was named, nothing else, and told as it is."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cluster import Cluster
from settings import CLUSTER

sys.path.insert(0, str(Path(__file__).parents[1]))
from servers.wandb import KEY, WandbServer
from stage import PLAN, Stage

from agent.models.playbook import Playbook
from agent.told import Told
from tools.actions import programs
from tools.actions.cancel import SCANCEL
from tools.actions.cancel_sweep import CANCEL_SWEEP
from tools.actions.launch import LAUNCH
from tools.actions.resume import RESUME
from tools.acts import Ran
from tools.base import ActTool
from tools.checked import checked
from tools.layout import Layout
from tools.place import Place
from tools.sources.command import user_name
from tools.text import Redactor

TASKS = 8
SCRIPT = """#!/bin/bash
#SBATCH --output=logs/run_%j.out
#SBATCH --partition=low
mkdir -p logs
echo "wandb: 🚀 View run at https://wandb.ai/lab/proj/runs/$2"
echo "wandb: 🧹 View sweep at https://wandb.ai/lab/proj/sweeps/$1"
echo "epoch 3/100"
sleep 600
"""


# Each says which run it is, as a job does that trains: one that does not may be any run that is to be resumed.
SLEEPS = "echo wandb: View run at https://wandb.ai/lab/proj/runs/slp$SLURM_ARRAY_TASK_ID; sleep 600"


class Scene:
    """An array of eight tasks that only sleep, and a workspace whose Makefile resumes runs."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.workspace = folder / "proj"
        (self.workspace / "logs").mkdir(parents=True)
        (self.workspace / "experiments").mkdir()
        script = self.workspace / "experiments" / "run.sbatch"
        script.write_text(SCRIPT)
        sbatch = cluster.bin / "sbatch"
        (self.workspace / "Makefile").write_text(f"run:\n\t{sbatch} experiments/run.sbatch $(SWEEP) $(RUN)\n")
        self.array = cluster.run(
            "sbatch", "--parsable", f"--array=0-{TASKS - 1}", "--partition=low", "--output=logs/%A_%a.out",
            "--job-name=--user=x", f"--wrap={SLEEPS}", cwd=self.workspace,
        )  # fmt: skip
        cluster.wait("eight running tasks", lambda: len(self.running()) == TASKS, seconds=60)

    def running(self) -> set[str]:
        shown = self.cluster.run("squeue", "-h", "-r", "-t", "R", "-j", self.array, "-o", "%i", check=False)
        return set(shown.split())

    def accounting(self, job: str) -> dict[str, str]:
        shown = self.cluster.run("sacct", "-X", "-D", "-n", "-P", "-j", job, "--format=JobID,State")
        return {line.split("|")[0]: line.split("|")[1].split()[0] for line in shown.splitlines()}

    def stage(self, name: str, **layout: Any) -> Stage:
        place = Place(
            self.workspace, checked(Layout, layout), user_name(), Redactor(), slurm_bin=self.cluster.bin,
            environ={"WANDB_CONFIG_DIR": str(self.folder)}, state=self.folder / name,
        )  # fmt: skip
        stage = Stage(self.folder / name, Playbook(), place)
        stage.person.says = None
        return stage

    def dead_run(self, run: str) -> None:
        """A run that was preempted a while ago, by its files: a checkpoint of it loads."""
        folder = self.workspace / "outputs" / run / "checkpoint-300"
        folder.mkdir(parents=True)
        from lab import safetensors

        (folder / "model.safetensors").write_bytes(safetensors())
        (folder / "trainer_state.json").write_text('{"global_step": 300, "epoch": 30}')
        job = self.cluster.run(
            "sbatch", "--parsable", "--partition=low", "experiments/run.sbatch", "sw1", run, cwd=self.workspace
        )
        log = self.workspace / "logs" / f"run_{job}.out"
        self.cluster.wait("its log", lambda: log.exists() and "epoch 3" in log.read_text())
        self.cluster.run("scancel", "--", job)
        self.cluster.wait("its end", lambda: self.accounting(job).get(job) == "CANCELLED")


@pytest.fixture(scope="module")
def scene(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = cluster.env["SLURM_CONF"]
    folder = tmp_path_factory.mktemp("guard")
    try:
        yield Scene(cluster, folder)
    finally:
        os.environ.pop("SLURM_CONF") if before is None else os.environ.update(SLURM_CONF=before)


def _act(stage: Stage, tool: ActTool, **values: Any) -> Told:
    stage.context.forget()
    (told,) = stage.guard.act([(tool, values)])
    return told


def _cancel(stage: Stage, job: str) -> Told:
    stage.ask(f"hello {job}", typed=True)
    return _act(stage, SCANCEL, job_id=job, plan=PLAN)


class TestOneTask:
    """In the order of the file: each works on a task of its own."""

    def test_its_seven_siblings_go_on_whatever_the_environment_says(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fake = scene.workspace / "bin"
        fake.mkdir()
        (fake / "scancel").write_text(f"#!/bin/sh\ntouch {fake}/was-started\n")
        (fake / "scancel").chmod(0o755)
        monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
        monkeypatch.setenv("SCANCEL_NAME", "--user=x")
        monkeypatch.setenv("SCANCEL_STATE", "PENDING")
        monkeypatch.setenv("SLURM_CLUSTERS", "elsewhere")
        told = _cancel(scene.stage("one"), f"{scene.array}_3")
        assert told.state == "done", told
        assert "7 other tasks of its array untouched" in told.text
        scene.cluster.wait("seven left", lambda: len(scene.running()) == TASKS - 1)
        name = f"{scene.array}_3"
        scene.cluster.wait("the accounting", lambda: scene.accounting(scene.array).get(name) == "CANCELLED")
        states = scene.accounting(scene.array)
        assert {job for job, state in states.items() if state == "CANCELLED"} == {name}
        assert sum(state == "RUNNING" for state in states.values()) == TASKS - 1
        assert not (fake / "was-started").exists()

    def test_a_job_that_has_ended_is_refused(self, scene: Scene) -> None:
        told = _cancel(scene.stage("ended"), f"{scene.array}_3")
        assert told.state == "denied"
        assert "in the queue now, which is not so (CANCELLED" in told.text or "not in the queue" in told.text

    def test_an_array_is_refused_also_where_a_task_has_the_same_number(self, scene: Scene) -> None:
        stage = scene.stage("array")
        told = _cancel(stage, scene.array)
        assert told.state == "denied"
        assert "names a whole array" in told.text
        raw = scene.cluster.run("squeue", "-h", "-r", "-j", f"{scene.array}_2", "-O", "JobID:20").strip()
        if raw != scene.array:
            told = _cancel(stage, raw)
            assert told.state == "denied"
            assert f"{raw} is Slurm's own number of {scene.array}_2" in told.text
        assert stage.person.asked == []
        assert len(scene.running()) == TASKS - 1

    @pytest.mark.parametrize(
        "job", ["{0}_[0-7]", "{0}_1,{0}_2", "{0}_*", "-u", "--user=root", "{0}_1 {0}_2", "{0}_1\n"]
    )
    def test_what_is_no_single_id_never_comes_near(self, scene: Scene, job: str) -> None:
        stage = scene.stage("ids")
        told = _act(stage, SCANCEL, job_id=job.format(scene.array), plan=PLAN)
        assert told.state == "failed"
        assert "invalid arguments" in told.text
        assert stage.person.asked == []

    def test_another_users_job_is_refused(self, scene: Scene) -> None:
        if os.getuid() or not shutil.which("setpriv"):
            pytest.skip("needs root and setpriv to submit as another user")
        place = Path("/tmp")
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", scene.cluster.bin / "sbatch", "--parsable",
             "--partition=low", "--output=/dev/null", "--wrap=sleep 300"],
            capture_output=True, text=True, cwd=place, env={**scene.cluster.env, "HOME": "/tmp"},
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"another user can't submit here: {done.stderr.strip()}")
        job = done.stdout.strip()
        told = _cancel(scene.stage("other"), job)
        assert told.state == "denied"
        assert "is no job of yours" in told.text
        assert scene.cluster.run("squeue", "-h", "-j", job, "-o", "%T") in {"RUNNING", "PENDING"}
        scene.cluster.run("scancel", "--", job)

    def test_a_job_that_was_requeued_since_the_approval_is_another_one(self, scene: Scene) -> None:
        job = f"{scene.array}_5"
        stage = scene.stage("requeued")

        def requeue() -> None:
            scene.cluster.run("scontrol", "requeue", job)
            begun = ("-h", "-j", job, "-O", "RestartCnt:9")
            scene.cluster.wait("the requeue", lambda: scene.cluster.run("squeue", *begun).strip() == "1")

        stage.person.meanwhile = requeue
        told = _cancel(stage, job)
        assert told.state == "denied", told
        assert "changed after the approval" in told.text
        assert "restarts: 0 → 1" in told.text
        assert scene.cluster.run("squeue", "-h", "-j", job, "-o", "%T") in {"RUNNING", "PENDING", "CONFIGURING"}

    def test_a_job_that_ended_since_the_approval_is_told(self, scene: Scene) -> None:
        job = f"{scene.array}_6"
        stage = scene.stage("gone")

        def end() -> None:
            scene.cluster.run("scancel", "--", job)
            scene.cluster.wait("its end", lambda: job not in scene.running())

        stage.person.meanwhile = end
        assert _cancel(stage, job).state == "denied"

    def test_the_first_task_of_which_the_number_is_the_arrays(self, scene: Scene) -> None:
        """One task of an array has the array's own number: only its full name may reach scancel."""
        shown = scene.cluster.run("squeue", "-h", "-r", "-j", scene.array, "-O", "JobArrayID:30,JobID:20")
        same = [line.split()[0] for line in shown.splitlines() if line.split()[1] == scene.array]
        assert same, "the task that holds the array's number is gone"
        before = scene.running()
        told = _cancel(scene.stage("same"), same[0])
        assert told.state == "done", told
        scene.cluster.wait("its end", lambda: same[0] not in scene.running())
        assert before - scene.running() == {same[0]}


class TestSubmitting:
    def test_a_run_is_resumed_found_by_its_number_and_not_resumed_again(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene.dead_run("aaa1")
        monkeypatch.setenv("SBATCH_JOB_NAME", "wrong")
        monkeypatch.setenv("SBATCH_PARTITION", "nowhere")
        monkeypatch.setenv("SLURM_JOB_NAME", "wrong")
        stage = scene.stage("resume")
        stage.ask("resume aaa1", typed=True)
        assert [request.confirm for request in stage.person.asked] == ["resume aaa1"]
        entry = [entry for entry in stage.audit.entries() if entry["kind"] == "verified"][-1]
        ((run, job),) = entry["submitted"]
        assert (run, entry["state"]) == ("aaa1", "done")
        assert scene.cluster.run("squeue", "-h", "-j", job, "-o", "%j %o").startswith("run.sbatch ")
        again = _act(stage, RESUME, plan=PLAN, run="aaa1")
        assert again.state == "denied"
        assert re.search(rf"job {job} (waits with|trains) it", again.text)
        scene.cluster.run("scancel", "--", job)

    def test_a_submission_that_is_refused_is_told_with_what_it_said(self, scene: Scene) -> None:
        scene.dead_run("bbb2")
        template = f"{scene.cluster.bin}/sbatch --partition=nosuch experiments/run.sbatch {{sweep}} {{run}}"
        stage = scene.stage("refused", resume=template)
        stage.ask("resume bbb2", typed=True)
        told = _act(stage, RESUME, plan=PLAN, run="bbb2")
        assert told.state == "failed"
        assert "no job was submitted" in told.text and "nvalid partition" in told.text

    def test_agents_are_started_as_an_array(self, scene: Scene) -> None:
        stage = scene.stage("launch", launch=f"{scene.cluster.bin}/sbatch experiments/run.sbatch {{sweep}} new1")
        stage.ask("hello sw1", typed=True)
        told = _act(stage, LAUNCH, plan=PLAN, sweep="sw1", count=2)
        assert told.state == "done", told
        job = re.search(r"job (\d+)", told.text)
        assert job
        assert len(scene.cluster.run("squeue", "-h", "-r", "-j", job[1], "-o", "%i").split()) == 2
        scene.cluster.run("scancel", "--", job[1])


class TestANamedCluster:
    """``cluster:`` in the project file."""

    def test_a_submission_and_a_cancel_go_there(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SLURM_CLUSTERS", "elsewhere")
        scene.dead_run("ccc3")
        template = f"{scene.cluster.bin}/sbatch experiments/run.sbatch {{sweep}} {{run}}"
        stage = scene.stage("named", resume=template, cluster=CLUSTER)
        stage.ask("resume ccc3", typed=True)
        request = " ".join(stage.person.asked[0].lines)
        assert f"cluster {CLUSTER}" in request and f"-M {CLUSTER}" in " ".join(request.split())
        entry = [entry for entry in stage.audit.entries() if entry["kind"] == "verified"][-1]
        ((_, job),) = entry["submitted"]
        # one that starts between the approval and the cancel is another thing than was approved
        scene.cluster.wait("its start", lambda: scene.cluster.run("squeue", "-h", "-j", job, "-o", "%T") == "RUNNING")
        told = _cancel(stage, job)
        assert told.state == "done", told
        scene.cluster.wait("its end", lambda: scene.accounting(job).get(job) == "CANCELLED")

    def test_one_that_is_not_known_is_no_empty_one(self, scene: Scene) -> None:
        stage = scene.stage("unknown", cluster="nosuch")
        sources = {source.name: source for source in stage.context.look()[0].sources}
        for name in ("squeue", "sacct"):
            assert "No cluster 'nosuch' known" in (sources[name].error or "")
        told = _cancel(stage, f"{scene.array}_5")
        assert told.state == "denied" and "the queue can't be read" in told.text
        # requeued by a test before this one, it runs or waits for its next start
        alive = scene.cluster.run("squeue", "-h", "-r", "-t", "R,PD,CF", "-j", scene.array, "-o", "%i").split()
        assert f"{scene.array}_5" in alive


class TestHangingController:
    def test_a_cancel_that_takes_effect_later_is_not_repeated_and_is_settled_by_reading(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(programs, "CANCEL_TIMEOUT_S", 1.0)
        job = f"{scene.array}_4"
        stage = scene.stage("hangs")
        pid = scene.cluster.pid("slurmctld")
        tool = ActTool(
            SCANCEL.name, SCANCEL.args, SCANCEL.verb, SCANCEL.propose,
            lambda context, action: _stopped(pid, lambda: SCANCEL.perform(context, action)), SCANCEL.settle,
        )  # fmt: skip
        stage.ask(f"hello {job}", typed=True)
        told = _act(stage, tool, job_id=job, plan=PLAN)
        # the controller was asleep while scancel ran; awake again it may carry the message out, or have lost it
        assert told.state in {"unknown", "done"}, told
        if told.state == "unknown":
            assert "NOT KNOWN YET" in told.text
            again = _act(stage, SCANCEL, job_id=job, plan=PLAN)
            assert again.state == "denied"
        scene.cluster.wait("the end of it", lambda: job not in scene.running(), seconds=30)
        assert all("still" not in line for line in stage.guard.record.settle_all())
        assert not [entry for entry in stage.audit.entries() if entry["kind"] == "intended"][1:], "begun once"


def _stopped(pid: int, run: Callable[[], Ran]) -> Ran:
    os.kill(pid, signal.SIGSTOP)
    try:
        return run()
    finally:
        os.kill(pid, signal.SIGCONT)


class TestWholeSweep:
    def test_each_task_of_it_is_cancelled_by_its_own_id_and_no_other_array(self, scene: Scene) -> None:
        says = (
            'echo "wandb: 🚀 View run at https://wandb.ai/lab/proj/runs/rrr$SLURM_ARRAY_TASK_ID"; '
            'echo "wandb: 🧹 View sweep at https://wandb.ai/lab/proj/sweeps/sw9"; echo "epoch 3/100"; sleep 600'
        )
        array = scene.cluster.run(
            "sbatch", "--parsable", "--array=0-2", "--partition=low", "--output=logs/%A_%a.out", f"--wrap={says}",
            cwd=scene.workspace,
        )  # fmt: skip
        logs = [scene.workspace / "logs" / f"{array}_{task}.out" for task in range(3)]
        scene.cluster.wait("their logs", lambda: all(log.exists() and "epoch 3" in log.read_text() for log in logs), 60)
        others = scene.running()
        with WandbServer() as server:
            server.world.add_sweep("sw9", "proj", "lab")
            for task in range(3):
                server.world.add_run(f"rrr{task}", "sw9", "proj", "lab")
            stage = scene.stage("sweep")
            told = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY, "WANDB_ENTITY": "lab", "WANDB_PROJECT": "proj"}
            stage.context.place = replace(stage.context.place, environ=told)
            stage.ask("hello sw9", typed=True)
            done = _act(stage, CANCEL_SWEEP, sweep="sw9", reason="a test", plan=PLAN)
            assert done.state == "done", done
            assert "3 of 3 jobs ended; W&B calls it CANCELED" in done.text
        names = {f"{array}_{task}" for task in range(3)}
        scene.cluster.wait(
            "the accounting", lambda: {scene.accounting(array).get(name) for name in names} == {"CANCELLED"}
        )
        assert others and others <= scene.running()
