"""How training goes, over a workspace: rows, table, tool and playbook. All values are synthetic."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, wandb_lines
from rich.console import Console
from stage import Stage

from agent.exchange import Answer
from agent.intents import intent_of
from agent.models.playbook import Playbook
from agent.terminal.report import print_report
from tools.base import MAX_RESULT_CHARS, Context, Output, ToolError
from tools.kinds import urgency
from tools.layout import Layout
from tools.log_rows import from_logs
from tools.questions import follow_up
from tools.sources import logs
from tools.training_health import MAX_ROWS, TRAINING_HEALTH

FALLING = "".join(f"epoch {n}/100 step={n * 10} loss={2 * 0.9**n:.4f}\n" for n in range(20))
STUCK = "".join(f"epoch {n}/300 loss={2.1 + n % 2 / 1000}\n" for n in range(150))
LOST = FALLING + "".join(f"epoch {n}/100 step={n * 10} loss=nan\n" for n in range(20, 24))


def _train(lab: Lab, job: str, run: str, text: str, state: str = "RUNNING", sweep: str = "sw1", **own: Any) -> None:
    lab.job(job, state, **own)
    lab.file(f"logs/{job}.out", wandb_lines(run, sweep) + text)


def _ask(lab: Lab, **values: Any) -> tuple[dict[str, Any], Output]:
    output = TRAINING_HEALTH.run(Context(lab.place()), TRAINING_HEALTH.parse(values))
    assert len(output.text) <= MAX_RESULT_CHARS
    return json.loads(output.text), output


def _table(lab: Lab) -> str:
    shown = io.StringIO()
    print_report(lab.status(), Console(file=shown, width=140, highlight=False))
    return shown.getvalue()


class TestRows:
    def test_a_row_carries_verdict_arrow_and_note(self, lab: Lab) -> None:
        _train(lab, "1", "aaa1", FALLING)
        _train(lab, "2", "bbb2", LOST)
        _train(lab, "3", "ccc3", STUCK)
        _train(lab, "4", "ddd4", "epoch 1/100 loss=2.0\n")
        assert [(row.health, row.trend) for row in lab.status().runs] == [
            ("falling", "↓"),
            ("diverged", None),
            ("plateau", "→"),
            (None, None),
        ]
        assert lab.row("1").health_note is None
        assert lab.row("2").health_note == "the last 4 losses are not finite (nan, nan, nan); 0.2702 before that"
        assert lab.row("4").health_note == "1 training loss in its log: a trend needs 6 finite ones"

    def test_a_dead_run_has_a_verdict_only_if_it_died_of_its_loss(self, lab: Lab) -> None:
        _train(lab, "1", "aaa1", FALLING, "PREEMPTED")
        _train(lab, "2", "bbb2", LOST, "FAILED", exit="1:0")
        assert (lab.row("1").health, lab.row("1").health_note) == (None, None)
        assert (lab.row("2").cause, lab.row("2").health) == ("nan_loss", "diverged")

    def test_a_run_behind_the_others_of_its_sweep(self, lab: Lab) -> None:
        for number in range(4):
            _train(lab, f"{number}", f"run{number}", FALLING)
        _train(lab, "9", "slow1", "".join(f"epoch {n}/100 loss={9.1 - n / 100}\n" for n in range(8)))
        _train(lab, "8", "else1", "".join(f"epoch {n}/100 loss={9.1 - n / 100}\n" for n in range(8)), sweep="other")
        row = lab.row("9")
        assert row.behind_siblings
        assert row.health_note is not None
        assert row.health_note.startswith("loss 9.04 at epoch 7 where 4 siblings have a median of 0.9566")
        assert not lab.row("8").behind_siblings, "another sweep has other losses"
        assert not lab.row("0").behind_siblings
        assert "behind its siblings" in _table(lab)

    @pytest.mark.parametrize("over", [2, 3])
    def test_where_few_train_now_those_that_are_over_are_its_siblings(self, lab: Lab, over: int) -> None:
        """An array that runs one task at a time: what the tasks before it had lost by then."""
        for number in range(over):
            _train(lab, f"7_{number}", f"run{number}", FALLING, "COMPLETED" if number else "PREEMPTED")
        _train(lab, "7_9", "slow1", "".join(f"epoch {n}/100 loss={9.1 - n / 100}\n" for n in range(8)))
        row = lab.row("7_9")
        assert row.behind_siblings is (over == 3), "a median of two is none"
        assert (row.health_note or "").startswith("loss 9.04 at epoch 7 where 3 siblings") is (over == 3)

    def test_a_run_is_no_sibling_of_itself(self, lab: Lab) -> None:
        """What it had in its earlier jobs is no other's: with two others there is no median."""
        for number in range(4):
            _train(lab, f"1{number}", "aaa1", FALLING, "PREEMPTED", start=1000.0 + number)
        _train(lab, "20", "aaa1", "".join(f"epoch {n}/100 loss=9.1\n" for n in range(8)))
        for number in range(4):
            _train(lab, f"3{number}", f"else{number}", FALLING if number < 2 else "starting\n")
        assert not lab.row("20").behind_siblings
        assert _ask(lab, job_id="20")[0].get("findings") is None

    def test_log_files_alone_have_a_verdict_too(self, lab: Lab) -> None:
        text = logs.read(str(lab.file("a.log", LOST)))
        assert text is not None
        row = from_logs(
            [text], state=None, exit_code=None, elapsed_s=None, target_epochs=None, thresholds=Layout().thresholds
        )
        assert row.health == "diverged"

    def test_wandbs_last_values_are_shown_where_the_log_is_mute(self, lab: Lab) -> None:
        _train(lab, "1", "aaa1", "starting\n")
        lab.file("wandb/run-20261120_100002-aaa1/files/wandb-summary.json", '{"loss": 0.5, "epoch": 3}')
        found, _ = _ask(lab, job_id="1")
        assert found["last"]["loss"]["value"] == 0.5
        assert found["verdict"].startswith("unknown: 1 training loss")


