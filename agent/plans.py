"""Acts that nobody could be asked about, kept until a person in a terminal approves them."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.approval import Request
from tools.compact import compact

LASTS_S = 7 * 86_400.0


class PlanError(Exception):
    """No such plan, or it can't be read. One line that says what to do."""


@compact
class Plan:
    name: str
    calls: tuple[tuple[str, Mapping[str, Any]], ...]
    """(tool, arguments): the world is read again when it is approved, so nothing else is kept."""
    workspace: str
    demo: bool


class Plans:
    """Kept below the state folder, one file each."""

    def __init__(self, folder: Path, workspace: Path, *, demo: bool) -> None:
        self._folder, self._workspace, self._demo = folder, workspace, demo

    def keep(self, calls: Sequence[tuple[str, Mapping[str, Any]]], request: Request, at: float) -> str:
        """Write a plan down; its name. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.strftime('%m%d-%H%M', time.localtime(at))}-{secrets.token_hex(2)}"
        content = {
            "at": at,
            "workspace": str(self._workspace),
            "demo": self._demo,
            "calls": [[tool, dict(values)] for tool, values in calls],
            "shown": (*request.listed, *request.kept),
        }
        path = self._folder / f"{name}.json"
        aside = path.with_suffix(".new")
        aside.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
        aside.replace(path)
        return name

    def forget(self, name: str) -> None:
        """Forget a plan that was carried out or declined."""
        (self._folder / f"{name}.json").unlink(missing_ok=True)


def read_plan(folder: Path, name: str, now: float) -> Plan:
    """A kept plan. Raises PlanError."""
    if not re.fullmatch(r"[0-9a-f-]{1,40}", name):
        raise PlanError(f"{name} is no plan; kept: {_kept(folder)}")
    try:
        content = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        calls = tuple((str(tool), dict(values)) for tool, values in content["calls"])
        plan = Plan(name, calls, str(content["workspace"]), bool(content["demo"]))
        age = now - float(content["at"])
    except FileNotFoundError:
        raise PlanError(f"there is no plan {name}; kept: {_kept(folder)}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PlanError(f"plan {name} can't be read ({error}); ask for it again") from None
    if age > LASTS_S:
        raise PlanError(f"plan {name} is {age / 86_400:.0f} days old; ask for it again")
    return plan


def _kept(folder: Path) -> str:
    return ", ".join(sorted(path.stem for path in folder.glob("*.json"))[-5:]) or "none"
