"""Where a workspace sets ``WANDB_MODE``: a job's script, its submit line, W&B's own settings. Nothing is run."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from tools.compact import compact
from tools.sources.wandb_settings import small_text
from tools.sources.yaml_files import read

_SET = re.compile(
    r"(?<![\w$])WANDB_MODE=['\"]?(\$\{WANDB_MODE:?[-=]['\"]?)?(online|offline|dryrun|disabled|run)\b", re.I
)
_SWITCH = re.compile(r"\s{0,40}wandb\s{1,4}(online|offline|enabled|disabled)\s{0,40}(?:$|[;&|])")
_SETTING = re.compile(r"\s{0,20}mode\s{0,20}[=:]\s{0,20}(\w{1,20})")
_QUIET = ("#", "echo ", "printf ")
OFFLINE = frozenset({"offline", "dryrun", "disabled"})
"""Modes in which a run sends nothing; ``dryrun`` is the old word for offline."""


@compact
class Mode:
    mode: str
    where: str
    """``file:line``, or what else sets it."""
    default: bool = False
    """Only where the environment has none (``${WANDB_MODE:-offline}``)."""

    @property
    def offline(self) -> bool:
        return self.mode in OFFLINE


def in_script(path: str) -> Mode | None:
    """What a batch script sets, its last word counting; None where it sets nothing or can't be read."""
    try:
        info = Path(path).stat()
    except OSError:
        return None
    return _in_script(path, info.st_mtime_ns, info.st_size)


@lru_cache(maxsize=256)
def _in_script(path: str, written: int, size: int) -> Mode | None:
    """``written`` and ``size`` tell one content of the path from the next: an array's tasks share one script."""
    try:
        data = read(path)
    except OSError:
        return None
    found = None
    for number, line in enumerate((data or b"").decode("utf-8", "replace").splitlines()[:5_000], 1):
        bare = line[:2_000].strip()
        if bare.startswith(_QUIET) and not bare.startswith("#SBATCH"):
            continue
        for match in _SET.finditer(bare):
            found = Mode(match[2].lower(), f"{path}:{number}", default=bool(match[1]))
        if switch := _SWITCH.match(bare):
            found = Mode(switch[1], f"{path}:{number}")
    return found


def in_words(words: tuple[str, ...]) -> Mode | None:
    """What a submit line's options set (``--export=ALL,WANDB_MODE=online``)."""
    match = _SET.search(" ".join(words)[:8_000])
    return Mode(match[2].lower(), "the submit line") if match else None


def in_settings(workspace: Path) -> Mode | None:
    """What ``wandb offline`` has written into ``wandb/settings``."""
    place = workspace / "wandb" / "settings"
    for number, line in enumerate(small_text(place).splitlines()[:1_000], 1):
        if match := _SETTING.match(line):
            return Mode(match[1].lower(), f"{place}:{number}")
    return None
