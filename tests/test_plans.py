"""Where nobody can be asked an act waits as a plan, which a person in a terminal approves."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest
from lab import Lab
from test_acts import train

AGENT = Path(sys.executable).with_name("agent")


def _run(state: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "XDG_STATE_HOME": str(state), "HOME": str(state), **more}
    return subprocess.run([AGENT, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, env=env)


def _typed(state: Path, words: list[str], keys: bytes, **more: str) -> tuple[int, str]:
    """The exit code and what was seen of a command in a terminal of its own, where ``keys`` answer its question."""
    pid, master = pty.fork()
    if pid == 0:
        env = {**os.environ, "XDG_STATE_HOME": str(state), "HOME": str(state), "TERM": "dumb", **more}
        os.execve(AGENT, [str(AGENT), *words], env)
    seen, waiting, tries = b"", keys, 0
    try:
        while tries < 20:
            if not select.select([master], [], [], 3)[0]:
                tries += 1
                # Ctrl-C between the prompt and the read is only seen with the next key: press it again
                os.write(master, keys if not waiting and keys == b"\x03" else b"")
                continue
            seen += os.read(master, 4096)
            if b"denies >" in seen and waiting:
                os.write(master, waiting)
                waiting = b""
    except OSError:
        pass
    os.close(master)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode()


def _waiting(state: Path) -> str:
    """The name of a plan to cancel the demo's diverged job."""
    done = _run(state, "ask", "--demo", "cancel 48213_4")
    assert done.returncode == 3, done.stderr
    assert "CANCEL 1 JOB   cluster demo   NOT ASKED: no terminal   " in done.stdout
    assert "expires" not in done.stdout, "it is kept for seven days, and no request yet"
    assert all("expires" not in path.read_text() for path in (state / "sweep-agent" / "plans").glob("*.json"))
    (plan,) = [word for word in done.stdout.split() if word.count("-") == 2 and word[:4].isdigit()]
    return plan


def _state_of(state: Path, job: str) -> str:
    jobs = json.loads((state / "sweep-agent" / "demo" / "cluster.json").read_text())["jobs"]
    return str(next(one["state"] for one in jobs if one["id"] == job))


def test_a_plan_is_approved_in_a_terminal_and_then_gone(tmp_path: Path) -> None:
    plan = _waiting(tmp_path)
    assert _run(tmp_path, "approve", plan).returncode == 3, "no terminal: nobody can be asked"
    assert _state_of(tmp_path, "48213_4") == "RUNNING"
    code, seen = _typed(tmp_path, ["approve", plan], b"cancel 48213_4\n")
    assert code == 0, seen
    assert "DONE: cancel 48213_4: no longer in the queue" in seen
    assert _state_of(tmp_path, "48213_4") == "CANCELLED"
    done = _run(tmp_path, "approve", plan)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"there is no plan {plan}; kept: " in done.stderr


def test_a_plan_that_is_declined_is_gone_too(tmp_path: Path) -> None:
    plan = _waiting(tmp_path)
    code, seen = _typed(tmp_path, ["approve", plan], b"no\n")
    assert code == 1
    assert "you did not approve it" in seen
    assert _state_of(tmp_path, "48213_4") == "RUNNING"
    assert _run(tmp_path, "approve", plan).returncode == 1


def test_a_plan_survives_ctrl_c(tmp_path: Path) -> None:
    plan = _waiting(tmp_path)
    code, seen = _typed(tmp_path, ["approve", plan], b"\x03")
    assert code == 130
    assert "NOT DONE: the person stopped it" in seen
    assert (tmp_path / "sweep-agent" / "plans" / f"{plan}.json").exists()
    assert _state_of(tmp_path, "48213_4") == "RUNNING"


@pytest.mark.parametrize("name", ["../../etc/passwd", "nosuch", "1124-0000-abcd", "x" * 300, "a/b"])
def test_what_is_no_plan_is_one_line(tmp_path: Path, name: str) -> None:
    done = _run(tmp_path, "approve", name)
    assert done.returncode == 1
    assert done.stderr.startswith("agent: ") and done.stderr.count("\n") == 1
    assert "kept: none" in done.stderr


