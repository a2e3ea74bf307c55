"""A lab's own rules document as the system prompt, also one that a wrong encoding has damaged."""

from __future__ import annotations

from pathlib import Path

import ftfy.bad_codecs  # noqa: F401 - brings sloppy-windows-1252
import pytest
from servers.messages import MessagesServer

from agent.config import load
from agent.config_file import ConfigError
from agent.rules_file import MAX_BYTES, read_rules

TEXT = """# Règles du labo — 规则
## 🚨 Never cancel what trains
| State | Do |
|-------|----|
| PREEMPTED ✅ | resume → from the checkpoint |
| «lost» ⚠️ | “ask” first… naïve café, 5 µm, α → β |
"""


def damaged(codec: str, times: int = 1) -> bytes:
    text = TEXT
    for _ in range(times):
        text = text.encode().decode(codec)
    return text.encode()


def read(folder: Path, data: bytes) -> tuple[str, str]:
    path = folder / "rules.md"
    path.write_bytes(data)
    text, said = read_rules(path)
    assert "\n" not in said
    return text, said.removeprefix(f"rules: {path}: ")


def test_a_sound_document_is_left_alone_and_nothing_is_said(tmp_path: Path) -> None:
    assert read(tmp_path, TEXT.encode()) == (TEXT, "")
    assert read(tmp_path, b"plain words\n") == ("plain words\n", "")
    assert read(tmp_path, b"\xef\xbb\xbf" + TEXT.encode()) == (TEXT, "")


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("codec", ["latin-1", "sloppy-windows-1252", "macroman"])
def test_utf8_that_was_read_as_something_else_is_turned_back(tmp_path: Path, codec: str, times: int) -> None:
    text, said = read(tmp_path, damaged(codec, times))
    assert text == TEXT
    assert said.startswith("its text was damaged by a wrong encoding")
    assert ("2 times over" in said) == (times == 2)


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_unicode_is_read_as_what_it_is(tmp_path: Path, codec: str) -> None:
    plain = "Resume first, “always”.\n" * 3
    text, said = read(tmp_path, plain.encode(codec))
    assert text == plain
    assert said == f"it is {codec.upper()[:6]}, not UTF-8, and was read as that"


def test_windows_bytes_are_read_as_such(tmp_path: Path) -> None:
    plain = "naïve café – “yes”\n"
    assert read(tmp_path, plain.encode("cp1252")) == (plain, "it is Windows-1252, not UTF-8, and was read as that")


def test_what_is_lost_for_good_is_counted(tmp_path: Path) -> None:
    text, said = read(tmp_path, TEXT.encode().decode("cp1252", "replace").encode())
    assert "naïve café" in text
    assert "character" in said and "lost for good" in said


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe\x00", "is no text: save it as UTF-8"),
        (b"x" * (MAX_BYTES + 1), "is larger than 1 MiB"),
    ],
)
def test_what_is_no_rules_document_is_one_line(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, data)
    assert words in str(caught.value) and "rules.md" in str(caught.value)
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        read_rules(tmp_path)


def test_the_model_gets_the_repaired_text_and_the_person_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from agent.cli import main

    path = tmp_path / "rules.md"
    path.write_bytes(damaged("latin-1"))
    with MessagesServer(["Hello. What next?"]) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        done = CliRunner().invoke(main, ["ask", "hello", "--demo", "--model", "m", "--rules", str(path)])
    assert done.exit_code == 0, done.output
    assert server.requests[0]["system"][0]["text"].startswith(TEXT.strip())
    assert "its text was damaged by a wrong encoding and was repaired" in done.stderr
    assert load({}, workspace=tmp_path, rules=path).rules == path
