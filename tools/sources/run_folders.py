"""Folders that a run's own config, or Hydra, says are its own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tools.sources.wandb_settings import small_text

OUTPUT_KEYS = frozenset("output_dir checkpoint_dir ckpt_dir dirpath default_root_dir save_dir".split())
"""Names under which a run's config says where it saves: the Trainer's, Lightning's, and the commonest of plain ones."""
MAX_DEPTH = 4
"""Levels of a config; Hydra's ``callbacks.model_checkpoint.dirpath`` is on the third."""
# Hydra writes this file itself, always in this form; its submitit launcher gives the job's own id.
_HYDRA_JOB = re.compile(
    r"^  job:\n(?:    [^\n]{0,1000}\n){0,20}?    id: ['\"]?([0-9]{1,12}(?:_[0-9]{1,9})?)['\"]?$", re.MULTILINE
)


def folders_in(config: Mapping[str, object], levels: int = MAX_DEPTH) -> Iterator[str]:
    """Where a config says that the run saves, as it says it."""
    for key in OUTPUT_KEYS & config.keys():
        value = config[key]
        if isinstance(value, str) and 0 < len(value) < 4096:
            yield value
    for inner in config.values():
        if isinstance(inner, dict) and levels > 1:
            yield from folders_in(inner, levels - 1)


def hydra_folder(config: str) -> str:
    """The run folder of ``hydra_config.yaml`` or ``.hydra/config.yaml``, an absolute path."""
    folder = config[: config.rfind("/")]
    return folder.removesuffix("/.hydra") or "/"


def hydra_job(folder: str) -> str | None:
    """The Slurm job (``A`` or ``A_T``) of a Hydra run folder, where the launcher wrote it down."""
    told = _HYDRA_JOB.search(small_text(Path(folder, ".hydra", "hydra.yaml")))
    return told[1] if told else None


def holder(run_dir: str) -> str | None:
    """The folder whose ``wandb`` folder a W&B run folder lies in."""
    above, kind = os.path.split(os.path.dirname(run_dir))
    return above if kind == "wandb" else None


def overrides_of(words: Sequence[str]) -> frozenset[str]:
    """What a command tells Hydra to override: the words with ``=`` behind its script, less Hydra's own settings."""
    script = next((at for at, word in enumerate(words) if word.endswith(".py")), -1)
    told = [word for word in words[script + 1 :] if ("=" in word or word.startswith("~")) and word[0] != "-"]
    return frozenset(word for word in told if not word.lstrip("+~").startswith("hydra."))


def overrides_in(folder: str) -> tuple[frozenset[str], float | None]:
    """What a Hydra run folder says was overridden, and when it was written; nothing where that can't be read."""
    path = Path(folder, ".hydra", "overrides.yaml")
    found = re.findall(r"^- (['\"]?)(.{1,2000})\1$", small_text(path), re.MULTILINE)
    try:
        return frozenset(word.replace("''", "'") if mark == "'" else word for mark, word in found), path.stat().st_mtime
    except OSError:
        return frozenset(), None
