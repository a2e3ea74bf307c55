"""Where a run stands: the shapes that real training scripts print, and what only looks like them."""

from __future__ import annotations

import math
import random

import pytest

from tools.data import Progress
from tools.data_log import LogText
from tools.diagnosis import crash, reading
from tools.diagnosis.progress import MAX_LOSSES, merge_progress, read_progress


def log(*lines: str, stream: str = "out") -> LogText:
    numbers = tuple(range(1, len(lines) + 1))
    return LogText(f"job.{stream}", "err" if stream == "err" else "out", lines, numbers, 1, 0.0)


def read(*lines: str) -> Progress:
    return read_progress(log(*lines))


# (line, epoch, total of epochs, step, total of steps, loss)
SHAPES = [
    ("epoch 7", 7, None, None, None, None),
    ("Epoch 7", 7, None, None, None, None),
    ("[INFO] [timer.py:264:stop] epoch=2/micro_step=712/global_step=89, Allocated=2GB", 2, None, 89, None, None),
    ("I0311 23:00:03 1402 logging_writer.py:48] [2950] learning_rate=0.0003, loss=5.2", None, None, 2950, None, 5.2),
    ("Epoch 3/50", 3, 50, None, None, None),
    ("Epoch 3/50 - loss: 0.21", 3, 50, None, None, 0.21),
    ("Epoch 3 of 50", 3, 50, None, None, None),
    ("Epoch 3:", 3, None, None, None, None),
    ("Epoch: 3", 3, None, None, None, None),
    ("Epoch [3/50]", 3, 50, None, None, None),
    ("Epoch [3/50], Step [100/1251], Loss: 0.5", 3, 50, 100, 1251, 0.5),
    ("Epoch[3/50]", 3, 50, None, None, None),
    ("Epoch #3", 3, None, None, None, None),
    ("Epoch 3 | train loss 0.5 | val loss 0.7", 3, None, None, None, 0.5),
    ("EPOCH: 3", 3, None, None, None, None),
    ("epoch=3 train_loss=0.125", 3, None, None, None, 0.125),
    ("epoch 3.25 loss 1e-3", 3.25, None, None, None, 0.001),
    ("Epoch 003 loss: 2.5", 3, None, None, None, 2.5),
    ("step 1200", None, None, 1200, None, None),
    ("step: 1200", None, None, 1200, None, None),
    ("Step 1200", None, None, 1200, None, None),
    ("step=1200", None, None, 1200, None, None),
    ("iteration: 1200", None, None, 1200, None, None),
    ("iteration 1200", None, None, 1200, None, None),
    ("iter 1200: loss 2.0312, time 140.1ms, mfu 33.1%", None, None, 1200, None, 2.0312),
    ("step 1200/5000", None, None, 1200, 5000, None),
    ("global_step: 1200", None, None, 1200, None, None),
    ("global_step=1200, episodic_return=[231.]", None, None, 1200, None, None),
    ("Epoch 3:  45%|####5     | 450/1000 [12:01<14:41,  1.60s/it, v_num=ab12]", 3, None, None, None, None),
    ("Epoch 3:  45%|####5     | 450/1000 [12:01<14:41,  1.60it/s, loss=0.31]", 3, None, None, None, 0.31),
    ("Epoch 7/7  ━━━━━━━━━━━━━━ 8/8 0:00:00 • 0:00:00 156.51it/s train_loss: 0.018", 7, 8, None, None, 0.018),
    ("{'loss': 0.4166, 'grad_norm': 1.5, 'learning_rate': 5e-05, 'epoch': 1.25}", 1.25, None, None, None, 0.4166),
    ("{'loss': '4.166', 'grad_norm': '1.5', 'epoch': '1.25'}", 1.25, None, None, None, 4.166),
    ("{'epoch': 12, 'global_step': 4800, 'loss': 0.02}", 12, None, 4800, None, 0.02),
    ('{"epoch": 12, "global_step": 4800, "train_loss": 0.02}', 12, None, 4800, None, 0.02),
    ('{"step": 12, "loss": NaN}', None, None, 12, None, math.nan),
    ("Epoch: [3]  [ 20/1251]  eta: 0:13:01  lr: 0.0001  loss: 6.9 (6.9)  time: 0.63", 3, None, None, None, 6.9),
    ("Train: 3 [ 100/1251 (  8%)]  Loss: 6.912 (6.95)  Time: 0.4s", 3, None, None, None, 6.912),
    ("Train: 3/300 [ 100/1251 (  8%)]  Loss: 6.912 (6.95)", 3, 300, None, None, 6.912),
    (" iteration     1200/    5000 | samples: 12 | lm loss: 2.5E+00 |", None, None, 1200, 5000, 2.5),
    ("Train Epoch: 3 [  1024/100000 (1%)] Data (t): 0.1 Loss: 2.5 (2.6)", 3, None, None, None, 2.5),
    ("Train Epoch: 3 [1024/60000 (2%)]\tLoss: 0.300000", 3, None, None, None, 0.3),
    ("epoch 003:  10 / 100 loss=7.2, ppl=148, oom=0", 3, None, None, None, 7.2),
    ("2026-11-20 | INFO | train_inner | epoch 003:  10 / 100 loss=7.2, num_updates=410", 3, None, 410, None, 7.2),
    ("[step=1200/5000,epoch=0]", 0, None, 1200, 5000, None),
    ("2026-11-20 - root - INFO - step: 10  loss: 12.2  memory: 9.9GiB(12%)", None, None, 10, None, 12.2),
    ("step:125/3000 val_loss:4.51 train_time:20000ms", None, None, 125, 3000, None),
    ("step:126/3000 train_loss:4.51 train_time:20000ms", None, None, 126, 3000, 4.51),
    ("[batch=120/1000]:", None, None, 120, 1000, None),
    ("[3,   120] loss: 2.0", 3, None, None, None, 2.0),
    ("[3,   120] loss: 0.512 masks: 80.1 20.2 [wd: 4.0e-02] [lr: 2.0e-04]", 3, None, None, None, 0.512),
    ("2026-11-20 09:00:01,123 - train - INFO - Epoch 3 loss 0.5", 3, None, None, None, 0.5),
    ("[2026-11-20 09:00:01,123][__main__][INFO] - Epoch 3/50: loss=0.5", 3, 50, None, None, 0.5),
    ("2026-11-20 09:00:01.123 | INFO     | __main__:train:88 - Epoch: 3 | loss: 0.5", 3, None, None, None, 0.5),
    ("INFO:root:Epoch 3 done", 3, None, None, None, None),
    ("0: Epoch 3/50 loss 0.5", 3, 50, None, None, 0.5),
    ("train/epoch: 3, train/loss: 0.5, trainer/global_step: 90", 3, None, 90, None, 0.5),
    ("Epoch 3/50 loss nan", 3, 50, None, None, math.nan),
    ("epoch 3 loss: inf", 3, None, None, None, math.inf),
    ("epoch 3 val_loss 0.7", 3, None, None, None, None),
    ("Epoch 3 | Val. Loss: 0.7", 3, None, None, None, None),
    ("Epoch 3 Loss: 0.25%", 3, None, None, None, None),
    ("Epoch 3 out of 50", 3, 50, None, None, None),
    ("Epoch 3:  45%|####5     | 450/1000 [12:01<14:41, 1.60it/s, train_loss_step=0.31, val_loss=0.5]",
     3, None, None, None, 0.31),
    ("Epochs:   6%|6         | 3/50 [12:01<14:41,  1.60it/s]", 3, 50, None, None, None),
    ("Epoch(train)  [3][100/500]  lr: 1e-3  eta: 1:00:00  loss: 0.5", 3, None, None, None, 0.5),
    ("mmengine - INFO - Iter(train) [  100/80000]  lr: 1e-3  loss: 0.5", None, None, 100, 80000, 0.5),
    ("steps: 100 loss: 0.5 iter time (s): 0.1 samples/sec: 32", None, None, 100, None, 0.5),
    ("| train | epoch 003 | loss 7.2 | nll_loss 6.9 | num_updates 1230 | lr 0.0005", 3, None, 1230, None, 7.2),
    ('{"epoch": 3, "update": 2.5, "loss": "7.2", "num_updates": "410"}', 3, None, 410, None, 7.2),
    ("|    total_timesteps      | 20480        |", None, None, 20480, None, None),
    ("Step 1,200/5,000 loss 0.5", None, None, 1200, 5000, 0.5),
    ("  Num Epochs = 3", None, 3, None, None, None),
    ("  Total optimization steps = 1,875", None, None, None, 1875, None),
    ("{'train_runtime': 3123.2, 'train_loss': 0.43, 'epoch': 3.0}", 3, None, None, None, None),
    ("Epoch 3/50 [train] best_val=0.4 loss=0.5", 3, 50, None, None, 0.5),
    ("best 0.83 | epoch 3 | loss 0.5", 3, None, None, None, 0.5),
    ("epoch 12 val_acc 0.81 (best 0.83 at epoch 9)", 12, None, None, None, None),
    ("      12/100      4.21G     0.9012     0.5111         24        640: 100%|####| 100/100 [00:30<00:00,  3.3it/s]",
     12, 100, None, None, None),
    ("100 epochs completed in 2.103 hours.", 100, None, None, None, None),
    ("{'epoch': 3, 'train': {'loss': 0.25}, 'val': {'loss': 0.3}}", 3, None, None, None, None),
    ("epoch 3 loss 1,234", 3, None, None, None, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "epoch", "epochs", "step", "steps", "loss"), SHAPES, ids=[row[0][:40] for row in SHAPES]
)
def test_a_printed_shape_gives_its_values(
    line: str, epoch: float | None, epochs: float | None, step: int | None, steps: int | None, loss: float | None
) -> None:
    found = read(line)
    assert (found.epoch, found.epochs_total) == (epoch, epochs)
    assert (found.step, found.steps_total) == (step, steps)
    assert found.loss == loss or (loss is not None and math.isnan(loss) and math.isnan(found.loss or 0.0))


