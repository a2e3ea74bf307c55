"""A held-out set is counted and never told apart: whoever reads its wrong cases tunes to them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import accuracy


def _set(root: Path) -> Path:
    case = root / "case-01"
    case.mkdir(parents=True)
    (case / "job.out").write_text("")
    label = {"state": "FAILED", "exit_code": "1:0", "elapsed_s": 3, "target_epochs": None}
    (case / "case.json").write_text(json.dumps(label | {"cause": "nccl", "also_ok": [], "key_fact": "seldom-word"}))
    return root


@pytest.mark.parametrize(("name", "told"), [("unseen2", False), ("written", True)])
def test_a_wrong_case_is_named_unless_its_set_is_held_out(
    name: str, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(accuracy.SETS, name, _set(tmp_path / "logs"))

    assert accuracy.main([name]) == 0

    said = capsys.readouterr().out
    assert said.startswith(f"== {name}: 0/1 right")
    assert [word in said for word in ("case-01", "nccl", "seldom-word")] == [told, told, False]
