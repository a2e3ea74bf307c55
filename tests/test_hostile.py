"""What lies in a workspace, or what Slurm prints, may be anything: never an exception, and never a wait without end."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest
from lab import Lab
from layouts import said
from layouts.files import run_folder
from stage import Stage, demo_place

from agent.models.playbook import Playbook
from tools.actions.documents import UPDATE_ACTIVE_SWEEPS, UPDATE_CLAUDE_MD, DocumentArgs
from tools.base import Context, Denied, ToolError
from tools.registry import TOOLS
from tools.sources.index import roots_of

RUN = "aaaa1111"
DEEP = "[" * 100_000
HANGS_AFTER_S = 60
FILES = (
    "sweep.yaml", "experiments/s.yaml", "Makefile", ".env", "train.sh", "CLAUDE.md", "ACTIVE_SWEEPS.md", "logs/60.err",
    "logs/60.out", "wandb/settings", f"wandb/sweep-sw1/config-{RUN}.yaml", f"outputs/{RUN}/hydra_config.yaml",
    f"outputs/{RUN}/latest", f"outputs/{RUN}/checkpoint-5/model.safetensors",
    f"outputs/{RUN}/checkpoint-5/trainer_state.json", f"outputs/{RUN}/checkpoint-7/pytorch_model.bin",
    "experiments/sync_all_offline.sbatch", "outputs/2026-11-20/10-00-00/.hydra/config.yaml",
    "outputs/2026-11-20/10-00-00/.hydra/hydra.yaml", "outputs/2026-11-20/10-00-00/.hydra/overrides.yaml",
    *(f"wandb/{kind}-20261120_100002-{RUN}/{name}" for kind in ("run", "offline-run") for name in (
        f"run-{RUN}.wandb", "files/config.yaml", "files/wandb-summary.json", "files/wandb-metadata.json",
        "files/output.log", "logs/debug.log", "logs/debug-internal.log")),
)  # fmt: skip


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _one_long_line(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 30)


def _no_text(path: Path) -> None:
    path.write_bytes(bytes(range(128, 256)) * 300)


def _deep(path: Path) -> None:
    path.write_text(DEEP)


def _empty(path: Path) -> None:
    path.touch()


@pytest.fixture(autouse=True)
def ends() -> Iterator[None]:
    """A read that waits for a pipe's other end is ended, and fails its test."""

    def late(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError("it waits without end")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(HANGS_AFTER_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def _ask_everything(lab: Lab) -> Context:
    """Every reading tool, as a model may call it with no more than it needs."""
    context = Context(lab.place())
    needed = {"job": "60", "run": RUN, "sweep": "sw1", "path": "logs/60.out", "name": "60"}
    for tool in TOOLS:
        if hasattr(tool, "run"):
            fields = tool.args.model_fields
            values = {name: needed[name] for name, field in fields.items() if field.is_required() and name in needed}
            try:
                tool.run(context, tool.parse(values))
            except ToolError:
                continue  # one line for the model
    return context


@pytest.mark.parametrize("made", [_pipe, _folder, _device, _loop, _one_long_line, _no_text, _deep, _empty])
def test_anything_may_stand_in_a_files_place(lab: Lab, made: Callable[[Path], None]) -> None:
    lab.job("60", "FAILED", exit="1:0", submit_args="train.sh sweep.yaml", command="train.sh sweep.yaml")
    lab.job("61")
    lab.file("logs/61.out", said.init(RUN, "/x", sweep="sw1") + said.epochs(0, 3))
    for name in FILES:
        path = lab.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        made(path)
    context = _ask_everything(lab)
    assert {row.job for row in context.look()[0].runs if row.job} == {"60", "61"}
    for tool in (UPDATE_ACTIVE_SWEEPS, UPDATE_CLAUDE_MD):
        try:
            tool.propose(context, DocumentArgs())
        except Denied as error:
            assert "it is left as it is" in str(error) or "can't be read" in str(error) or "there is no" in str(error)


@pytest.mark.parametrize("made", [_pipe, _folder, _device])
def test_a_document_that_is_no_file_is_left_and_said(lab: Lab, made: Callable[[Path], None]) -> None:
    made(lab.workspace / "ACTIVE_SWEEPS.md")
    with pytest.raises(Denied, match="is a folder, a pipe or a device: it is left as it is"):
        UPDATE_ACTIVE_SWEEPS.propose(Context(lab.place()), DocumentArgs())


@pytest.mark.parametrize(
    "text",
    [
        "method: bayes\nmetric: 5\nparameters: [1, 2]\nname: {a: b}\nearly_terminate: 7\ncommand: 9\nrun_cap: many\n",
        "method: [1]\nmetric: {name: [1], goal: {}}\nparameters: {1: 2, lr: {values: 5}, x: {min: a, max: b}}\n",
        "method: grid\nparameters: {y: {distribution: 9}, z: {parameters: {q: {parameters: 5}}}, e: {values: []}}\n",
        "method: grid\nparameters: {" + ", ".join(f"p{n}: {{values: [1, 2]}}" for n in range(5000)) + "}\n",
        "!!python/object/apply:os.system ['false']\nmethod: bayes\n",
        "a: &a [x, x]\nb: &b [*a, *a]\nmethod: bayes\nparameters: *b\n",
        "method: bayes\ndescription: [x]\nnotes: {a: 1}\npurpose: 5\nexpected_runtime: [1]\nparameters:\n",
    ],
)
def test_a_sweep_config_may_hold_anything(lab: Lab, text: str) -> None:
    lab.file("experiments/s.yaml", text)
    lab.file("experiments/t.yaml", "method: random\nparameters: {lr: {min: 0.1, max: 1.0}}\n")
    lab.job("60", submit_args="train.sh experiments/s.yaml")
    lab.file("logs/60.out", said.init(RUN, "/x", sweep="sw1"))
    _ask_everything(lab)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e300, "many", None, [1], True])