class TestTable:
    def test_arrow_and_state(self, lab: Lab) -> None:
        _train(lab, "1", "aaa1", FALLING)
        _train(lab, "2", "bbb2", LOST)
        _train(lab, "3", "ccc3", STUCK)
        rows = {line.split()[0]: line for line in _table(lab).splitlines() if line.startswith("  ")}
        assert "0.2702 ↓" in rows["1"]
        assert "nan !" in _table(lab) and "diverged" in _table(lab)
        assert "→" in rows["3"] and "plateau" in rows["3"]

    def test_what_explodes_is_a_red_flag(self, lab: Lab) -> None:
        wild = FALLING + "".join(f"epoch {n}/100 loss={n * 9}\n" for n in range(20, 26))
        _train(lab, "1", "aaa1", wild)
        _train(lab, "2", "bbb2", "epoch 90/100\n")
        assert min(lab.status().runs, key=urgency).run == "aaa1"
        assert "exploding while still running" in _table(lab)

    def test_all_is_not_called_well_while_a_run_is_stuck(self, lab: Lab) -> None:
        _train(lab, "3", "ccc3", STUCK)
        assert follow_up(lab.status()).startswith("Job 3 does not learn well (loss stays at 2.101 for its last 150")


class TestTool:
    def test_one_run_closely(self, lab: Lab) -> None:
        text = "".join(
            f"{{'loss': {2 * 0.9**n:.4f}, 'grad_norm': 1.{n}, 'learning_rate': 5e-05, 'epoch': {n}.0}}\n"
            f"{{'eval_loss': {0.4 + n / 100:.2f}, 'epoch': {n}.0}}\n"
            for n in range(30)
        )
        _train(lab, "70_1", "aaa1", text)
        for name in ("70_1", "aaa1"):
            found, output = _ask(lab, job_id=name)
            assert (found["job"], found["verdict"], found["trend"]) == ("70_1", "overfitting", "↓")
            assert found["findings"][0]["text"] == "validation loss rose for the last 29 evaluations: 0.4 → 0.69"
            assert found["findings"][0]["where"].startswith("logs/70_1.out:")
            assert found["last"]["grad_norm"]["value"] == 1.29
            assert found["learning_rate"] == 5e-05
            assert [point["epoch"] for point in found["losses"]] == [0, 3, 6, 9, 12, 16, 19, 22, 25, 29]
            assert {("epoch", "70_1", "16"), ("epoch", "aaa1", "16"), ("loss", "aaa1", "2")} <= set(output.facts)

    def test_a_dead_run_is_judged_when_asked_for(self, lab: Lab) -> None:
        _train(lab, "1", "aaa1", FALLING, "PREEMPTED")
        assert _ask(lab, job_id="1")[0]["verdict"] == "falling"

    def test_many_the_worst_first_and_bounded(self, lab: Lab) -> None:
        for task in range(MAX_ROWS + 5):
            _train(lab, f"70_{task}", f"run{task:03d}", LOST if task == 20 else STUCK if task == 30 else FALLING)
        _train(lab, "80", "dead1", LOST, "FAILED", exit="1:0")
        found, output = _ask(lab, sweep="sw1")
        assert [row["run"] for row in found["runs"][:2]] == ["run020", "run030"]
        assert found["runs"][0]["last_losses"] == ["nan"] * 4
        assert found["counts"] == {"diverged": 1, "plateau": 1, "falling": MAX_ROWS + 3}
        assert found["left_out"].startswith("5 more; ask with sweep=")
        assert ("epoch", "run020", "23") in output.facts
        assert len(_ask(lab, job_id="70")[0]["runs"]) == MAX_ROWS, "an array is all its tasks"

    def test_what_is_not_there_is_said(self, lab: Lab) -> None:
        with pytest.raises(ToolError, match="no run of this workspace trains now"):
            _ask(lab)
        with pytest.raises(ToolError, match="nothing is known of 999; check_sweeps"):
            _ask(lab, job_id="999")
        _train(lab, "1", "aaa1", FALLING)
        with pytest.raises(ToolError, match="no run of sweep nosuch trains now"):
            _ask(lab, sweep="nosuch")


