"""The one door for processes."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

from tools.sources import command


def _script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    hanging = _script(tmp_path / "hang", f"sleep 300 & echo $! > {marker}; wait")
    with pytest.raises(command.CommandError, match=r"hang did not answer within 0\.5 s"):
        command.run(hanging, [], timeout=0.5)
    assert _ends(int(marker.read_text()))


def _ends(pid: int) -> bool:
    """Whether a process is over, or is within 10 s; told by the kernel."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(handle):
        return bool(select.select([handle], [], [], 10)[0])


def test_hidden_options_in_the_environment_are_not_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "SQUEUE_FORMAT",
        "SLURM_CLUSTERS",
        "SCANCEL_USER",
        "LD_PRELOAD",
        "ANTHROPIC_API_KEY",
        "BASH_ENV",
    ):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm/slurm.conf")
    shown = command.run(_script(tmp_path / "show", "env"), [], timeout=10, env={"SLURM_TIME_FORMAT": "%s"}).out
    names = {line.partition("=")[0] for line in shown.splitlines()}
    assert {"SLURM_CONF", "SLURM_TIME_FORMAT", "PATH"} <= names
    assert not names & {
        "SQUEUE_FORMAT",
        "SLURM_CLUSTERS",
        "SCANCEL_USER",
        "LD_PRELOAD",
        "ANTHROPIC_API_KEY",
        "BASH_ENV",
    }


def test_arguments_reach_the_program_as_they_are(tmp_path: Path) -> None:
    args = ["a b", "$(id)", ";rm", "*", "-u"]
    shown = command.run(_script(tmp_path / "args", 'printf "%s\\n" "$@"'), args, timeout=10).out
    assert shown.splitlines() == args


def test_output_is_bounded(tmp_path: Path) -> None:
    done = command.run(_script(tmp_path / "much", "head -c 3000000 /dev/zero | tr '\\0' x"), [], timeout=20, limit=1000)
    assert done.cut
    assert len(done.out) == 1000


def test_exit_codes_and_errors_come_back(tmp_path: Path) -> None:
    done = command.run(_script(tmp_path / "bad", "echo no >&2; exit 7"), [], timeout=10)
    assert (done.code, done.err.strip(), done.cut) == (7, "no", False)


def test_a_relative_program_is_never_started() -> None:
    with pytest.raises(command.CommandError, match="not an absolute path"):
        command.run(Path("squeue"), [], timeout=1)


class TestFindProgram:
    def test_one_in_the_workspace_or_in_a_world_writable_folder_is_passed_over(self, tmp_path: Path) -> None:
        workspace = tmp_path / "proj"
        planted = _script(workspace / "bin" / "squeue", "echo planted")
        with pytest.raises(command.CommandError, match=r"squeue was not found on PATH .*passed over"):
            command.find_program("squeue", folder=None, workspace=workspace, path=str(planted.parent))

    def test_a_relative_or_empty_entry_of_path_is_ignored(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _script(tmp_path / "squeue", "echo planted")
        monkeypatch.chdir(tmp_path)
        with pytest.raises(command.CommandError, match="squeue was not found"):
            command.find_program("squeue", folder=None, workspace=tmp_path / "proj", path=":.:")

    def test_a_named_folder_is_used_and_must_hold_it(self, tmp_path: Path) -> None:
        own = _script(tmp_path / "slurm" / "squeue", "true")
        assert command.find_program("squeue", folder=own.parent, workspace=tmp_path) == own
        with pytest.raises(command.CommandError, match=r"sacct is not in .*SWEEP_AGENT_SLURM_BIN"):
            command.find_program("sacct", folder=own.parent, workspace=tmp_path)

    def test_the_system_folders_are_trusted(self, tmp_path: Path) -> None:
        found = command.find_program("sh", folder=None, workspace=tmp_path, path="/usr/bin:/bin")
        assert found.name == "sh" and os.access(found, os.X_OK)