NOTHING = [
    "step:1K smpl:8K ep:12 epch:0.01 loss_x:1",
    "max_epochs: 100",
    "num_epochs=100",
    "epochs: 100",
    "  epochs: 100",
    "--epochs 100 --max_steps 5000",
    "config: epochs=100 batch_size=64 lr=0.001",
    "warmup_epochs: 5",
    "warmup_steps: 500",
    "eval_steps=500, save_steps=500, logging_steps=10,",
    "steps_per_epoch: 1251",
    "TrainingArguments(num_train_epochs=3, eval_steps=500)",
    "wandb:              epoch 301",
    "wandb: global_step 5000",
    "wandb:               loss 0.01",
    "wandb: Run summary:",
    '  File "/home/user/exp/epoch 3/train.py", line 12',
    "  loss: mse",
    "optimizer step took 3 s",
    "Downloading data: 100%|##########| 170498071/170498071 [00:12<00:00]",
    "Loading checkpoint shards:  50%|#####     | 2/4 [00:10<00:10]",
    "loaded outputs/a1b2/epoch_3-step_400.ckpt",
    "saved to checkpoints/epoch=3-step=400.ckpt",
    "Saving model checkpoint to out/checkpoint-500",
    "# epoch 3 is where it diverged last time",
    "val loss: 0.7",
    "loss weights: 1.0, 0.5",
    "loss_scale: 65536",
    "next checkpoint in 3 epochs",
    "Best epoch: 3",
    "best epoch 3 with val loss 0.25",
    "*** Best metric: 81.336 (epoch 294)",
    "Done. Best top1 74.10 at epoch 58",
    "new best val loss 0.31 at epoch 9",
    "Highest accuracy 81.2 at epoch 9, step 1200",
    "=> loaded checkpoint 'model_best.pth.tar' (epoch 9)",
    "Best loss so far: 0.2",
    "epoch:   6%|6         | 3/50 [12:01<14:41,  60.1s/it]",
    "clock epoch: 1732092001",
    "ValueError: epoch 3 is out of range",
    "args: Namespace(epoch=3, step=5)",
]