def test_an_id_counts_as_typed_only_where_somebody_typed_it(tmp_path: Path) -> None:
    """48213_0 makes progress: words in a pipe or in a script don't name it."""
    done = _run(tmp_path, "ask", "--demo", "cancel 48213_0")
    assert done.returncode == 1 and "needed that it makes no progress" in done.stdout
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    piped = [AGENT, "chat", "--demo"]
    said = subprocess.run(piped, capture_output=True, text=True, input="cancel 48213_0\n", env=env).stdout
    assert "needed that it makes no progress" in said
    code, seen = _typed(tmp_path, ["ask", "--demo", "cancel 48213_0"], b"no\n")
    assert code == 1, "nothing of what was to be changed was"
    assert "it IS making progress" in seen and "you did not approve it" in seen


def test_a_file_elsewhere_is_no_plan(tmp_path: Path) -> None:
    plan = _waiting(tmp_path)
    folder = tmp_path / "sweep-agent" / "plans"
    (folder / f"{plan}.json").rename(folder.parent / "0.json")
    done = _run(tmp_path, "approve", "../0")
    assert (done.returncode, done.stdout) == (1, "")
    assert "../0 is no plan" in done.stderr


def test_a_damaged_or_old_plan_is_not_carried_out(tmp_path: Path) -> None:
    plan = _waiting(tmp_path)
    path = tmp_path / "sweep-agent" / "plans" / f"{plan}.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "at": content["at"] - 8 * 86_400}))
    assert "days old; ask for it again" in _run(tmp_path, "approve", plan).stderr
    path.write_text("{")
    assert "can't be read" in _run(tmp_path, "approve", plan).stderr
    path.write_text(json.dumps({**content, "calls": [["rm_rf", {}]]}))
    assert "names no act" in _run(tmp_path, "approve", plan).stderr


def test_a_plan_is_carried_out_by_its_own_workspaces_commands(lab: Lab, tmp_path: Path) -> None:
    """Whatever folder the person stands in when they approve it."""
    train(lab, "7_1", "aaa1")
    lab.program("make", f'echo "$@" > {lab.workspace}/started; echo Submitted batch job 8')
    lab.file("sweep-agent.yaml", "resume: make -C mine RUN={run}\n")
    lab.file("GNUmakefile", "all:\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "sweep-agent.yaml").write_text("resume: make -C theirs RUN={run}\n")
    slurm = {"SWEEP_AGENT_SLURM_BIN": str(lab.bin)}
    done = _run(tmp_path, "ask", "--workspace", str(lab.workspace), "resume aaa1", **slurm)
    assert done.returncode == 3, done.stderr
    (plan,) = [word for word in done.stdout.split() if word.count("-") == 2 and word[:4].isdigit()]
    words = ["approve", "--workspace", str(elsewhere), plan]
    _, seen = _typed(tmp_path, words, b"resume aaa1\n", **slurm)
    seen = " ".join(seen.split())  # where a line is folded depends on how long the temporary folder's name is
    assert "-C mine RUN=aaa1" in seen and "-C theirs" not in seen
    assert (lab.workspace / "started").read_text() == "-C mine RUN=aaa1\n"


def test_a_plan_that_nobody_answered_in_time_is_kept_and_one_that_was_declined_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from agent.cli import main
    from agent.terminal.asking import TerminalApprover

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    plan = _waiting(tmp_path)
    for said, kept in (("expired", True), ("agreed", True), ("other", False)):
        monkeypatch.setattr(TerminalApprover, "ask", lambda self, request, said=said: said)
        done = CliRunner().invoke(main, ["approve", plan])
        assert done.exit_code == 1 and "NOT DONE: " in done.output
        assert (tmp_path / "sweep-agent" / "plans" / f"{plan}.json").exists() is kept
