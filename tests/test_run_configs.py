"""Which resolved config is a run's before it has saved anything: by what ties the folder to it, never by the time."""

from __future__ import annotations

import os

import pytest
from lab import HOUR, NOW, Lab
from layouts import said
from layouts.files import run_folder

from tools.data import Job
from tools.diagnosis.join import Link
from tools.run_files import jobs_of_runs

FOLDER = "outputs/2026-11-20/10-00-00"


def _folder(lab: Lab, folder: str = FOLDER, *overrides: str, epochs: int = 300, hours_ago: float = 9.5) -> None:
    lab.file(f"{folder}/.hydra/config.yaml", f"trainer:\n  max_epochs: {epochs}\n")
    told = lab.file(f"{folder}/.hydra/overrides.yaml", "".join(f"- {word}\n" for word in overrides) or "[]\n")
    os.utime(told, (NOW - hours_ago * HOUR,) * 2)


def _agent_job(lab: Lab, arguments: str, job: str = "60", run: str = "aaaa1111", **own: object) -> None:
    lab.job(job, **own)
    log = said.agent_starts(arguments) + said.init(run, "/x", sweep="sw1") + said.agent_runs(run)
    lab.file(f"logs/{job}.out", log + "epoch 3 | loss 0.4\n")


class TestOverrides:
    """The agent's command and Hydra's own note of it agree, and the note was written while the job ran."""

    def test_the_agents_command_names_the_folder(self, lab: Lab) -> None:
        _agent_job(lab, "lr=0.1 +model.size=large")
        _folder(lab, FOLDER, "lr=0.1", "+model.size=large")
        _folder(lab, "outputs/2026-11-20/10-00-01", "lr=0.2", "+model.size=large", epochs=7)
        assert lab.row("60").target_epochs == 300

    def test_so_do_the_arguments_of_a_submit_line(self, lab: Lab) -> None:
        lab.job("60", submit_args="train.sh lr=0.1", command="train.sh lr=0.1")
        lab.file("logs/60.out", said.init("aaaa1111", "/x") + "epoch 3 | loss 0.4\n")
        _folder(lab, FOLDER, "lr=0.1")
        assert lab.row("60").target_epochs == 300

    @pytest.mark.parametrize("hours_ago", [10.5, 0.5])
    def test_one_of_another_time_is_another_runs(self, lab: Lab, hours_ago: float) -> None:
        _agent_job(lab, "lr=0.1", state="PREEMPTED")
        _folder(lab, FOLDER, "lr=0.1", hours_ago=hours_ago)
        assert lab.row("60").target_epochs is None

    @pytest.mark.parametrize("overrides", [("lr=0.2",), ("lr=0.1", "seed=2"), ()])
    def test_other_overrides_are_another_runs(self, lab: Lab, overrides: tuple[str, ...]) -> None:
        _agent_job(lab, "lr=0.1")
        _folder(lab, FOLDER, *overrides)
        assert lab.row("60").target_epochs is None

    def test_two_folders_with_the_same_are_neithers(self, lab: Lab) -> None:
        _agent_job(lab, "lr=0.1")
        for place in (FOLDER, "outputs/2026-11-20/10-00-01"):
            _folder(lab, place, "lr=0.1")
        assert lab.row("60").target_epochs is None

    def test_two_runs_with_the_same_own_neither(self, lab: Lab) -> None:
        _agent_job(lab, "lr=0.1")
        _agent_job(lab, "lr=0.1", "61", "bbbb2222")
        _folder(lab, FOLDER, "lr=0.1")
        assert [lab.row(job).target_epochs for job in ("60", "61")] == [None, None]

    def test_a_command_without_overrides_ties_nothing(self, lab: Lab) -> None:
        _agent_job(lab, "")
        _folder(lab)
        assert lab.row("60").target_epochs is None


class TestOtherTies:
    def test_the_job_that_hydra_noted(self, lab: Lab) -> None:
        lab.job("60_2", raw="63")
        lab.file("logs/60_2.out", said.init("aaaa1111", "/x") + "epoch 3 | loss 0.4\n")
        _folder(lab, "multirun/2026-11-20/10-00-00/2")
        lab.file(
            "multirun/2026-11-20/10-00-00/2/.hydra/hydra.yaml", "hydra:\n  job:\n    name: train\n    id: '60_2'\n"
        )
        assert lab.row("60_2").target_epochs == 300

    def test_the_folder_that_the_command_names(self, lab: Lab) -> None:
        _agent_job(lab, "lr=0.1 hydra.run.dir=results/a")
        _folder(lab, "results/a", "lr=0.1")
        _folder(lab, "results/b", "lr=0.1", epochs=7)
        assert lab.row("60").target_epochs == 300

    def test_of_a_resumed_run_the_newest_folder(self, lab: Lab) -> None:
        _agent_job(lab, "")
        for number, (epochs, hours) in enumerate(((100, 30.0), (300, 9.0))):
            _folder(lab, f"multirun/{number}", epochs=epochs)
            run_folder(lab, "aaaa1111", f"multirun/{number}", hours_ago=hours)
        assert lab.row("60").target_epochs == 300

    def test_a_folder_with_two_runs_files_is_neithers(self, lab: Lab) -> None:
        _agent_job(lab, "")
        _agent_job(lab, "", "61", "bbbb2222")
        _folder(lab)
        for run in ("aaaa1111", "bbbb2222"):
            run_folder(lab, run, FOLDER)
        assert [lab.row(job).target_epochs for job in ("60", "61")] == [None, None]

    def test_the_workspaces_own_folder_is_no_runs(self, lab: Lab) -> None:
        _agent_job(lab, "")
        _folder(lab, ".")
        run_folder(lab, "aaaa1111")
        assert lab.row("60").target_epochs is None


def test_what_is_named_after_a_job_is_of_its_run_where_it_trained_no_other() -> None:
    def link(job: str, raw: str, run: str) -> Link:
        return Link(Job(job, raw, "train", "me", "FAILED", "sacct"), run)

    links = [
        link("7_3", "9", "a"),
        link("7_4", "7", "b"),
        link("8", "8", "c"),
        link("5", "5", "d"),
        link("5", "5", "e"),
    ]
    # the last task of an array to start has the array's number, which stands for all of them
    assert jobs_of_runs(links) == {"a": ["7_3", "9"], "b": ["7_4"], "c": ["8"], "d": [], "e": []}
