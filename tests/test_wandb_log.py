"""``.wandb`` logs of eight client versions read as W&B's own classes read them; damage invents nothing."""

from __future__ import annotations

import json
import os
import random
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tools.sources.wandb_items import any_entry, any_item, plain_entry, plain_item
from tools.sources.wandb_log import LogFacts, read_log
from tools.sources.wandb_records import BLOCK, fields, leading

FIXTURES = Path(__file__).parents[1] / "fixtures" / "wandb"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FIXTURES / "expected.json").read_text())
STATES: dict[str, list[dict[str, Any]]] = json.loads((FIXTURES / "states.json").read_text())
NEWEST = "0.31.0"
VERSIONS = sorted({folder.partition("/")[0] for folder in EXPECTED})


def _log(version: str, case: str) -> Path:
    return next((FIXTURES / version / case).glob("offline-run-*/run-*.wandb"))


def _told(facts: LogFacts) -> str:
    """Everything but ``problem``, as text: nan is not equal to nan."""
    names = ("run", "started", "config", "summary", "history", "slurm", "exit_code", "preempting")
    return json.dumps({name: getattr(facts, name) for name in names}, sort_keys=True)


def _same(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _row(**values: object) -> bytes:
    items = (_field(1, _field(1, key.encode()) + _field(16, json.dumps(v).encode())) for key, v in values.items())
    return _field(2, b"".join(items))


def _summary(**values: object) -> bytes:
    return b"\x1a" + _row(**values)[1:]


def _file(path: Path, payloads: Iterable[bytes]) -> Path:
    """A log in W&B's framing, with chains of chunks where a record crosses blocks."""
    out = bytearray(b":W&B" + 0xBEE1.to_bytes(2, "little") + b"\0")
    for payload in payloads:
        rest, first = payload, True
        while True:
            room = BLOCK - len(out) % BLOCK
            if room < 7:
                out += bytes(room)
                continue
            part, rest = rest[: room - 7], rest[room - 7 :]
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[first, not rest]
            crc = zlib.crc32(bytes([kind]) + part)
            out += crc.to_bytes(4, "little") + len(part).to_bytes(2, "little") + bytes([kind]) + part
            first = False
            if not rest:
                break
    path.write_bytes(out)
    return path


@pytest.mark.parametrize("folder", sorted(EXPECTED))
def test_agrees_with_wandbs_own_classes(folder: str) -> None:
    (log,) = (FIXTURES / folder).glob("run-*.wandb")
    assert _told(read_log(log)) == _same(EXPECTED[folder])


def test_the_versions_are_those_whose_formats_differ() -> None:
    assert VERSIONS == ["0.16.6", "0.18.7", "0.19.11", "0.22.3", "0.28.2", "0.29.0", "0.30.0", NEWEST]
    assert {folder.partition("/")[0] for folder in STATES} == set(VERSIONS)


@pytest.mark.parametrize("version", VERSIONS)
def test_how_runs_ended(version: str) -> None:
    assert read_log(_log(version, "finished")).exit_code == 0
    assert read_log(_log(version, "failed")).exit_code == 1
    sweep = read_log(_log(version, "sweep"))
    assert (sweep.run["sweep"], sweep.run["entity"], sweep.run["project"]) == (
        "xk31p7",
        "acme-lab",
        "mt-distill",
    )
    assert sweep.history["epoch"] == 3


def test_a_killed_run_has_no_exit_code() -> None:
    killed = read_log(_log(NEWEST, "killed"))
    assert (killed.exit_code, killed.history["epoch"], killed.problem) == (None, 3, None)


def test_a_preempting_run_says_so() -> None:
    facts = read_log(_log(NEWEST, "preempted"))
    assert (facts.preempting, facts.exit_code) == (True, 143)


def test_edited_notes_count_and_notes_taken_away_are_gone() -> None:
    assert read_log(_log(NEWEST, "sweep")).run["notes"] == "second words"
    assert "notes" not in read_log(_log(NEWEST, "failed")).run


def test_killed_before_the_first_flush_is_said_to_hold_nothing() -> None:
    facts = read_log(_log(NEWEST, "killed-early"))
    assert _told(facts) == _told(LogFacts())
    assert facts.problem == "nothing reached the disk"


def _torn(folder: str) -> tuple[bytes, list[str]]:
    """The bytes of a log, and what may be told of a damaged copy: what the run was after each of its records."""
    return next((FIXTURES / folder).glob("run-*.wandb")).read_bytes(), [_same(state) for state in STATES[folder]]


@pytest.mark.parametrize("folder", sorted(STATES))
def test_every_cut_of_a_log_reads_as_a_moment_of_the_run(tmp_path: Path, folder: str) -> None:
    """Torn anywhere, it says what the run was at some record, and a longer copy never says less."""
    data, moments = _torn(folder)
    path = tmp_path / "run-a.wandb"
    at = 0
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        at = moments.index(_told(read_log(path)), at)
    assert at == len(moments) - 1 >= 9


@pytest.mark.parametrize("folder", sorted(STATES))
def test_a_flipped_byte_loses_records_and_invents_none(tmp_path: Path, folder: str) -> None:
    data, moments = _torn(folder)
    path, dice = tmp_path / "run-a.wandb", random.Random(4)
    for _ in range(150):
        torn = bytearray(data)
        torn[dice.randrange(len(torn))] ^= dice.randrange(1, 256)
        path.write_bytes(torn)
        assert _told(read_log(path)) in moments


@pytest.mark.parametrize("folder", sorted(STATES))
def test_a_lost_or_doubled_piece_invents_nothing(tmp_path: Path, folder: str) -> None:
    """What a file system does to a file that two nodes write: pieces of zeros, missing, or there twice."""
    data = _torn(folder)[0]
    truths = [state | {"exit_code": None} for state in STATES[folder]]
    known = {name: {_same(truth[name]) for truth in truths} for name in ("run", "history", "started")}
    path, dice = tmp_path / "run-a.wandb", random.Random(7)
    for _ in range(150):
        start, length = dice.randrange(len(data)), dice.randrange(1, 600)
        piece = dice.choice([b"", bytes(length), data[start : start + length] * 2])
        path.write_bytes(data[:start] + piece + data[start + length :])
        facts = read_log(path)
        for name, values in known.items():
            assert _same(getattr(facts, name)) in values, name
        assert facts.exit_code in (None, EXPECTED[folder]["exit_code"])
        assert _leaves(facts.config) <= _leaves([truth["config"] for truth in truths])
        assert _leaves(facts.summary) <= _leaves([truth["summary"] for truth in truths])


def _leaves(value: object, name: str = "") -> set[tuple[str, str]]:
    """Every value at the end of a branch, with its key."""
    if isinstance(value, dict):
        return {leaf for key, inner in value.items() for leaf in _leaves(inner, key)}
    if isinstance(value, list):
        return {leaf for inner in value for leaf in _leaves(inner, name)}
    return {(name, json.dumps(value))}


def test_flips_in_a_log_of_many_blocks_invent_nothing(tmp_path: Path) -> None:
    folder = next(name for name in EXPECTED if "/long/" in name)
    data, path = _log(NEWEST, "long").read_bytes(), tmp_path / "run-a.wandb"
    truth = EXPECTED[folder]
    dice = random.Random(5)
    for _ in range(60):
        torn = bytearray(data)
        for _ in range(3):
            torn[dice.randrange(len(torn))] ^= dice.randrange(1, 256)
        path.write_bytes(torn)
        facts = read_log(path)
        assert facts.exit_code in (None, 0)
        assert facts.run.items() <= truth["run"].items()
        assert facts.config.get("lr", 0.1) == 0.1
        if row := facts.history:
            step = row["_step"]
            assert (row["epoch"], row["val"]["acc"], row["text"][:1]) == (
                step,
                step / 10,
                chr(97 + step % 26),
            )
            assert len(row["text"]) == (40_000 if step == 30 else 100)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "empty"),
        (b":W&B", "not a W&B log"),
        (b":W&B\xe1\xbe\x00", "nothing reached the disk"),
        (b"\x89PNG\r\n" + bytes(5000), "not a W&B log"),
    ],
)
def test_what_is_no_log_is_named(tmp_path: Path, data: bytes, problem: str) -> None:
    path = tmp_path / "run-a.wandb"
    path.write_bytes(data)
    facts = read_log(path)
    assert (facts.problem, _told(facts)) == (problem, _told(LogFacts()))