@pytest.mark.parametrize("line", NOTHING)
def test_what_only_looks_like_progress_gives_nothing(line: str) -> None:
    found = read(line)
    assert (found.epoch, found.step, found.loss, found.epochs_total, found.steps_total) == (None,) * 5


def test_the_newest_line_counts_and_is_named() -> None:
    found = read("Epoch 1/50 loss 0.9", "Epoch 2/50 loss 0.8", "saving", "Epoch 3/50 loss 0.7", "saving")
    assert (found.epoch, found.loss, found.losses, found.where) == (3, 0.7, (0.9, 0.8, 0.7), "job.out:4")


def test_losses_are_the_last_ones_oldest_first() -> None:
    found = read(*(f"step {i} loss {i}.0" for i in range(100)))
    assert found.losses == tuple(float(i) for i in range(100 - MAX_LOSSES, 100))


def test_a_total_may_stand_in_an_older_line() -> None:
    assert read("Epoch 2/50", "Epoch 3 loss 0.5").epochs_total == 50


def test_a_line_about_an_event_long_past_is_not_where_the_run_stands() -> None:
    assert read("Epoch 50/50 loss 0.3", "val loss nan at epoch 3 (skipped)").epoch == 50
    assert read("Epoch 30/50 loss 0.3", "Resuming from epoch 12").epoch == 12
    assert read("Epoch 30/50 loss 0.3", "Epoch 12 loss 0.6").epoch == 12


