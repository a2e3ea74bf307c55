"""The rules' naming of jobs: short, and after the sweep's config file."""

from __future__ import annotations

import re

# Words that say nothing of what is swept.
_EMPTY = frozenset(
    "sweep sweeps sweeping config configs conf cfg comprehensive full complete experiment experiments exp exps run "
    "runs wandb agent agents job jobs yaml yml hparam hparams the and of for with my new resume resumed".split()
)
MAX_WORDS = 3
MAX_CHARS = 24
LEAST = 4
"""Letters and digits that a part of a config's name needs to stand for it: ``tx`` alone could be many."""
_WORD = re.compile(r"[^\W_]{0,60}\d{1,20}\.\d{1,20}[^\W_]{0,60}|[^\W_]{1,120}")
_ENDING = re.compile(r"\.(?:ya?ml|json)$", re.I)


def job_name(config_file: str) -> str:
    """The job name that belongs to a config file (a name or a path).

    The rule:

    1. The file's name without its ending, in lower case, is split at everything but letters, digits and the point
       inside a number: ``comprehensive_bayes_tx.yaml`` is comprehensive, bayes, tx.
    2. Words that say nothing go (sweep, config, comprehensive, full, experiment, run, …): bayes, tx. Where all go
       (``sweep.yaml``), the folder's name is taken in the same way; where that says nothing either, the words stay.
    3. The first three words, joined by hyphens, are the name: ``bayes-tx``, and ``llm-glue`` of
       ``llm_glue_sweep.yaml``. While it is longer than 24 characters, the last word goes; a single word is cut.

    A file whose name has no letter or digit is ``sweep``.
    """
    folder, _, file = config_file.rpartition("/")
    own = _words(_ENDING.sub("", file))
    words = _telling(own) or _telling(_words(folder.rpartition("/")[2])) or own or ["sweep"]
    chosen = words[:MAX_WORDS]
    while len(chosen) > 1 and len("-".join(chosen)) > MAX_CHARS:
        chosen.pop()
    return "-".join(chosen)[:MAX_CHARS]


def fits(name: str, config_file: str) -> bool:
    """Whether a job's name is that of a config: by the rule, or its telling words stand side by side in the file's
    name and have at least four letters and digits together."""
    given = _words(name)
    if given == _words(job_name(config_file)):
        return True
    given = _telling(given)
    words = _telling(_words(_ENDING.sub("", config_file.rpartition("/")[2])))
    spans = (words[start : start + len(given)] for start in range(len(words) - len(given) + 1))
    return sum(map(len, given)) >= LEAST and given in spans


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower()[:255])


def _telling(words: list[str]) -> list[str]:
    return [word for word in words if word not in _EMPTY]