def test_random_bytes_after_the_header_give_nothing(tmp_path: Path) -> None:
    path, dice = tmp_path / "run-a.wandb", random.Random(6)
    for _ in range(50):
        path.write_bytes(b":W&B\xe1\xbe\x00" + dice.randbytes(dice.randrange(1, 90_000)))
        assert _told(read_log(path)) == _told(LogFacts())


def test_a_folder_a_pipe_or_nothing_in_its_place_is_said(tmp_path: Path) -> None:
    pipe = tmp_path / "run-p.wandb"
    os.mkfifo(pipe)
    assert read_log(pipe).problem == "not a file"
    assert read_log(tmp_path).problem == "not a file"
    assert read_log(tmp_path / "none").problem == "can't be read: No such file or directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_log_without_permission_is_said(tmp_path: Path) -> None:
    path = _file(tmp_path / "run-a.wandb", [_row(loss=1)])
    path.chmod(0)
    assert read_log(path).problem == "can't be read: Permission denied"


def test_garbage_with_right_checksums_is_a_problem_and_the_rest_counts(tmp_path: Path) -> None:
    deep = _field(2, _field(1, _field(1, b"x") + _field(16, b"[" * 20_000)))
    latin = _field(2, _field(1, _field(1, b"\xff") + _field(16, b"1")))
    endless = _field(18, _varint(8) + b"\xff" * 30)
    facts = read_log(_file(tmp_path / "run-a.wandb", [_row(loss=1), deep, latin, b"\x07\x07", endless]))
    assert facts.history == {"loss": 1, "_step": 0}
    assert facts.exit_code is None
    assert facts.problem == "holds a record that can't be read"