def test_a_bar_over_all_steps_is_a_step() -> None:
    """The Hugging Face Trainer's: it never starts over."""
    found = read(*(f" {i // 50:2d}%|#         | {i}/5000 [00:10<10:00,  3.10it/s]" for i in range(100, 900, 10)))
    assert (found.step, found.steps_total) == (890, 5000)


def test_a_bar_that_starts_over_counts_within_an_epoch() -> None:
    bar = [f" {i:2d}%|#         | {i}/100 [00:10<10:00,  3.10it/s]" for i in range(0, 100, 10)]
    assert read(*bar, *bar, *bar[:4]).step is None


@pytest.mark.parametrize("label", ["Map: ", "Tokenizing: ", "Validation DataLoader 0: ", "Evaluating: ", "Training: "])
def test_a_bar_of_something_else_is_no_step(label: str) -> None:
    assert read(*(f"{label} {i:2d}%|#     | {i}/100 [00:10<10:00,  3.10it/s]" for i in range(10, 90))).step is None


def test_a_bar_behind_the_label_of_srun_is_a_step() -> None:
    assert read(*(f"0:  {i}%|#     | {i}/100 [00:10<10:00,  3.10it/s]" for i in range(10, 90))).step == 89


def test_the_bar_of_an_evaluation_does_not_hide_the_trainings() -> None:
    """The Hugging Face Trainer prints both without a label."""
    training = [f" {i // 50:2d}%|#    | {i}/5000 [00:10<10:00,  3.10it/s]" for i in range(100, 900, 10)]
    evaluation = [f" {i:2d}%|#    | {i}/63 [00:10<10:00,  3.10it/s]" for i in range(1, 40)]
    found = read(*training, *evaluation)
    assert (found.step, found.steps_total) == (890, 5000)


def test_a_finished_bar_of_the_preparation_is_not_the_trainings() -> None:
    prepared = [f" {i:2d}%|#    | {i}/100 [00:10<10:00,  3.10it/s]" for i in range(1, 101)]
    training = [f" {i // 50:2d}%|#    | {i}/5000 [00:10<10:00,  3.10it/s]" for i in range(0, 900, 10)]
    found = read(*prepared, *training)
    assert (found.step, found.steps_total) == (890, 5000)


def test_an_epochs_own_bar_is_no_global_step() -> None:
    bar = [f"Epoch 3: {i:2d}%|#     | {i}/100 [00:10<10:00,  3.10it/s, v_num=ab12]" for i in range(0, 100, 10)]
    found = read(*bar)
    assert (found.epoch, found.step) == (3, None)


def test_the_trainers_last_words_give_the_target() -> None:
    """Lightning counts epochs from 0 and its rich bar up to the last one; at the end all of them are done."""
    out = log("Epoch 7/7  ━━━━━━━━━━ 8/8 0:00:00 • 0:00:00 156.51it/s train_loss: 0.018")
    err = log("`Trainer.fit` stopped: `max_epochs=8` reached.", stream="err")
    found = merge_progress(read_progress(out), read_progress(err))
    assert (read_progress(out).epoch, found.epoch, found.epochs_total) == (7, 8, 8)
    assert read("`Trainer.fit` stopped: `max_steps=5000` reached.").steps_total == 5000


def test_both_streams_together() -> None:
    found = merge_progress(read("Epoch 3 loss 0.5"), read_progress(log("step 90/500", stream="err")))
    assert (found.epoch, found.step, found.steps_total, found.loss) == (3, 90, 500, 0.5)
    assert merge_progress(read("Epoch 3"), read("Epoch 5")).epoch == 5
    assert merge_progress(Progress(), Progress()) == Progress()


def test_an_old_line_far_above_is_still_found() -> None:
    """Steps are printed often, epochs seldom."""
    assert read("Epoch 4/50", *(f"step {i} loss 0.5" for i in range(3000))).epoch == 4
    assert read("Epoch 4/50", *(f"step {i} loss: none yet" for i in range(3000))).epoch == 4


