"""The laws of the house, read from the syntax trees: which room may import which, and which doors there are."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("agent", "tools", "prompts")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def _nodes(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a module, read once for all laws."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def _imports(path: Path) -> Iterator[str]:
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _allowed(importer: str, imported: str) -> bool:
    room = imported.partition(".")[0]
    if room not in ROOMS:
        return True
    if importer.startswith("agent.demo"):
        return room == "agent" and imported.startswith("agent.demo")
    if importer.startswith("agent"):
        return True
    if importer.startswith("prompts"):
        return False
    plain = ("tools.compact", "tools.data", "tools.seldom", "tools.wandb_data", "tools.text")
    if importer.startswith("tools.diagnosis"):
        return imported.startswith((*plain, "tools.diagnosis"))
    if importer.startswith("tools.sources"):
        return imported.startswith((*plain, "tools.sources"))
    return room == "tools"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_run_one_way(path: Path) -> None:
    wrong = [name for name in _imports(path) if not _allowed(_name(path), name)]
    assert not wrong, f"{_name(path)} must not import {wrong}"


PROCESS = re.compile(r"^(subprocess|multiprocessing|pty|asyncio\.subprocess|pexpect)(\.|$)")
SYSTEM_CALLS = {"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp", "startfile"}


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_processes_start_only_in_command(path: Path) -> None:
    if _name(path) == "tools.sources.command":
        return
    assert not [name for name in _imports(path) if PROCESS.match(name)]
    for node in _nodes(path):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            assert node.attr not in SYSTEM_CALLS and not node.attr.startswith(("exec", "spawn")), node.attr


CHANGES = {
    "unlink",
    "rmdir",
    "rename",
    "replace",
    "rmtree",
    "write_text",
    "write_bytes",
    "symlink_to",
    "remove",
    "move",
}
# Places that write state of the program's own, below its own state folder.
OWN_STATE = (
    "tools.actions",
    "agent.demo",
    "agent.audit",
    "agent.plans",
    "agent.running",
    "agent.transcript",
    "agent.bugs",
    "tools.sources.kept",
)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_files_change_only_behind_the_guard_or_in_our_own_state(path: Path) -> None:
    if _name(path).startswith(OWN_STATE):
        return
    for node in _nodes(path):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr in CHANGES:
            # str.replace, datetime.replace and dataclasses.replace change nothing outside
            assert function.attr in {"replace", "remove"} and len(node.args) != 1, f"{_name(path)}: {ast.unparse(node)}"
        if isinstance(function, ast.Name) and function.id == "open" and len(node.args) > 1:
            assert "r" in ast.unparse(node.args[1]), ast.unparse(node)


def test_secondary_programs_and_heavy_libraries_are_not_imported_at_the_top() -> None:
    heavy = {"anthropic", "prompt_toolkit", "wandb", "rich", "yaml", "jinja2", "pydantic"}
    for name in ("agent/cli.py", "agent/__init__.py", "tools/__init__.py", "prompts/__init__.py"):
        tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
        top = {
            alias.name.partition(".")[0] for node in tree.body if isinstance(node, ast.Import) for alias in node.names
        }
        top |= {(node.module or "").partition(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom)}
        assert not top & heavy, f"{name} imports {top & heavy} at its top"


HEAVY = {"anthropic", "httpx2", "jinja2", "prompt_toolkit", "rich", "wandb", "yaml"}


@pytest.mark.parametrize(
    ("begun", "without"),
    [
        ("agent.cli", {*HEAVY, "pydantic", "tools.look", "tools.base"}),
        ("agent.where", {*HEAVY, "pydantic", "tools.look", "tools.base"}),
        ("tools.sweeps", {*HEAVY, "pydantic", "pydantic_core", "tools.base"}),
    ],
)
def test_a_command_begins_without_what_only_others_need(begun: str, without: set[str]) -> None:
    """Not by the modules that it imports itself, and not by theirs."""
    code = f"import sys, {begun}; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not without & set(imported.split())


def test_the_versions_in_the_package_are_those_of_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    locked = dict(
        re.findall(
            r"^([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==([^\s;]+)",
            (ROOT / "requirements.lock").read_text(encoding="utf-8"),
            re.M,
        )
    )
    pinned = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    for requirement in pinned:
        name, _, version = requirement.partition("==")
        assert locked.get(name) == version, requirement
    test_only = {
        "editables",
        "execnet",
        "graphql-core",
        "hatchling",
        "hypothesis",
        "mypy",
        "pytest",
        "pytest-cov",
        "pytest-recording",
        "pytest-xdist",
        "ruff",
        "types-pyyaml",
        "vcrpy",
    }
    assert {entry.partition("==")[0] for entry in project["dependency-groups"]["dev"]} == test_only