def test_values_of_two_rows_never_mix(tmp_path: Path) -> None:
    facts = read_log(_file(tmp_path / "run-a.wandb", [_row(loss=1, acc=2, _step=1), _row(loss=3, _step=2)]))
    assert facts.history == {"loss": 3, "_step": 2}


FILLER = _field(13, b"x" * 5000)
"""A record of console output."""


@pytest.mark.parametrize("blocks", [7, 8, 9, 11, 12, 13])
def test_a_row_across_any_block_border_is_read(tmp_path: Path, blocks: int) -> None:
    filler = blocks * BLOCK // 5013
    path = _file(tmp_path / "run-a.wandb", [*[FILLER] * filler, _row(text="y" * 20_000, _step=9)])
    assert read_log(path).history.get("_step") == 9


def test_the_last_row_is_found_behind_much_console_output(tmp_path: Path) -> None:
    path = _file(tmp_path / "run-a.wandb", [_row(loss=9), *[FILLER] * 300, _row(loss=1), *[FILLER] * 100])
    assert read_log(path).history == {"loss": 1, "_step": 0}


def test_values_from_the_beginning_of_a_large_log_are_not_taken_for_the_last(tmp_path: Path) -> None:
    """Between the first and the last blocks there may have been newer ones."""
    early = [_row(loss=9), _summary(best=0.1, loss=9)]
    facts = read_log(_file(tmp_path / "run-a.wandb", [*early, *[FILLER] * 700, _summary(loss=1)]))
    assert (facts.history, facts.summary) == ({}, {"loss": 1})


def test_a_log_that_is_still_growing_reads_as_far_as_it_is(tmp_path: Path) -> None:
    path = _file(tmp_path / "run-a.wandb", [_row(loss=1), _row(loss=2)])
    path.write_bytes(path.read_bytes()[:-3])
    facts = read_log(path)
    assert (facts.history["loss"], facts.problem) == (1, None)


def _path(*path: str) -> bytes:
    return b"".join(_field(1 if len(path) == 1 else 2, name.encode()) for name in path)


def _set(value: str, *path: str) -> bytes:
    return _field(1, _path(*path) + _field(16, value.encode()))


def _remove(*path: str) -> bytes:
    return _field(2, _path(*path))


LONG = "k" * 300


