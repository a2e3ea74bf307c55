"""What is found out about a job's end, and the evidence for one explanation of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import field, replace

from tools.compact import compact
from tools.data import Cause, Evidence
from tools.diagnosis.crash_lines import Hit
from tools.diagnosis.quotes import distinct

MAX_EVIDENCE = 4
CUT_OFF = frozenset(("cancelled", "preempted", "time_limit", "node_fail", "killed"))
"""Causes that say nothing of the run itself: it may have been lost before."""
NEAR = 12
"""Lines around the telling one that may name what it left out (a key, a file, a size)."""


@compact
class Diagnosis:
    cause: Cause
    evidence: tuple[Evidence, ...] = ()
    detail: Mapping[str, str] = field(default_factory=dict)
    """What the evidence names: ``size``, ``key``, ``module``, ``file``, ``node``, ``signal``, ``exception``."""
    contradictions: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def explained(
    best: Hit, hits: Sequence[Hit], told: Hit | None, contradictions: Sequence[str], flags: Sequence[str]
) -> Diagnosis:
    same = [best, *(hit for hit in hits if hit.cause == best.cause and hit is not best)]
    detail = dict(best.detail)
    for hit in same:
        if hit.evidence.source == best.evidence.source and abs(hit.order - best.order) <= NEAR:
            detail = {**hit.detail, **detail}
    evidence = distinct(one for hit in same for one in (hit.evidence, *hit.more))[: MAX_EVIDENCE - bool(told)]
    if told:
        evidence.append(told.evidence)
    return Diagnosis(best.cause, tuple(evidence), detail, tuple(contradictions), tuple(flags))


def diverged(losses: Sequence[float]) -> bool:
    """The last three losses are not finite: one or two can be a skipped step of mixed precision."""
    return len(losses) >= 3 and not any(map(math.isfinite, losses[-3:]))


def lost_before(diagnosis: Diagnosis, losses: Sequence[float]) -> Diagnosis | None:
    """What stands in the way of resuming a run that was ended from outside after it had diverged; else None."""
    lost = diagnosis.cause in CUT_OFF and diverged(losses)
    return replace(diagnosis, cause="nan_loss") if lost else None
