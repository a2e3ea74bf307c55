"""The cluster that a transcript is played on: the embedded demo, changed as the file says, with a clock of its own."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent import demo
from agent.demo.changes import changing, reading
from agent.demo.wandb_run import run_log
from agent.demo.wandb_service import DemoWandb
from agent.demo.world import read_scenario
from agent.transcript import Cluster, TranscriptError, Words
from tools.layout import Layout
from tools.place import Place
from tools.sources.command import user_name
from tools.text import Redactor

_WORDS = frozenset(
    "raw sweep state exit submit start end limit node partition reason restarts name dies elsewhere before user runs "
    "run".split()
)
_ENDED = frozenset(("COMPLETED", "FAILED", "CANCELLED", "PREEMPTED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"))


class Simulated:
    """One cluster below ``state``, from the time ``now`` (epoch seconds) on. Raises TranscriptError, OSError."""

    def __init__(self, state: Path, described: Cluster, now: float) -> None:
        self.now = now
        self._state, self._described = state, described
        self._scenario = _scenario(described)
        self._made_at = 0.0
        self.go(now)

    def go(self, to: float) -> None:
        """Let the clock go on."""
        self.now = max(self.now, to)
        ready = demo.prepare(self._state, self.now, scenario=self._scenario, still=True)
        self._workspace, self._bin = ready.workspace, ready.slurm_bin
        if ready.made_at != self._made_at:  # also made anew, a day later
            self._made_at = ready.made_at
            self._describe()

    def sleep(self, seconds: float) -> None:
        self.go(self.now + seconds)

    def place(self, environ: Mapping[str, str]) -> Place:
        return Place(
            workspace=self._workspace,
            layout=Layout(),
            user=user_name(),
            redactor=Redactor.from_environment(environ, {}),
            slurm_bin=self._bin,
            environ={name: value for name, value in environ.items() if not name.startswith("WANDB_")},
            demo=True,
            wandb=lambda: DemoWandb(self._file, self._made_at, lambda: self.now, self._scenario),
            state=self._state,
        )

    def standing(self) -> dict[str, str]:
        """Job -> its state as it was last written down (what was submitted is still PENDING there when it runs), and
        what W&B was told: ``sweep xk31p7`` or ``run a1b2c3d4`` -> its state or text."""
        told = {row["id"]: str(row["state"]) for row in reading(self._file)["jobs"]}
        for kind, entries in reading(self._file.with_name("wandb.json")).items():
            for name, values in entries.items():
                said = [str(values[key]) for key in ("state", "stopped", "description", "notes") if key in values]
                told[f"{kind.removesuffix('s')} {name}"] = "; ".join(said) or "made"
        return told

    def change(self, jobs: Mapping[str, Words]) -> None:
        """Let the cluster say something else of its jobs from now on."""
        with changing(self._file) as state:
            for row in state["jobs"]:
                row.update(jobs.get(row["id"], {}))
                if row["id"] in jobs and row["state"] in _ENDED:
                    row["end"] = self.now

    @property
    def _file(self) -> Path:
        return self._state / "demo" / "cluster.json"

    def _describe(self) -> None:
        for name, text in self._described.files.items():
            path = _inside(self._workspace, name)
            if text is None:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                continue
            at = path.stat().st_mtime if path.is_file() else self.now
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(text)
            os.utime(path, (at, at))
        with changing(self._file.with_name("wandb.json")) as kept:
            for kind, what in self._described.wandb.items():
                kept[kind].update(what)
        for run in self._described.offline:
            self._offline(run)
        for program, complaint in self._described.fails.items():
            if not (self._bin / program).is_file():
                raise TranscriptError(f"cluster.fails: the demo has no program {program}")
            (self._bin / program).write_text(f"#!/bin/sh\necho '{complaint}' >&2\nexit 1\n", encoding="utf-8")

    def _offline(self, run: str) -> None:
        began = self.now - 3 * 3600
        at = time.strftime("%Y%m%d_%H%M%S", time.localtime(began))
        folder = self._workspace / "wandb" / f"offline-run-{at}-{run}"
        folder.mkdir(parents=True)
        rows = [{"epoch": epoch, "loss": 1 / epoch, "_step": epoch} for epoch in range(1, 9)]
        log = folder / f"run-{run}.wandb"
        log.write_bytes(run_log({"run": run, "project": "molprop"}, began, {}, rows, 0))
        os.utime(log, (began + 3600, began + 3600))
        (folder / "files").mkdir()
        (folder / "files" / "wandb-summary.json").write_text(json.dumps(rows[-1]), encoding="utf-8")


def _inside(workspace: Path, name: str) -> Path:
    path = (workspace / name).resolve()
    if not path.is_relative_to(workspace.resolve()):
        raise TranscriptError(f"cluster.files: {name} lies outside the workspace")
    return path


def _scenario(described: Cluster) -> dict[str, Any]:
    """The demo's own, with what the file changes of it."""
    raw = read_scenario()
    jobs = {job["id"]: job for job in raw["jobs"]}
    for job in described.without:
        if jobs.pop(job, None) is None:
            raise TranscriptError(f"cluster.without: the demo has no job {job}")
    for number, (job, given) in enumerate(described.jobs.items()):
        if unknown := sorted(set(given) - _WORDS):
            known = ", ".join(sorted(_WORDS))
            raise TranscriptError(f"cluster.jobs.{job}: unknown word {unknown[0]}; there are: {known}")
        words = dict(given)
        before = jobs.get(job) or {"id": job, "raw": 90000 + number, "state": "RUNNING", "start": -20, "limit": 60}
        if last := words.pop("run", None):
            *runs, old = words.get("runs") or before.get("runs") or [{"epoch": None, "lr": 5e-5}]
            words["runs"] = [*runs, {**old, **last}]
        jobs[job] = {**before, **words}
    return {**raw, "jobs": list(jobs.values())}