WORST = [
    "epoch " * 333,
    "epoch 1" + "1" * 1990,
    "loss loss " * 200,
    "loss: " + "9" * 1990,
    "{'loss'" * 280,
    "{'loss': " * 220,
    '{"loss": ' * 220,
    "{'loss': 1, " * 160,
    "CANCELLED AT " * 150,
    "JOB 1 ON n CANCELLED AT " * 80,
    "*** JOB 1 ON n CANCELLED AT 2026-11-20T09:00:00 DUE TO PREEMPTION ***",
    "CUDA error " * 180,
    "RuntimeError: " * 140,
    "RuntimeError: " + "nan" * 660,
    "OOM when allocating " * 100,
    "Traceback (most recent call last):",
    "During handling of the above exception, another exception occurred:",
    "A." * 1000 + "Error",
    "E" * 1990 + "rror",
    "45%|" * 500,
    "45%|" + "#" * 1990,
    "Epoch: [1]  [ 1/1]  " * 100,
    "step " + " " * 1990,
    "rank      : 2 (local_rank" * 80,
    "0: " * 660,
    "| " * 1000,
    "early stop " * 180,
    "error: argument " * 120,
    "cp: " + "x" * 1990 + "No such file",
    "\x00" * 2000,
    "\ufffd" * 2000,
    "({[" * 660,
    "ModuleNotFoundError " * 100,
    "NotFoundError: " * 130,
    "Value '" * 280,
    "ran out of memory " * 110,
    "step 1," + "000," * 490,
    "Tried to allocate " * 110,
]


@pytest.mark.parametrize("line", WORST, ids=[row[:24].strip("\x00") or "nul" for row in WORST])
def test_hostile_lines_never_raise(line: str) -> None:
    """256 of them are what one look reads of a log at most."""
    text = log(*[line] * 256)
    assert isinstance(read_progress(text), Progress)
    assert _cause(text) is not None


def test_random_text_never_raises() -> None:
    chance = random.Random(7)  # the same text every time
    words = "epoch loss step {'loss': Error CANCELLED AT \x00 nan 1e999 - / %| │ JOB } \U0001f41d".split()
    words += ["Traceback (most recent call last):", "9" * 40, "rank 1:", "DUE TO PREEMPTION"]
    lines = [" ".join(chance.choices(words, k=chance.randrange(12))) for _ in range(3000)]
    assert isinstance(read_progress(log(*lines)), Progress)
    assert _cause(log(*lines)) is not None


def _cause(text: LogText) -> str:
    return crash.classify(
        state="FAILED",
        exit_code="1:0",
        elapsed_s=1,
        reading=reading.read([text], "FAILED"),
        progress=Progress(),
        target_epochs=None,
        target_steps=None,
    ).cause


class TestPrintedConfigs:
    """What a script prints of its configuration tells its target, where no line of the training does."""

    @pytest.mark.parametrize(
        ("line", "epochs", "steps"),
        [
            ("Namespace(arch='resnet50', batch_size=256, epochs=90, lr=0.1, workers=16)", 90, None),
            ("Namespace(epochs=100, steps=5000, loss='mse')", 100, 5000),
            ("Namespace(max_steps=5000)", None, 5000),
            ("Namespace(num_train_epochs=3.0, max_steps=5000, lr=1)", None, 5000),
            ("train_cfg = dict(by_epoch=True, max_epochs=12, type='EpochBasedTrainLoop', val_interval=1)", 12, None),
            ("train_cfg = dict(max_iters=160000, type='IterBasedTrainLoop', val_interval=16000)", None, 160_000),
            ("2021-03-01 - mmdet - INFO - workflow: [('train', 1)], max: 24 epochs", 24, None),
            ("x | INFO | fairseq_cli.train | {'optimization': {'max_epoch': 0, 'max_update': 300}}", None, 300),
            ("Namespace(clip_norm=0.1, max_epoch=50, max_update=0, optimizer='adam')", 50, None),
            ("│ train_loop_config/epochs         20 │", 20, None),
            # none of these is a target
            ("Namespace(warmup_epochs=5, save_epochs=10, epochs=None)", None, None),
            ("Namespace(epochs=-1, name='epochs=7')", None, None),
            ("scheduler = dict(type='CosineAnnealingLR', max_epochs=12)", None, None),
            ("we ran max_epochs=12 before", None, None),
        ],
    )
    def test_the_target_in_one_line(self, line: str, epochs: float | None, steps: int | None) -> None:
        found = read(line, "epoch 3 | loss 0.5")
        assert (found.epoch, found.epochs_total, found.steps_total) == (3, epochs, steps)

    def test_what_the_training_itself_says_counts_more(self) -> None:
        assert read("Namespace(epochs=90)", "Epoch 3/50 loss 0.5").epochs_total == 50

    def test_a_long_hostile_line_costs_little(self) -> None:
        assert read("Namespace(" + "epochs=" * 20_000, "epoch 3").epochs_total is None