@pytest.mark.parametrize(
    ("items", "summary"),
    [
        ([_set("1", "a"), _set("2", "a"), _set("3", "b")], {"a": 2, "b": 3}),
        ([_set("1", "a"), _remove("a")], {}),
        ([_set("1", "a"), _remove("a"), _set("2", "a")], {"a": 2}),
        ([_set("1", "a", "b"), _set("2", "a", "c"), _set("3", "a", "b")], {"a": {"b": 3, "c": 2}}),
        ([_set("1", "a", "b"), _set("2", "a", "c"), _remove("a", "b")], {"a": {"c": 2}}),
        ([_set('{"b": 1}', "a"), _set("2", "a", "b")], {"a": {"b": 2}}),
        ([_set("2", "a", "b"), _set('{"b": 1}', "a")], {"a": {"b": 1}}),
        ([_set("2", "a", "b"), _set("1", "a"), _set("3", "a", "b")], {"a": {"b": 3}}),
        ([_set("1", "a.b"), _set("2", "a", "b")], {"a.b": 1, "a": {"b": 2}}),
        (
            [_set("1", LONG + "1"), _set("2", LONG + "2"), _set("3", LONG + "1")],
            {LONG + "1": 3, LONG + "2": 2},
        ),
        ([_set("1", LONG), _remove(LONG)], {}),
        ([_set("1", "a", "b"), _remove("a", "x", "y"), _remove("z")], {"a": {"b": 1}}),
        ([_set("NaN", ""), _set("1", "a")], {"": float("nan"), "a": 1}),
        ([_set("broken", "a", "b"), _set("1", "c")], {"c": 1}),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_the_last_word_on_each_key_counts(
    tmp_path: Path, items: list[bytes], summary: dict[str, Any], together: bool
) -> None:
    bodies = [b"".join(items)] if together else items
    facts = read_log(_file(tmp_path / "run-a.wandb", [_field(3, body) for body in bodies]))
    assert _same(facts.summary) == _same(summary)


def test_config_changed_later_counts(tmp_path: Path) -> None:
    first = _field(17, _field(1, b"a") + _field(4, _set("1", "lr") + _set("2", "seed")))
    facts = read_log(_file(tmp_path / "run-a.wandb", [first, _field(5, _set("3", "lr") + _remove("seed"))]))
    assert facts.config == {"lr": 3}


def test_an_impossible_start_is_no_start(tmp_path: Path) -> None:
    stamps = (_field(1, 2**63 + 5), _field(1, 10**17), b"")
    for stamp in stamps:
        path = _file(tmp_path / "run-a.wandb", [_field(17, _field(1, b"a") + _field(17, stamp))])
        assert read_log(path).started is None


def test_a_negative_exit_code(tmp_path: Path) -> None:
    facts = read_log(_file(tmp_path / "run-a.wandb", [_field(18, _field(1, 2**64 - 9))]))
    assert facts.exit_code == -9


@pytest.mark.parametrize("number", [1, 127, 128, 16_383, 16_384, 3_000_000])
@pytest.mark.parametrize("run", ["a", "r" * 100, "r" * 128, "r" * 300])
def test_a_record_is_known_whatever_its_number_and_info(tmp_path: Path, number: int, run: str) -> None:
    """What stands before the message in a record has any length; values are synthetic."""
    start = _field(1, number) + _field(200, _field(1, run.encode()))
    bodies = [(13, b"console"), (2, _row(loss=1)[2:]), (7, b"stats"), (18, _field(1, 3)), (13, b"\x12\x1a")]
    facts = read_log(_file(tmp_path / "run-a.wandb", [start + _field(n, body) for n, body in bodies]))
    assert (facts.history["loss"], facts.exit_code, facts.problem) == (1, 3, None)


@pytest.mark.parametrize(
    "text", ["0", "7", "-3", "007", "1.5", "1e3", "NaN", '"ü"', "[1]", " 12 ", "1 2", "٣", "9" * 40]
)
def test_values_are_read_as_json_is(tmp_path: Path, text: str) -> None:
    facts = read_log(_file(tmp_path / "run-a.wandb", [_field(3, _set(text, "a"))]))
    try:
        expected = {"a": json.loads(text)}
    except ValueError:
        expected = {}
    assert _same(facts.summary) == _same(expected)
    assert bool(facts.problem) == (not expected)


SHORT = st.binary(max_size=6) | st.sampled_from([b"lr", b"\x82\x01", b"\xc2\x82\x01", "ü".encode(), b"k" * 130])
PIECES = st.lists(
    st.builds(_field, st.sampled_from([1, 2, 16, 27]), SHORT | st.sampled_from([b"1", b'"a"', b" {}", b"x" * 300])),
    max_size=4,
)
TORN = st.tuples(PIECES, st.integers(0, 3)).map(lambda told: b"".join(told[0])[: -told[1] or None])


def _outcome(read: Callable[[bytes], object], body: bytes) -> object:
    try:
        return read(body)
    except ValueError:
        return ValueError


@given(TORN)
@example(_field(2, b"a") + _field(1, b"b") + _field(16, b"1"))
@example(_field(1, b"\xc2\x82\x01") + _field(16, b"1"))
@example(_field(1, b"a") + _field(16, b"1" * 300))
def test_the_short_ways_read_what_the_long_ones_do(body: bytes) -> None:
    """An item or an entry is plain and the same, or left to the reader of any."""
    for plain, of_any in ((plain_item, any_item), (plain_entry, any_entry)):
        assert _outcome(plain, body) in (None, _outcome(of_any, body))


@given(TORN)
@example(_field(1, b"a") + b"\x0a")
@example(_field(1, b"a") + b"\x0a\x02b")
@example(_field(1, b"a") + _field(1, b"b" * 130) + _field(2, 7) + _field(1, b"c"))
def test_the_short_fields_that_a_message_begins_with_are_fields(body: bytes) -> None:
    def at_once(body: bytes) -> object:
        found, place = leading(body)
        return [(1, 2, value) for value in found] + list(fields(body, place))

    assert _outcome(at_once, body) == _outcome(lambda body: list(fields(body)), body)


@pytest.mark.parametrize("text", ["{}", ' {"x": 1}', "[1]", ' "a"', "0.5", "NaN", "null"])
def test_two_runs_never_share_what_can_be_changed(tmp_path: Path, text: str) -> None:
    first = _field(17, _field(1, b"a") + _field(4, _set(text, "a")))
    path = _file(tmp_path / "run-a.wandb", [first])
    more = _file(tmp_path / "run-b.wandb", [first, _field(5, _set("2", "a", "x"))])
    before = _same(read_log(path).config)
    assert read_log(more).config["a"]["x"] == 2
    assert _same(read_log(path).config) == before == _same({"a": json.loads(text)})
