"""What a sweep is for and what it varies, from its YAML, its runs' notes and the workspace's CLAUDE.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.data import SweepConfig
from tools.diagnosis import naming
from tools.diagnosis.targets import Target, in_sweep_parameters

MAX_VALUES = 8
MAX_LINES = 15
"""Lines of one CLAUDE.md section, as in the rules."""
_HEADING = re.compile(r"#{1,4} .*(?:Experiment|Current|Sweep)", re.I)


@dataclass(frozen=True, slots=True)
class SweepContext:
    """None where nothing says it."""

    purpose: str | None
    hypothesis: str | None
    parameters: Mapping[str, str]
    """The varied ones: values or distribution."""
    fixed: Mapping[str, str]
    expected_runtime: str | None
    target: Target
    method: str | None
    metric: str | None


def context_of(config: SweepConfig) -> SweepContext:
    """What the sweep's YAML says of itself: its keys first, then its header comments."""
    comments = list(config.comments)
    marked = next((line for line in comments if line.lower().startswith("hypothesis")), None)
    runtime = config.told.get("expected_runtime") or config.told.get("runtime")
    told_runtime = next((line for line in comments if re.match(r"(?i)expected runtime|runtime", line)), None)
    plain = [line for line in comments if line not in (marked, told_runtime)]
    purpose = config.description or (plain.pop(0) if plain else None)
    hypothesis = config.told.get("hypothesis") or (_after_colon(marked) if marked else " ".join(plain) or None)
    varied, fixed = _parameters(config.parameters)
    return SweepContext(
        purpose,
        hypothesis,
        varied,
        fixed,
        runtime or (_after_colon(told_runtime) if told_runtime else None),
        in_sweep_parameters(config.parameters, config.path),
        config.method,
        config.metric,
    )


def notes_in(text: str, names: Iterable[str]) -> list[str]:
    """Lines of a CLAUDE.md that concern a sweep: those that name it, and the sections on experiments and sweeps."""
    wanted = [name for name in names if len(name) >= 4]
    found: list[str] = []
    inside = 0
    for line in text.splitlines()[:2000]:
        if line.startswith("#"):
            inside = MAX_LINES if _HEADING.match(line) else 0
        elif line.strip() and (inside > 0 or any(name in line for name in wanted)):
            found.append(line.strip()[:300])
            inside -= 1
    return found[: 2 * MAX_LINES]


def problems(config: SweepConfig, job_names: Sequence[str], *, offline: bool | None) -> list[str]:
    """What is wrong with a sweep's config and the jobs that run it. ``offline``: its runs are; None: not known."""
    found = []
    method = (config.method or "").lower()
    if offline and method == "bayes":
        found.append("bayes with offline runs: the search never sees their results (they must run online)")
    if offline and config.early_terminate:
        found.append(f"early_terminate ({config.early_terminate}) with offline runs: it can't stop them")
    if method == "bayes" and not config.metric:
        found.append("bayes without a metric: W&B refuses it")
    if method == "grid":
        drawn = [name for name, spec in config.parameters.items() if _continuous(spec)]
        if drawn:
            found.append(f"grid over {', '.join(drawn[:3])}: a grid needs values, not a distribution")
    if method not in {"grid", "random", "bayes", ""}:
        found.append(f"method {config.method}: W&B knows grid, random and bayes")
    odd = [name for name in dict.fromkeys(job_names) if config.path and not naming.fits(name, config.path)]
    if odd:
        found.append(f"job name {odd[0]} does not follow the config: {naming.job_name(config.path)} would")
    return found


def _parameters(parameters: Mapping[str, Any], prefix: str = "") -> tuple[dict[str, str], dict[str, str]]:
    varied: dict[str, str] = {}
    fixed: dict[str, str] = {}
    for name, spec in parameters.items():
        path = f"{prefix}{name}"
        if not isinstance(spec, Mapping):
            continue
        values = spec.get("values")
        if isinstance(spec.get("parameters"), Mapping):
            inner_varied, inner_fixed = _parameters(spec["parameters"], f"{path}.")
            varied |= inner_varied
            fixed |= inner_fixed
        elif isinstance(values, list) and len(values) > 1:
            more = f" and {len(values) - MAX_VALUES} more" if len(values) > MAX_VALUES else ""
            varied[path] = ", ".join(_short(value) for value in values[:MAX_VALUES]) + more
        elif "value" in spec or isinstance(values, list):
            fixed[path] = _short(spec.get("value", values[0] if isinstance(values, list) and values else None))
        elif _continuous(spec):
            ends = [spec.get(low, spec.get(other)) for low, other in (("min", "mu"), ("max", "sigma"))]
            varied[path] = f"{spec.get('distribution', 'uniform')} {_short(ends[0])} to {_short(ends[1])}"
    return varied, fixed


def _continuous(spec: object) -> bool:
    return isinstance(spec, Mapping) and "values" not in spec and "value" not in spec and "parameters" not in spec


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)[:60]


def _after_colon(line: str) -> str:
    return line.partition(":")[2].strip() or line
