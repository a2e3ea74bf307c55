"""What reads many lines of a log at once, or leaves most unread, tells the same as reading each of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tools.data_log import LogText
from tools.diagnosis import (
    bars,
    crash_patterns,
    gates,
    lines,
    lives,
    marker_lines,
    markers,
    shapes,
    stall,
    stretches,
    traits,
)
from tools.sources import logs
from tools.text import strip_ansi

_BYTES = st.sampled_from(
    (
        *(b"\n", b"\r", b"\r\n", b"\x1b[31m", b"\x1b", b"a", b"step 3", b" ", b"\xff", b"\xe2\x96", b"\0"),
        *(b"x" * (logs.LINE_CHARS - 1), b"x" * logs.LINE_CHARS, b"y" * 2500),
        *("é".encode() * logs.LINE_CHARS, "█é\u2028\x85".encode()),
    )
)


def _one_by_one(data: bytes) -> tuple[list[str], list[int]]:
    text = strip_ansi(data.decode("utf-8", "replace")).removesuffix("\n")
    lines: list[str] = []
    numbers: list[int] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n") if text else (), 1):
        own = [piece for piece in line.split("\r") if piece] if "\r" in line else [line]
        lines += [piece[: logs.LINE_CHARS] for piece in own]
        numbers += [number] * len(own)
    return lines, numbers


@given(st.lists(_BYTES, max_size=12).map(b"".join))
def test_a_logs_bytes_give_the_lines_of_its_text(data: bytes) -> None:
    encoded, numbers, whole = logs._split(data)
    lines = [line.decode() for line in encoded]
    assert (lines, list(numbers)) == _one_by_one(data)
    assert whole.decode() == "\n".join(lines)


def test_a_line_is_the_same_from_wherever_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "x.out"
    path.write_text("one\ntwo é\nthree\nfour")
    log = logs.read(str(path))
    assert log is not None
    assert [*log.lines] == [log.lines[i] for i in range(4)] == ["one", "two é", "three", "four"]
    assert log.lines[-1] == "four" and log.lines[1:3] == ("two é", "three")
    part = log.part(1, 3)
    assert [*part.lines] == ["two é", "three"] and part.where(1).endswith(":3")
    plain = LogText("x", "out", (*log.lines,), log.numbers, 1, 0.0)
    assert plain.encoded_lines() == log.encoded_lines()


_COUNTS = st.one_of(st.integers(0, 120), st.sampled_from([1, 99, 100, 1000]))
_BARS = st.builds(
    "{}{}%|{}| {}/{} [00:13<13:53,  1.80s/it]{}".format,
    st.sampled_from(["", "", " ", "", "  ", "Training: ", "steps: ", "Epoch 3: ", "12", "data: "]),
    _COUNTS,
    st.sampled_from(["", "██▏  ", "##", "#" * 201, "█" * 70]),
    _COUNTS,
    st.sampled_from(["100", "0100", "100", "7", "1000", "١٠٠"]),
    st.sampled_from(["", " Epoch 1: 5%|#| 1/20 [", " |", "/100 "]),
)


@given(
    st.lists(st.one_of(_BARS, st.just("%|")), max_size=4), st.sampled_from([0, 0, 9, 80]), st.lists(_BARS, max_size=3)
)
@example([" 5%|#| 5/100 [00:13<13:53] Epoch 1: 5%|#| 1/20 ["], 0, [])
@example([" 5%|#| 5/100 [00:13<13:53]", " 5%|#| 5/1000 [00:13<13:53]"], 0, [])
@example([*[" 5%|#| 5/100 [00:13<13:53]"] * bars.DENSE, " 5%|#| 5/1000 [00:13<13:53]"], 9, [])
def test_a_bar_read_at_once_is_the_bar_read_line_by_line(first: list[str], more: int, last: list[str]) -> None:
    plain = [f"{percent:3}%|██    | {percent}/100 [00:13<13:53,  1.80s/it]" for percent in range(more, 0, -1)]
    drawn = [line.encode() for line in (*first, *plain, *last)]
    found = bars._of_one(drawn)
    assert found is None or found == bars._of_each(drawn)


def test_most_bars_are_read_at_once() -> None:
    drawn = [f"{percent:3}%|{'█' * (percent // 10):10}| {percent}/100 [00:13<13:53]".encode() for percent in range(100)]
    assert bars._of_one(drawn[::-1]) == {100: bars._Bar(99, 9, 30)}
    restarted = bars._of_one([*drawn[:5][::-1], *drawn[90:][::-1]])
    assert restarted is not None and restarted[100].starts_over


_WORDS = st.sampled_from([*crash_patterns.GATE, "epoch", " ", "e", "é", "Erro", "", "ok", "NC", "CL", "已", "杀死"])


@given(st.lists(_WORDS, max_size=6).map("".join))
def test_the_gates_words_are_found_by_their_first_letters(text: str) -> None:
    known = any(word in text for word in crash_patterns.GATE)
    found = crash_patterns.candidates(text)
    assert (found is not None) == known
    assert [*(found or ())] == [sign for sign in crash_patterns.SIGNS if any(hint in text for hint in sign.hints)]


_TRAIT_WORDS = st.sampled_from([word for words in traits._WORDS.values() for word in words])


@given(st.lists(st.one_of(_TRAIT_WORDS, _WORDS, st.sampled_from(["%|", "%", "ss", " "])), max_size=6).map("".join))
def test_the_traits_of_a_line_are_those_of_the_words_in_it(text: str) -> None:
    naive = sum(trait for trait, words in traits._WORDS.items() if any(word in text for word in words))
    assert traits._Table()[text.encode()] == naive | (traits.BAR if "%|" in text else 0)


_PIECES = st.sampled_from(
    ["epoch 1: loss 2", "epoch 31: loss 4", "", "x", "a epoch 1: loss 2", "epoch 1: loss 2 x", "é"]
)


@given(st.lists(st.tuples(_PIECES, st.sampled_from([1, 1, 2, 5, 70, 300])), max_size=6))
@example([("a epoch 1: loss 2", 1), ("epoch 1: loss 2", 300), ("epoch 1: loss 2 x", 1), ("", 1)])
@example([("", 5000)])
def test_lines_that_are_alike_are_told_as_each_of_them(pieces: list[tuple[str, int]]) -> None:
    lines = [line.encode() for line, count in pieces for _ in range(count)]
    assert stretches.told(b"".join(line + b"\n" for line in lines), len) == bytes(map(len, lines))
    log = LogText("x", "out", [line.decode() for line in lines], range(1, len(lines) + 1), 1, 0.0)
    assert traits.traits_of(log).of == bytes(traits._table[re.sub(rb"[0-9]", b"", line)] for line in lines)


_NEEDLES = [word for known in (shapes.EPOCH_SHAPES, shapes.STEP_SHAPES) for words, _, _ in known for word in words]
_TOLD = st.sampled_from(
    (
        *_NEEDLES,
        *("epoch", "Epoch", "EPOCH", "step", "global_step", "train/", "max_", "best", "iteration", "update", "É"),
        *("loss", "train_loss", "lm loss", "LOSS", "boss ", "oss", "val_", "train loss", "l", " "),
        *("=", ": ", " ", "[", "/", "3", "1,200", "12/300", "0.5", "nan", "%", "'", '"', "x", "٣", "\t"),
        *("wandb:", 'File "', "ValueError: ", "#", "Namespace(", "warmup_steps", "best", "minimum", "Peak", "BEST"),
    )
)


@given(st.lists(_TOLD, max_size=8).map("".join))
@example("2epoch 3")
@example("epoch[3/12] iter[7]")
@example("global_step#7")
@example("train/epoch: 3")
@example("x lm loss 3 loss 4")
@example("x train loss: 3")
def test_what_a_lines_shape_rules_out_is_not_in_it(line: str) -> None:
    gate = gates.gate_of(traits.without_digits(line.encode()))
    assert lines.epoch_in(line, gate.epochs) == lines.epoch_in(line)
    assert lines.step_in(line, gate.steps) == lines.step_in(line)
    assert gate.past or not lines.is_no_progress(line)


@given(st.lists(_TOLD, max_size=8).map("".join))
@example("x lm loss 3 loss 4")
@example("x train loss: 3")
@example("loss 3")
def test_a_loss_is_found_from_its_word_as_from_the_lines_beginning(line: str) -> None:
    found, searched = lines._loss_in(line), shapes.LOSS.search(line)
    assert (found and (found[1], found.end())) == (searched and (searched[1], searched.end()))


_TIMES = st.sampled_from(
    (
        *("2026-11-20 10:00:00", "2026-11-20T10:00:05", "2026-99-20 10:00:00", "[1:02:03<5:00", "[02:03<", "[2:3<"),
        *("[", " ", "epoch 3 ", "x" * (stall.STAMPED - 10)),
    )
)


@given(st.lists(st.lists(_TIMES, max_size=4).map("".join), max_size=5))
def test_the_times_of_many_lines_are_those_of_each(lines: list[str]) -> None:
    for times_in in (stall._stamps, stall._bar_clocks):
        each = [next(iter(times_in(line)), None) for line in lines]
        assert [*times_in("\n".join(lines))] == [time for time in each if time is not None]


@given(st.lists(st.sampled_from(["it/s", "s/it", "]", ",", " ", "1.80", "IT/S", "epoch=", "3", "x"]), max_size=8))
def test_the_speed_of_a_bar_is_told_without_the_pattern(words: list[str]) -> None:
    line = "".join(words)
    assert not any(speed in line for speed in lives._SPEED) or lives._TOLD.search(line)


def test_a_line_that_names_a_run_is_marked_whatever_its_numbers() -> None:
    lines = [
        line
        for path in sorted(Path("fixtures/logs").glob("*/*"))
        if "unseen" not in str(path) and path.is_file()
        for line in path.read_text(errors="replace").splitlines()
    ]
    lines += [
        "wandb: 🚀 View run x at https://w.ai/e/p/runs/a1",
        "Run: ab12cd34",
        "INFO Run ID: x-9z9z",
        "Sweep ID: e/p/s",
    ]
    lines += [
        "2026 - Agent Finished Run: a1b2",
        "Cleaning up finished run: a1",
        "wandb: Find logs at: ./run-20261119_213118-a1",
    ]
    told = (marker_lines.run_in, marker_lines.sweep_in, marker_lines.ENDED.search, marker_lines.COMMAND.search)
    marked = [line for line in lines if any(says(line) for says in told) or any(w in line for w in marker_lines.BEFORE)]
    assert len(marked) > 6
    for line in marked:
        shape = re.sub(r"[0-9]", "", line)
        assert any(hint in shape for hint in marker_lines.HINTS), line


def test_what_is_forgotten_while_a_job_is_read_is_found_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many shapes are remembered; the table may be emptied between the two logs of one job."""

    def read() -> tuple[markers.RunPart, ...]:
        out = LogText("a.out", "out", ("epoch 3", "torch.OutOfMemoryError: CUDA out of memory."), (1, 2), 1, 0.0)
        err = LogText("a.err", "err", ("slurmstepd: error: Detected 1 oom-kill event(s)",), (1,), 1, 0.0)
        return markers.parts([out, err], "FAILED")

    before = read()
    assert before[0].reading is not None and {hit.cause for hit in before[0].reading.hits} >= {"cuda_oom", "host_oom"}
    monkeypatch.setattr(traits, "REMEMBERED", 0)
    assert read() == before


