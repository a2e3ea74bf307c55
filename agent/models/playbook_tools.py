"""The playbook's workflows that need one tool more than the look, and its words for what that tool found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import prompts
from agent.follow_ups import AGAIN
from agent.intents import Intent
from tools.text import some

_TOOLS: Mapping[Intent, str] = {
    "explain": "explain_job",
    "health": "training_health",
    "batch": "batch_sizes",
    "context": "sweep_context",
}
_TAKE_A_SWEEP = frozenset(("training_health", "batch_sizes"))
_BATCH = ("per_device", "accumulation", "gpus", "effective")
_HEALTH = ("job", "run", "trend", "epoch", "last_losses", "losses", "losses_are", "learning_rate", "findings")
"""What a result leaves out where it is unknown."""


def closer_look(
    intent: Intent, subject: str | None, rows: Sequence[Mapping[str, Any]]
) -> tuple[str, dict[str, Any]] | None:
    """The call that answers beyond the look; ``subject`` is the job, run or sweep that the request names."""
    if intent == "status":  # a sweep that is asked about is reported with what it is for
        known = subject is not None and subject in {row.get("sweep") for row in rows}
        return ("sweep_context", {"sweep": subject}) if known else None
    name = _TOOLS.get(intent, "")
    if not name or (intent == "explain" and subject is None):
        return None
    if subject is None:
        return name, {}
    if name == "sweep_context":
        named = (row.get("sweep") for row in rows if subject in (row.get("job"), row.get("run"), row.get("sweep")))
        return name, {"sweep": next(filter(None, named), subject)}
    if name in _TAKE_A_SWEEP and subject in {row.get("sweep") for row in rows}:
        return name, {"sweep": subject}
    return name, {"run" if any(subject == row.get("run") for row in rows) else "job_id": subject}


def closer_answer(name: str, result: tuple[bool, str], question: str | None = None) -> str:
    """What the tool found, in words, and the question; left out: one about that."""
    failed, text = result
    found = _object(text) if not failed else {}
    if name == "training_health":
        return _health_answer(text if failed else None, found)
    short = next((run for run in found.get("runs", []) if run.get("out_of_memory") and run.get("job")), None)
    crash = f"Want me to go through the crash of job {short['job']} and what would mend it?" if short else AGAIN
    return prompts.render(
        "playbook_tools.md.j2",
        tool=name,
        problem=text if failed else None,
        found=_told(found),
        groups=_told(_alike(found.get("runs", []))) if name == "batch_sizes" else (),
        question=question or crash,
    ).strip()


def _alike(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Runs with the same batch as one entry with all their names; each that ran out of memory by itself."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for number, run in enumerate(runs):
        alone = number if run.get("out_of_memory") else None
        groups.setdefault((alone, *(run.get(name) for name in _BATCH)), []).append(run)
    return [
        {
            **(same[0] if len(same) == 1 else {name: same[0].get(name) for name in _BATCH}),
            "names": some([name for run in same if (name := run.get("job") or run.get("run"))], 6),
        }
        for same in groups.values()
    ]


def _health_answer(problem: str | None, found: Mapping[str, Any]) -> str:
    runs = found.get("runs", [found] if found else [])
    ill = [run for run in runs if run.get("findings")]
    lost = next((run for run in ill if run["verdict"] == "diverged" and run["kind"] == "live" and run.get("job")), None)
    question = f"Job {lost['job']} has diverged (loss is not finite): shall I cancel it?" if lost else AGAIN
    return prompts.render(
        "playbook_health.md.j2",
        problem=problem,
        runs=[{**dict.fromkeys(_HEALTH), **run} for run in ill or runs],
        rest=Counter(run["verdict"].partition(":")[0] for run in runs if run not in ill) if len(runs) > 1 else None,
        all_well=not ill,
        left_out=found.get("left_out"),
        question=question,
    ).strip()


class _Told(dict[str, Any]):
    """What a tool told: unknown values are left out of its result, and are None here."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name)


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        return _Told({key: _told(item) for key, item in value.items()})
    return [_told(item) for item in value] if isinstance(value, list) else value


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text.partition("\n")[0])
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
