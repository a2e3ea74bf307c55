"""Live jobs of which nobody can say yet what they train: any run that nothing rules out may be it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tools.diagnosis.join import Link


def unnamed(links: Iterable[Link]) -> tuple[Link, ...]:
    """One link for each live job that may train a run which nothing ties to it: its log, files and words name none, or
    its last run has ended, so that it may have taken up another."""
    live: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        if link.job and link.job.active:
            live[link.job.id].append(link)
    return tuple(own[-1] for own in live.values() if not any(link.current and link.run for link in own))


def may_train(link: Link, sweep: str | None) -> bool:
    """Whether such a job may train a run of ``sweep`` (None: the run's sweep is not known): one that is known to serve
    another sweep does not."""
    return link.sweep is None or sweep in (None, link.sweep)
