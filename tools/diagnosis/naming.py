"""The rules' naming of jobs: short, and after the sweep's config file."""

from __future__ import annotations

import re

# Words that say nothing of what is swept.
_EMPTY = frozenset(
    "sweep sweeps config configs conf comprehensive full complete experiment experiments exp run runs wandb new final "
    "default base main the and of for with yaml yml".split()
)
MAX_WORDS = 3
MAX_CHARS = 24
LEAST = 4
"""Letters of a job name that may stand for a longer config name."""


def job_name(config: str) -> str:
    """The job name of a config file's path: ``bayes-tx`` of ``comprehensive_bayes_tx.yaml``, ``llm-glue`` of
    ``llm_glue_sweep.yaml``.

    The rule: the file's name in lower case, split at anything but letters and digits; words that say nothing left
    out; at most three words and 24 characters, joined by hyphens.
    """
    words = _words(config)
    telling = [word for word in words if word not in _EMPTY] or words or ["sweep"]
    name = "-".join(telling[:MAX_WORDS])
    return name[:MAX_CHARS].rstrip("-")


def fits(name: str, config: str) -> bool:
    """Whether a job's name is that of a config, or whole words of it."""
    given, words = _words(name), _words(config)
    if not given or sum(map(len, given)) < LEAST:
        return False
    spans = [words[start : start + len(given)] for start in range(len(words) - len(given) + 1)]
    return given in spans or given == _words(job_name(config))


def _words(path: str) -> list[str]:
    stem = path.rpartition("/")[2]
    stem = re.sub(r"\.(?:ya?ml|json)$", "", stem, flags=re.I)
    return re.findall(r"[a-z0-9.]+", stem.lower())
