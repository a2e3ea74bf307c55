"""``cluster:`` in the project file: every Slurm command is sent there, and a person sees it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from lab import Lab
from stage import PLAN, Stage
from test_acts import MAKEFILE, train
from test_slurm import VERSIONS

from agent.config import load
from agent.config_file import ConfigError
from agent.models.playbook import Playbook
from tools.actions.cancel import SCANCEL
from tools.actions.resume import RESUME
from tools.actions.submitted import printed_jobs
from tools.next_step import sent_to
from tools.sources import slurm
from tools.sources.log_paths import read_submit_line

CAPTURES = Path(__file__).parents[1] / "fixtures" / "slurm" / "clusters"
FAKE = """#!{python} -I
import re, sys
args = sys.argv[1:]
assert args[:2] == ["-M", "alpha"] and args.count("-M") == 1 and args[2] == "-h", args
text = open({capture!r}, newline="").read()
form = args[args.index("-O") + 1]
field = re.search("JobID:20([^,]+),", form)[1]
sys.stdout.write(text.replace("\\x1fFIELD", field).replace("\\x1eRECORD", form.rpartition("Name:256")[2]))
"""


@pytest.mark.parametrize("version", VERSIONS)
class TestRealAnswers:
    """Captured with -M from a real Slurm of each version."""

    def test_the_queue_of_one_cluster_is_read_without_a_header(self, version: str, tmp_path: Path) -> None:
        squeue = tmp_path / "squeue"
        squeue.write_text(FAKE.format(python=sys.executable, capture=str(CAPTURES / version / "squeue.out")))
        squeue.chmod(0o755)
        listing = slurm.read_queue(squeue, "alice", "alpha")
        assert listing.unreadable == 0 and len(listing.jobs) == 3
        assert sum(job.task is not None for job in listing.jobs) == 2
        assert (CAPTURES / version / "squeue_with_header.out").read_text() == "CLUSTER: alpha\n", "what -h keeps away"

    def test_what_sbatch_prints_is_understood(self, version: str) -> None:
        for name in ("sbatch.out", "sbatch_parsable.out"):
            (job,) = printed_jobs((CAPTURES / version / name).read_text())
            assert job.isdigit()

    def test_a_cluster_that_is_not_known_is_no_empty_one(self, version: str, lab: Lab) -> None:
        """sacct exits with 0 and says nothing: seen on all three."""
        assert (CAPTURES / version / "unknown_sacct.out").read_text() == "exit code 0\n"
        lab.program("squeue", f"sed '$d' {CAPTURES}/{version}/unknown_squeue.out >&2; exit 1")
        lab.program("sacct", "exit 0")
        sources = {source.name: source for source in lab.status(cluster="nosuch").sources}
        for name in ("squeue", "sacct"):
            assert not sources[name].ok and "No cluster 'nosuch' known" in (sources[name].error or "")


def stage_of(lab: Lab, tmp_path: Path, **layout: str) -> Stage:
    for name in ("scancel", "sbatch", "make"):
        lab.program(name, "exit 0")
    lab.on_cluster("alpha")
    return Stage(tmp_path / "state", Playbook(), lab.place(cluster="alpha", **layout))


def asked(stage: Stage) -> str:
    return " ".join(" ".join(stage.person.asked[-1].lines).split())


def test_a_cancel_goes_there_and_says_so(lab: Lab, tmp_path: Path) -> None:
    train(lab, "7_1", "aaa1", "RUNNING")
    stage = stage_of(lab, tmp_path)
    stage.ask("hello 7_1", typed=True)
    (told,) = stage.guard.act([(SCANCEL, {"job_id": "7_1", "plan": PLAN})])
    assert told.state == "declined", told.text
    assert "scancel-Malpha--7_1" in asked(stage).replace(" ", "") and "cluster alpha" in asked(stage)


def test_a_submission_goes_there(lab: Lab, tmp_path: Path) -> None:
    train(lab, "7_1", "aaa1")
    lab.file("resume.sh", "#!/bin/sh\n")
    stage = stage_of(lab, tmp_path, resume="sbatch resume.sh {sweep} {run}")
    assert "sbatch -M alpha resume.sh sw1 aaa1" in (stage.context.look()[0].runs[0].action or ""), "as it is shown too"
    stage.guard.act([(RESUME, {"run": "aaa1", "plan": PLAN})])
    assert "sbatch -M alpha resume.sh sw1 aaa1" in asked(stage)


def test_of_another_program_it_is_said_that_it_is_not_bound(lab: Lab, tmp_path: Path) -> None:
    lab.file("Makefile", MAKEFILE)
    train(lab, "7_1", "aaa1")
    stage = stage_of(lab, tmp_path)
    stage.guard.act([(RESUME, {"run": "aaa1", "plan": PLAN})])
    assert "not bound: that make submits to cluster alpha" in asked(stage)


def test_a_command_that_submits_elsewhere_is_refused(lab: Lab, tmp_path: Path) -> None:
    train(lab, "7_1", "aaa1")
    lab.file("resume.sh", "#!/bin/sh\n")
    stage = stage_of(lab, tmp_path, resume="sbatch --clusters=beta resume.sh {run}")
    (told,) = stage.guard.act([(RESUME, {"run": "aaa1", "plan": PLAN})])
    assert told.state == "denied" and "submits to beta, but cluster: in sweep-agent.yaml says alpha" in told.text


def test_the_status_names_it(lab: Lab) -> None:
    train(lab, "7_1", "aaa1", "RUNNING")
    lab.on_cluster("alpha")
    status = lab.status(cluster="alpha")
    assert status.cluster == "alpha" and [row.job for row in status.runs] == ["7_1"]
    assert lab.status().runs == () or not any(source.ok for source in lab.status().sources[:2]), "others get nothing"


@pytest.mark.parametrize(
    ("line", "clusters"),
    [
        ("sbatch -M beta run.sh", "beta"),
        ("sbatch -Mbeta run.sh", "beta"),
        ("sbatch --clusters=beta run.sh", "beta"),
        ("sbatch --clusters beta run.sh -M no", "beta"),
        ("sbatch --clus beta run.sh", "beta"),
        ("sbatch -p low run.sh -M argument", None),
    ],
)
def test_where_a_line_submits_to(line: str, clusters: str | None) -> None:
    told = read_submit_line(line)
    assert (told.clusters, told.script) == (clusters, "run.sh")
    assert (sent_to("alpha", line) == line) == bool(clusters)


@pytest.mark.parametrize("name", ["all", "a,b", "-x", "a b", "../x", ""])
def test_anything_but_one_name_is_refused(name: str, workspace: Path) -> None:
    (workspace / "sweep-agent.yaml").write_text(f'cluster: "{name}"\n')
    with pytest.raises(ConfigError, match=r"sweep-agent\.yaml line 1: cluster: "):
        load({}, workspace=str(workspace))