def test_a_value_that_counts_nothing_is_no_progress(lab: Lab, value: object) -> None:
    lab.job("60")
    lab.file("logs/60.out", said.init(RUN, "/x") + json.dumps({"epoch": value, "step": value, "loss": value}) + "\n")
    run_folder(lab, RUN, config={"epochs": 10}, history={"epoch": value, "global_step": value})
    row = lab.row("60")
    # W&B counts the rows that were logged: one
    assert (row.epoch, row.percent) == (None, None) and row.step in (None, 0, 1)
    _ask_everything(lab)


@pytest.mark.parametrize(
    "body",
    [
        "head -c 300000 /dev/urandom",
        "printf '\\037\\036%.0s' $(seq 5000)",
        "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1",
        "kill -9 $$",
        "exit 0",
        "cat",
    ],
)
@pytest.mark.parametrize("name", ["squeue", "sacct"])
def test_slurms_programs_may_print_anything(lab: Lab, name: str, body: str) -> None:
    lab.job("60")
    lab.program(name, body)
    status = lab.status()
    assert {source.name for source in status.sources} >= {"squeue", "sacct"}


def test_slurms_programs_may_print_without_end(lab: Lab) -> None:
    """Both at once, so that their time-out of ten seconds is waited for once."""
    lab.job("60")
    for name in ("squeue", "sacct"):
        lab.program(name, "yes '60|RUNNING'")
    sources = {source.name: source for source in lab.status().sources}
    for name in ("squeue", "sacct"):
        assert "did not answer within 10 s" in (sources[name].error or "")


def test_a_link_to_a_folder_above_does_not_make_the_neighbours_a_part_of_it(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    for name, target in (("up", ".."), ("root", "/"), ("here", "."), ("out", str(tmp_path / "scratch"))):
        (lab.workspace / name).symlink_to(target)
    assert roots_of(lab.workspace) == (str(lab.workspace.resolve()), str((tmp_path / "scratch").resolve()))


@pytest.mark.parametrize(
    "question",
    [
        "check on sweeps", "why did 48213_5 die?", "is 48213_2 learning?", "which batch sizes do we use?",
        "what are the sweeps about?", "what is sweep xk31p7 about?", "how much disk do we use?", "what is not synced?",
        "find the logs of 48213_5", "is anything diverging?", "what next?", "\x1b[2J\u202e", "x" * 5000,
    ],
)  # fmt: skip
def test_every_question_of_a_person_gets_an_answer(tmp_path: Path, question: str) -> None:
    stage = Stage(tmp_path / "state", Playbook(), demo_place(tmp_path / "state"))
    stage.ask(question)
    assert stage.shown.getvalue().strip().endswith("?") or "?" in stage.shown.getvalue()
