"""What is wrong with a sweep's config and with the jobs that run it.

What W&B refuses or warns of is from the schema and the searches of its ``sweeps`` package (wandb/sweeps on GitHub).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from tools.compact import compact
from tools.diagnosis import naming, space
from tools.diagnosis.context import target_of
from tools.diagnosis.space import Parameter
from tools.wandb_data import SweepConfig

METHODS = ("grid", "random", "bayes", "custom")


@compact
class Problem:
    """One thing that is wrong: in which file and line, at which key, in one short sentence."""

    where: str
    key: str
    text: str


def problems(
    config: SweepConfig, job_names: Sequence[str], offline: str | None, *, has_target: bool | None
) -> tuple[Problem, ...]:
    """All that is wrong, the gravest first.

    ``offline``: what shows that its runs are offline, None: nothing does. ``has_target``: whether a target is known
    of any of its runs, None: there are no runs to ask.
    """
    return tuple(_problems(config, job_names, offline, has_target))


def _problems(
    config: SweepConfig, job_names: Sequence[str], offline: str | None, has_target: bool | None
) -> Iterator[Problem]:
    if config.problem:
        yield Problem(config.path, "file", f"can't be read as YAML: {config.problem[:200]}")
    else:
        parameters = space.parameters(config)
        yield from needs_online(config, offline)
        yield from _method(config)
        yield from _early_terminate(config)
        yield from _space(config, parameters)
        if has_target is False and not target_of(config):
            yield Problem(config.where("parameters"), "target", "no epochs or steps to train for, here or in its runs")
    odd = [name for name in dict.fromkeys(job_names) if not naming.fits(name, config.path)]
    if odd:
        others = f" (and {len(odd) - 1} more)" if len(odd) > 1 else ""
        wanted = naming.job_name(config.path)
        yield Problem(
            config.path, "job name", f"job name {odd[0][:60]}{others} doesn't match the config: {wanted} would"
        )


def needs_online(config: SweepConfig, offline: str | None) -> Iterator[Problem]:
    """Where the controller has to see values while runs go on. ``offline``: what shows that it can't, or None."""
    if not offline:
        return
    if config.method == "bayes":
        text = f"bayes needs WANDB_MODE=online: {offline}, so the search gets no results"
        yield Problem(config.where("method"), "method", text)
    if config.early_terminate is not None:
        kind = space.short(config.early_terminate.get("type") or "early_terminate")
        text = f"{kind} needs WANDB_MODE=online: {offline}, so no run can be stopped early"
        yield Problem(config.where("early_terminate"), "early_terminate", text)


def _method(config: SweepConfig) -> Iterator[Problem]:
    goal = (config.metric or "minimize").partition(" ")[0]
    if config.method is None:
        yield Problem(config.path, "method", "no method: W&B needs grid, random or bayes")
    elif config.method not in METHODS:
        text = f"method {config.method[:40]}: W&B knows grid, random and bayes"
        yield Problem(config.where("method"), "method", text)
    if config.metric is None and "metric" in config.lines:
        yield Problem(config.where("metric"), "metric", "metric without a name")
    elif config.metric is None and config.method == "bayes":
        yield Problem(config.where("method"), "metric", "bayes without a metric: its search needs one")
    elif config.metric is None and config.early_terminate is not None:
        yield Problem(config.where("early_terminate"), "metric", "early_terminate without a metric to judge by")
    if goal not in ("minimize", "maximize"):
        yield Problem(config.where("metric"), "metric", f"goal {goal[:40]}: W&B knows minimize and maximize")


def _early_terminate(config: SweepConfig) -> Iterator[Problem]:
    stop = config.early_terminate
    if stop is None:
        return
    where = config.where("early_terminate")
    if stop.get("type") != "hyperband":
        text = f"early_terminate of type {space.short(stop.get('type'))}: W&B knows only hyperband"
        yield Problem(where, "early_terminate", text)
    elif "min_iter" not in stop and not {"max_iter", "s"} <= stop.keys():
        yield Problem(where, "early_terminate", "hyperband needs min_iter, or max_iter and s")


def _space(config: SweepConfig, parameters: Sequence[Parameter]) -> Iterator[Problem]:
    for one in parameters:
        if one.kind == "malformed":
            text = f"{one.name[:60]}: {one.shown} is no value, values or distribution (write value: …)"
            yield Problem(one.where, one.name, text)
    if config.run_cap is None and "run_cap" in config.lines:
        yield Problem(config.where("run_cap"), "run_cap", "run_cap is no whole number")
    elif config.run_cap is not None and config.run_cap <= 0:
        yield Problem(config.where("run_cap"), "run_cap", f"run_cap {config.run_cap}: W&B needs at least 1")
    if config.method != "grid":
        return
    for one in parameters:
        if one.kind == "range" and one.count is None:
            text = f"grid over {one.name[:60]} ({one.shown}): a grid needs values; W&B refuses it"
            yield Problem(one.where, one.name, text)
        elif one.weighted:
            yield Problem(one.where, one.name, f"grid over {one.name[:60]} with probabilities: W&B refuses it")
    counts = [one.count for one in parameters if one.kind in ("values", "range")]
    size = math.prod(count for count in counts if count is not None)
    if None not in counts and config.run_cap is not None and 0 < config.run_cap < size:
        text = f"run_cap {config.run_cap} ends the sweep before its grid of {size:,} is through"
        yield Problem(config.where("run_cap"), "run_cap", text)