@given(st.lists(st.sampled_from((0, traits.STEP, traits.LOSS | traits.BAR)), max_size=60), st.integers(1, 70))
@example([traits.STEP] * 3 + [0] * 50, 2)
def test_the_last_lines_of_a_kind_are_those_that_are_met_going_back(of: list[int], count: int) -> None:
    own = traits.Traits([b""] * len(of), bytes(of))
    wanted = [i for i, mask in enumerate(of) if mask & (traits.STEP | traits.BAR)]
    assert own.last(traits.STEP | traits.BAR, count) == wanted[-count:]


def test_few_lines_of_progress_in_a_very_long_log_cost_no_more_than_reading_it() -> None:
    """Each look at the end began anew from a little further up: 260,000 lines took two seconds."""
    own = traits.Traits([], bytes([traits.STEP]) + bytes(3_000_000))
    assert own.last(traits.STEP, 60) == [0]


@pytest.mark.parametrize(
    "row", ['{"loss": 1%s, "epoch": 2}', '{"loss": 0.5, "epoch": 1%s}', '{"loss": 0.5, "step": 1%s}']
)
def test_a_number_beyond_all_bounds_is_none(tmp_path: Path, row: str) -> None:
    path = tmp_path / "a.out"
    path.write_text("epoch 1/9 loss=0.7\n" + row % ("0" * 400) + "\n")
    log = logs.read(str(path))
    assert log
    (part,) = markers.parts([log], "RUNNING", detailed=True)
    assert part.reading and part.reading.progress.epoch in (1.0, 2.0)


def test_two_readings_of_a_log_are_equal(tmp_path: Path) -> None:
    path = tmp_path / "a.out"
    path.write_text("one\ntwo\n")
    assert logs.read(str(path)) == logs.read(str(path))