class TestPlaybook:
    def _answer(self, state: Path, words: str) -> Answer:
        return Stage(state, Playbook()).ask(words)

    def test_why_it_diverges_names_the_run_and_its_last_losses(self, tmp_path: Path) -> None:
        for words in ("why is it diverging?", "how is training going", "is it diverging?"):
            answer = self._answer(tmp_path, words)
            assert "48213_4 (run 77aa01bc): diverged" in answer.text
            assert "last losses nan, nan, nan, nan" in answer.text
            assert "The others: 5 falling." in answer.text
            assert answer.text.endswith("?")
            assert answer.corrections == []

    def test_one_run_is_asked_about_alone(self, tmp_path: Path) -> None:
        answer = self._answer(tmp_path, "is 48213_2 learning?")
        assert "48213_2 (run 9f8e7d6c): falling ↓" in answer.text
        assert "10 of the last 200 training losses: 0." in answer.text
        assert "77aa01bc" not in answer.text
        assert "nothing is known of 99999" in self._answer(tmp_path, "is 99999 learning?").text

    def test_a_sweep_by_its_id(self, tmp_path: Path) -> None:
        assert "No sign of trouble: 3 falling." in self._answer(tmp_path, "is q7m2vd overfitting?").text

    @pytest.mark.parametrize(
        ("words", "intent"),
        [
            ("is it diverging?", "health"),
            ("why is 48213_4 diverging", "health"),
            ("how is training going", "health"),
            ("is the loss going down?", "health"),
            ("what is the validation loss of 48213_2", "health"),
            ("why did 48213_5 die?", "explain"),
            ("why did the run that diverged crash", "explain"),
            ("resume the runs that plateaued", "resume"),
            ("cancel the diverged run 48213_4", "cancel"),
            ("how is 48213_2 doing", "explain"),
            ("check on sweeps", "status"),
            ("launch with another learning rate", "launch"),
        ],
    )
    def test_which_questions_are_about_training(self, words: str, intent: str) -> None:
        assert intent_of(words) == intent
