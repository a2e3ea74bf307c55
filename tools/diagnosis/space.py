"""The search space of a sweep: which parameters it varies and how, and which it fixes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from tools.compact import compact
from tools.wandb_data import SweepConfig

MAX_VALUES = 8
MAX_VALUE_CHARS = 60

Kind = Literal["fixed", "values", "range", "malformed"]
# What a grid can go through, from W&B's own search: values, constants, and ranges of whole or rounded numbers.
_COUNTABLE = frozenset({"int_uniform", "q_uniform"})


@compact
class Parameter:
    """One parameter by its dotted name."""

    name: str
    kind: Kind
    shown: str
    """Its values or range, in words."""
    where: str
    """``file:line``."""
    count: int | None = None
    """How many values a grid would go through; None: no finite number."""
    weighted: bool = False
    """Its values have probabilities."""
    remark: str | None = None
    """The comment beside it."""


def parameters(config: SweepConfig) -> tuple[Parameter, ...]:
    """All parameters in the order of the file, nested ones under ``outer.inner``."""
    return tuple(_of(config, config.parameters, ""))


def _of(config: SweepConfig, given: Mapping[str, Any], prefix: str) -> Iterator[Parameter]:
    for key, spec in given.items():
        name = f"{prefix}{key}"
        top = name.partition(".")[0] if prefix else name
        where = config.where(f"parameters.{top}")
        told = config.remarks.get(top)
        remark = told.text if told else None
        if isinstance(spec, Mapping) and isinstance(spec.get("parameters"), Mapping):
            yield from _of(config, spec["parameters"], f"{name}.")
        else:
            yield _one(name, spec, where, remark)


def _one(name: str, spec: object, where: str, remark: str | None) -> Parameter:
    if not isinstance(spec, Mapping):
        return Parameter(name, "malformed", short(spec), where, remark=remark)
    values = spec.get("values")
    if isinstance(values, list) and len(values) > 1:
        more = f" and {len(values) - MAX_VALUES} more" if len(values) > MAX_VALUES else ""
        shown = ", ".join(map(short, values[:MAX_VALUES])) + more
        weighted = "probabilities" in spec
        return Parameter(name, "values", shown, where, count=len(values), weighted=weighted, remark=remark)
    if "value" in spec or (isinstance(values, list) and values):
        value = spec["value"] if "value" in spec else values[0] if isinstance(values, list) else None
        return Parameter(name, "fixed", short(value), where, count=1, remark=remark)
    if not spec.keys() & {"distribution", "min", "max"} or "values" in spec:
        return Parameter(name, "malformed", short(dict(spec)), where, remark=remark)
    return _range(name, spec, where, remark)


def _range(name: str, spec: Mapping[str, Any], where: str, remark: str | None) -> Parameter:
    low, high = spec.get("min"), spec.get("max")
    whole = isinstance(low, int) and isinstance(high, int)
    kind = str(spec.get("distribution") or ("int_uniform" if whole else "uniform"))[:40]
    if low is not None or high is not None:
        shown = f"{kind} {short(low)} to {short(high)}"
    else:
        shown = " ".join([kind, *(f"{key} {short(spec[key])}" for key in ("mu", "sigma", "a", "b") if key in spec)])
    if "q" in spec:
        shown += f" in steps of {short(spec['q'])}"
    if kind in {"log_uniform", "inv_log_uniform", "q_log_uniform"}:
        shown += " (exponents of e)"
    return Parameter(name, "range", shown, where, count=_steps(kind, low, high, spec.get("q", 1)), remark=remark)


def _steps(kind: str, low: object, high: object, q: object) -> int | None:
    """W&B's grid takes both ends of whole numbers, and leaves the upper end of rounded ones out."""
    if kind not in _COUNTABLE or not isinstance(low, int | float) or not isinstance(high, int | float):
        return None
    if kind == "int_uniform":
        return max(0, int(high) - int(low) + 1)
    if not isinstance(q, int | float) or q <= 0:
        return None
    return max(0, -int(-(high - low) // q))


def short(value: object) -> str:
    """A value as a person writes it in YAML, cut to 60 characters."""
    if isinstance(value, float):
        return f"{value:g}"
    text = " ".join(value.split()) if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE_CHARS else text[: MAX_VALUE_CHARS - 1] + "…"
