"""The commands as a person starts them: output, exit codes, and one line for every error."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from lab import Lab
from servers.messages import MessagesServer, Reply, text

AGENT = Path(sys.executable).with_name("agent")
ROOT = Path(__file__).parents[1]


def agent(*argv: str, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environ}
    return subprocess.run(
        [AGENT, *argv], capture_output=True, text=True, env=env, cwd=cwd, stdin=subprocess.DEVNULL, timeout=60
    )


class TestDemo:
    def test_check_on_sweeps(self) -> None:
        done = agent("ask", "check on sweeps", "--demo")
        assert done.returncode == 0
        assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["(ACTIVE_SWEEPS.md", "(CLAUDE.md"]
        lines = done.stdout.splitlines()
        assert lines[0].startswith("No API key: the built-in playbook answers, not a language model")
        assert lines[1].startswith("DEMO")
        for needed in (
            "https://wandb.ai/acme-lab/molprop/sweeps/xk31p7", "48213_0", "a1b2c3d4", "2.50 GiB",
            "make run SWEEP=xk31p7 RUN=e5f6a7b8", "5b6c7d8e  zombie: W&B still says running",
        ):  # fmt: skip
            assert needed in done.stdout
        assert lines[-1].endswith("?")
        assert "\x1b" not in done.stdout

    def test_tables_fit_eighty_columns(self) -> None:
        done = agent("ask", "check on sweeps", "--demo", COLUMNS="80")
        tables = [line for line in done.stdout.splitlines() if line.startswith(("  48", "  JOB"))]
        assert len(tables) > 10
        assert max(map(len, tables)) <= 80

    def test_status_as_json_is_one_object_of_the_fixed_form(self) -> None:
        found = json.loads(agent("status", "--json", "--demo").stdout)
        assert found["schema"] == 1 and found["demo"] is True
        assert {source["name"] for source in found["sources"]} == {
            "squeue", "sacct", "logs", "checkpoints", "configs", "wandb_files", "wandb_api",
        }  # fmt: skip
        row = next(row for row in found["runs"] if row["job"] == "48213_3")
        for key in (
            "job", "run", "sweep", "slurm_state", "wandb_state", "epoch", "step", "target_epochs", "target_steps",
            "percent", "checkpoint", "cause", "evidence", "resumable", "action", "flags", "elapsed_s", "loss", "health",
        ):  # fmt: skip
            assert key in row
        assert set(row["checkpoint"]) >= {"path", "step", "loadable"}
        assert set(row["evidence"][0]) == {"source", "where", "text"}
        sweep = found["sweeps"][0]
        for key in (
            "id",
            "url",
            "config",
            "state",
            "expected_agents",
            "active_agents",
            "zombies",
            "stale",
            "issues",
        ):
            assert key in sweep
        diverged = next(row for row in found["runs"] if row["job"] == "48213_4")
        assert diverged["loss"] == "NaN"

    def test_explain_a_job(self) -> None:
        row = json.loads(agent("explain", "48213_5", "--json", "--demo").stdout)
        assert (row["cause"], row["resumable"], row["run"]) == ("cuda_oom", "yes", "0c1d2e3f")
        shown = agent("explain", "48213_5", "--demo").stdout
        assert "Tried to allocate 2.50 GiB" in shown

    def test_explain_a_job_nobody_knows(self) -> None:
        done = agent("explain", "4711", "--demo")
        assert done.returncode == 1
        assert done.stderr.startswith("agent: nothing is known of 4711")

    def test_reset(self) -> None:
        agent("status", "--demo")
        assert agent("demo", "reset").returncode == 0
        assert not (Path(os.environ["XDG_STATE_HOME"]) / "sweep-agent" / "demo").exists()


class TestNothingThere:
    def test_an_empty_workspace_without_slurm(self, workspace: Path) -> None:
        done = agent("ask", "check on sweeps", "--workspace", str(workspace), PATH="/nowhere")
        assert done.returncode == 0
        for unseen in (
            "squeue: squeue was not found on PATH",
            "sacct: sacct was not found",
            "logs: no log files",
        ):
            assert unseen in done.stdout
        assert "Traceback" not in done.stdout + done.stderr
        assert done.stdout.rstrip().endswith("?")

    def test_a_controller_that_does_not_answer(self, workspace: Path, tmp_path: Path) -> None:
        for name in ("squeue", "sacct"):
            (tmp_path / name).write_text(
                "#!/bin/sh\necho 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1\n"
            )
            (tmp_path / name).chmod(0o755)
        done = agent("status", "--json", "--workspace", str(workspace), SWEEP_AGENT_SLURM_BIN=str(tmp_path))
        found = {source["name"]: source for source in json.loads(done.stdout)["sources"]}
        assert done.returncode == 1, "scripts must not take it for an empty cluster"
        assert found["squeue"]["ok"] is False
        assert "Unable to contact slurm controller" in found["squeue"]["error"]
        assert json.loads(done.stdout)["other_jobs"] is None

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
    def test_an_unreadable_folder_is_named(self, workspace: Path) -> None:
        (workspace / "outputs").mkdir(mode=0)
        done = agent("status", "--workspace", str(workspace), PATH="/nowhere")
        assert "outputs: Permission denied" in done.stdout

    def test_no_wandb_project(self, workspace: Path) -> None:
        (workspace / "wandb" / "sweep-abc").mkdir(parents=True)
        (workspace / "wandb" / "sweep-abc" / "config-run1.yaml").write_text("lr: {value: 1}\n")
        done = agent("status", "--workspace", str(workspace), PATH="/nowhere")
        assert "no link" in done.stdout
        assert "https://wandb.ai" not in done.stdout


class TestErrors:
    @pytest.mark.parametrize(
        ("argv", "code", "said"),
        [
            (
                ["status", "--workspace", "/nowhere/at/all"],
                2,
                "agent: --workspace /nowhere/at/all: no such folder",
            ),
            (
                ["ask", "hi", "--demo", "--rules", "/nowhere/rules.md"],
                2,
                "agent: rules: /nowhere/rules.md does not exist",
            ),
            (["explain", "missing.log"], 2, "agent: missing.log: no such log file"),
            (["replay", "missing.yaml"], 1, "missing.yaml"),
            (["explain", "", "--demo"], 2, "name one job, or log files"),
            (["explain", "48213_5", "48213_3", "--demo"], 2, "name one job, or log files"),
            (["ask"], 2, "Missing argument"),
            (["ask", " "], 2, "nothing was asked"),
            (["explain", "17", "--state", "FAILED"], 2, "are for log files, not for a job"),
            (
                ["explain", "here.log", "--state", "BOGUS"],
                2,
                "--state BOGUS: no state of Slurm's; there are: BOOT_FAIL",
            ),
            (["explain", "here.log", "--exit-code", "zz"], 2, "sacct's form is CODE:SIGNAL"),
            (["explain", "."], 2, "is a folder; name the log files in it"),
            (["explain", "pipe"], 2, "is a pipe or device"),
            (["--demo"], 2, "chatting needs a terminal; ask one thing with: agent ask"),
            (["chat", "--workspace", "~nobody-at-all"], 2, "agent: --workspace"),
            (["frobnicate"], 2, "No such command"),
            ([], 2, "Usage: agent"),
        ],
    )
    def test_one_line_and_the_right_code(self, argv: list[str], code: int, said: str, workspace: Path) -> None:
        (workspace / "here.log").write_text("epoch 1/2\n")
        os.mkfifo(workspace / "pipe")
        done = agent(*argv, cwd=workspace)
        assert done.returncode == code
        assert said in done.stderr + done.stdout
        assert "Traceback" not in done.stderr

    def test_a_state_folder_that_cannot_be_made(self) -> None:
        done = agent("status", "--demo", XDG_STATE_HOME="/proc/nowhere")
        assert done.returncode == 1
        assert done.stderr.startswith("agent: /proc/nowhere")
        assert "XDG_STATE_HOME" in done.stderr

    def test_a_home_that_cannot_be_written_is_named(self) -> None:
        done = agent("status", "--demo", XDG_STATE_HOME="", HOME="/proc/nowhere")
        assert done.returncode == 1
        assert re.fullmatch(r"agent: /proc/nowhere\S*: .+; set XDG_STATE_HOME to a folder .+\n", done.stderr)

    @pytest.mark.parametrize("argv", [["status"], ["status", "--json"], ["ask", "check on sweeps"], ["demo", "reset"]])
    def test_a_full_output_is_no_fault_of_the_state_folder(self, argv: list[str]) -> None:
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [AGENT, *argv, "--demo"], stdout=full, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
            )
        assert done.returncode == 1
        assert done.stderr == (
            "agent: standard output can't be written: No space left on device; send it somewhere else\n"
        )

    @pytest.mark.parametrize(
        ("line", "code", "said"),
        [
            ("status --demo >&-", 1, "standard output is closed"),
            ("chat --demo <&-", 2, "standard input is closed; ask one thing with: agent ask"),
            ("</dev/null", 2, "chatting needs a terminal"),
        ],
    )
    def test_a_closed_stream(self, line: str, code: int, said: str) -> None:
        done = subprocess.run(["/bin/sh", "-c", f"{AGENT} {line}"], capture_output=True, text=True, timeout=60)
        assert done.returncode == code
        assert said in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_newline_in_a_name_is_made_visible(self, tmp_path: Path) -> None:
        done = agent("status", "--workspace", str(tmp_path / "a\nb"))
        assert done.stderr == f"agent: --workspace {tmp_path}/a\\x0ab: no such folder\n"

    def test_the_service_is_named_for_runs_only_and_only_where_it_was_not_read(self, workspace: Path) -> None:
        assert "W&B service" not in agent("explain", "4711", "--demo").stderr
        assert "W&B service" not in agent("explain", "nosuchrun", "--demo").stderr
        (workspace / "logs").mkdir()
        assert "wandb_api: not asked" in agent("explain", "nosuchrun", "--workspace", str(workspace)).stderr

    def test_an_output_that_knows_only_ascii(self) -> None:
        done = agent("status", "--demo", PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, "")
        assert "xk31p7 - bayes-tx" in done.stdout
        assert re.search(r"0\.\d+ v$", done.stdout, re.M), "a falling loss"

    def test_a_bug_is_recorded_and_told_in_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "sitecustomize.py").write_text("import tools.look\ntools.look.look = None\n")
        done = agent("status", "--demo", PYTHONPATH=str(tmp_path))
        assert done.returncode == 1
        assert done.stderr.startswith("agent: internal error (TypeError")
        assert len(done.stderr.splitlines()) == 1
        assert "Traceback" in Path(done.stderr.rpartition("recorded in ")[2].strip()).read_text()

    def test_a_server_that_is_not_there(self) -> None:
        done = agent("ask", "hello", "--demo", "--model", "m", ANTHROPIC_BASE_URL="http://127.0.0.1:9")
        assert done.returncode == 1
        assert done.stderr.startswith("agent: ")
        assert "Traceback" not in done.stderr

    def test_a_model_is_asked_for_without_a_key(self) -> None:
        done = agent("ask", "hello", "--demo", "--model", "claude-sonnet-5-5")
        assert done.returncode == 1
        assert "ANTHROPIC_API_KEY" in done.stderr

    def test_a_reader_that_goes_away(self) -> None:
        done = subprocess.run(["/bin/sh", "-c", f"{AGENT} status --demo | head -1"], capture_output=True, text=True)
        assert "Traceback" not in done.stderr
        assert "DEMO" in done.stdout


def test_flags_stand_before_the_command_too() -> None:
    assert agent("--demo", "status").stdout.startswith("DEMO")


def test_help_offers_only_what_a_command_uses() -> None:
    for argv in (["status"], ["explain"], ["demo", "reset"], ["audit", "verify"]):
        assert "--rules" not in agent(*argv, "--help").stdout
    assert "--rules" in agent("ask", "--help").stdout
    assert "Exit codes: 0 done" in agent("--help").stdout
    for argv in ((), ("transcripts",)):
        assert "..." not in agent(*argv, "--help").stdout.partition("Commands:")[2], "no command's line is cut"


def test_a_raw_id_is_that_of_its_array_task() -> None:
    assert json.loads(agent("explain", "48217", "--json", "--demo").stdout)["job"] == "48213_3"


def test_ctrl_c_does_not_wait_for_slurm(lab: Lab) -> None:
    """squeue and sacct hang for good; had anything waited for them, this would say time-out and not 130."""
    os.mkfifo(lab.bin / "started")
    lab.program("squeue", f"echo > {lab.bin}/started; exec sleep 60")
    lab.program("sacct", "exec sleep 60")
    for argv in (["status"], ["ask", "check on sweeps"]):
        with subprocess.Popen(
            [AGENT, *argv, "--workspace", str(lab.workspace)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "SWEEP_AGENT_SLURM_BIN": str(lab.bin)},
        ) as process:  # fmt: skip
            (lab.bin / "started").read_text()  # blocks until squeue runs
            process.send_signal(signal.SIGINT)
            out, told = process.communicate()
        assert (process.returncode, told) == (130, "agent: stopped\n")
        assert "did not answer" not in out


def test_with_a_server_at_most_two_calls() -> None:
    with MessagesServer([Reply([text("48213_3 can be resumed. Resume it?")])]) as server:
        done = agent("ask", "check on sweeps", "--demo", ANTHROPIC_BASE_URL=server.url)
        assert done.returncode == 0, done.stderr
        assert len(server.requests) <= 2
    assert done.stdout.rstrip().endswith("48213_3 can be resumed. Resume it?")
    assert "playbook" not in done.stdout


def test_audit_of_nothing_and_of_an_edited_record() -> None:
    assert agent("audit", "verify").stdout == "no entries: nothing was asked for yet\n"
    assert "--demo checks" in agent("audit", "verify", "--help").stdout
    agent("ask", "cancel 48213_5", "--demo")
    agent("ask", "cancel 48213_6", "--demo")
    assert "the demo's own record: agent audit verify --demo" in agent("audit", "verify").stdout
    assert agent("audit", "verify", "--demo").stdout.startswith("2 entries, unbroken")
    record = Path(os.environ["XDG_STATE_HOME"]) / "sweep-agent" / "demo" / "audit.jsonl"
    record.write_text(record.read_text().replace("48213_5", "48213_2", 1))
    done = agent("audit", "verify", "--demo")
    assert done.returncode == 1
    assert "audit.jsonl:1: the chain is broken here: this entry was changed" in done.stdout


def test_explain_reads_log_files(tmp_path: Path) -> None:
    (tmp_path / "job.out").write_text("epoch 7/50 step=70 loss=0.5\n")
    (tmp_path / "job.err").write_text("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB\n")
    files = [str(tmp_path / "job.out"), str(tmp_path / "job.err")]
    row = json.loads(
        agent("explain", *files, "--json", "--state", "FAILED", "--exit-code", "1:0", "--elapsed", "900").stdout
    )
    assert (row["cause"], row["epoch"], row["target_epochs"], row["elapsed_s"]) == ("cuda_oom", 7, 50, 900)
    assert row["evidence"][0]["where"].endswith("job.err:1")


def test_the_wheel_holds_the_three_packages_and_runs_beside_a_decoy(tmp_path: Path) -> None:
    """Installed elsewhere, started from a folder that has a `tools` package of its own."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True, cwd=ROOT)
    wheel = next(tmp_path.glob("*.whl"))
    home = tmp_path / "env"
    venv.create(home, with_pip=False, system_site_packages=False)
    site = next((home / "lib").glob("python*/site-packages"))
    # a wheel is unpacked: environments that uv makes have no pip
    zipfile.ZipFile(wheel).extractall(site)
    points = (next(site.glob("sweep_agent-*.dist-info")) / "entry_points.txt").read_text()
    assert "agent = agent.cli:main" in points
    script = home / "bin" / "agent"
    script.write_text("import sys\nfrom agent.cli import main\nsys.exit(main())\n")
    # the dependencies of this environment, without its editable install of this project
    (site / "deps.pth").write_text(_dependency_folder(tmp_path) + "\n")
    decoy = tmp_path / "elsewhere"
    (decoy / "tools").mkdir(parents=True)
    (decoy / "tools" / "__init__.py").write_text("raise SystemExit('the decoy was imported')\n")
    done = subprocess.run(
        [home / "bin" / "python", script, "ask", "check on sweeps", "--demo"],
        cwd=decoy, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "DEMO" in done.stdout
    top = {path.name for path in site.iterdir() if path.is_dir() and not path.name.endswith(".dist-info")}
    assert {"agent", "tools", "prompts"} <= top
    assert "tests" not in top


def _dependency_folder(tmp_path: Path) -> str:
    """Links to the installed libraries, all but this project's own path files."""
    import click

    source = Path(click.__file__).parents[1]
    target = tmp_path / "deps"
    target.mkdir()
    for entry in source.iterdir():
        if entry.suffix != ".pth" and "sweep_agent" not in entry.name:
            (target / entry.name).symlink_to(entry)
    return str(target)


def test_an_error_shows_no_secret_and_no_escape_code(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import tools.look\ndef look(*_):\n    raise TypeError('\\x1b[2Jhunter2-hunter2')\ntools.look.look = look\n"
    )
    done = agent("status", "--demo", PYTHONPATH=str(tmp_path), MY_TOKEN="hunter2-hunter2")
    record = Path(os.environ["XDG_STATE_HOME"]) / "sweep-agent" / "last-error.txt"
    for said in (done.stderr, record.read_text()):
        assert "hunter2-hunter2" not in said
        assert "\x1b" not in said


class TestSaidPlainly:
    """Each in one line, with what to do, and no traceback."""

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (("ask", " "), 2, "nothing was asked"),
            (("explain", "x.log", "--state", "BOGUS"), 2, "--state BOGUS: no state of Slurm's"),
            (("explain", "x.log", "--exit-code", "zz"), 2, "sacct's form is CODE:SIGNAL"),
            (("explain", "17", "--state", "FAILED"), 2, "are for log files, not for a job"),
            (("explain", "/nosuch/x.log"), 2, "no such log file"),
        ],
    )
    def test_usage(self, arguments: tuple[str, ...], code: int, said: str) -> None:
        done = agent(*arguments)
        assert done.returncode == code
        assert said in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('logs: ["{job"]', "a brace of '{job' is not closed"),
            ("logs: foo", 'logs: must be a list, such as ["a", "b"]'),
            ("target: {epochs: many}", "target.epochs: must be a number"),
            ("roots: [/nosuch]", "roots: /nosuch: there is no such folder"),
            (None, "is no file that can be read"),
        ],
    )
    def test_the_project_file(self, tmp_path: Path, text: str | None, said: str) -> None:
        path = tmp_path / "sweep-agent.yaml"
        path.mkdir() if text is None else path.write_text(text)
        done = agent("status", "--workspace", str(tmp_path))
        assert done.returncode == 2
        assert f"{path}{': ' if text is None else ' line '}" in done.stderr
        assert said in done.stderr

    def test_a_full_disk_and_a_closed_output_are_called_so(self) -> None:
        with open("/dev/full", "w") as full:
            done = subprocess.run([AGENT, "status", "--demo"], stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1
        assert "standard output can't be written: No space left on device" in done.stderr

    def test_every_command_takes_the_common_flags_and_offers_only_those_that_mean_something(self) -> None:
        assert agent("status", "--demo", "--model", "playbook").returncode == 0
        assert "--model" not in agent("status", "--help").stdout
        assert "--model" in agent("ask", "--help").stdout

    def test_flags_before_the_command_hold_too(self) -> None:
        assert agent("--demo", "status").stdout.startswith("DEMO")

    def test_without_a_terminal_it_says_how_to_ask(self) -> None:
        done = agent()
        assert done.returncode == 2
        assert "agent ask" in done.stderr
