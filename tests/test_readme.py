"""What the README and the pages behind it say is so: their links lead somewhere, their commands and keys exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.cli import main
from agent.config import load, user_file

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_commands(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target
    named: set[str] = set()
    for code in re.findall(r"`([^`\n]*\bagent [^`\n]*)`", text):
        named |= set(re.findall(r"(?:^|\| )agent ([a-z]+)\b", code))
    assert named <= set(main.commands), named - set(main.commands)


def test_the_readme_is_short() -> None:
    assert len(PAGES[0].read_text(encoding="utf-8").splitlines()) <= 80


def test_the_examples_of_the_configuration_are_taken(tmp_path: Path) -> None:
    project, own = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/configuration.md").read_text(encoding="utf-8"), re.S)
    (tmp_path / "sweep-agent.yaml").write_text(project)
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    file = user_file(environ)
    file.parent.mkdir(parents=True)
    file.write_text(own)
    config = load(environ, workspace=tmp_path)
    assert config.layout.cluster == "alpha" and config.transcripts.keep == 200 and "my-model" in config.prices
