"""Sweeps and runs of a project from the W&B service, in as few requests as their number allows.

The client's own listing asks once per sweep, and once more per run whose config or summary is touched. Here sweeps and
runs come in the same pages, and what is heavy (config, summary) only for the runs that need it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tools.sources.wandb_answers import as_dict, as_word, next_cursor, nodes, run_of, sweep_of
from tools.sources.wandb_http import Remote, ServiceError, meanwhile
from tools.wandb_data import ServerProject, ServerRun, ServerSweep

PAGE = 500
"""Runs and sweeps of one page of the listing."""
DETAIL_PAGE = 250
"""Runs of one page with config and summary."""
MAX_PAGES = 20

_LISTING = """
query Listing($entity: String!, $project: String!, $first: Int!, $afterRun: String, $afterSweep: String,
              $runs: Boolean!, $sweeps: Boolean!) {
  viewer { username }
  project(name: $project, entityName: $entity) {
    sweeps(first: $first, after: $afterSweep) @include(if: $sweeps) {
      edges { node { id name displayName method state description createdAt runCount config } }
      pageInfo { endCursor hasNextPage }
    }
    runs(first: $first, after: $afterRun, order: "-heartbeat_at") @include(if: $runs) {
      edges { node { id name displayName sweepName state createdAt heartbeatAt notes historyLineCount
                     user { username } } }
      pageInfo { endCursor hasNextPage }
    }
  }
}
"""

_DETAIL = """
query Detail($entity: String!, $project: String!, $first: Int!, $after: String, $filters: JSONString!) {
  project(name: $project, entityName: $entity) {
    runs(first: $first, after: $after, filters: $filters) {
      edges { node { id name displayName sweepName state createdAt heartbeatAt notes historyLineCount
                     user { username } config summaryMetrics } }
      pageInfo { endCursor hasNextPage }
    }
  }
}
"""

_SWEEP = """
query OneSweep($entity: String!, $project: String!, $sweep: String!) {
  project(name: $project, entityName: $entity) {
    sweep(sweepName: $sweep) { id name displayName method state description createdAt runCount config }
  }
}
"""

_STOPPED = """
query Stopped($entity: String!, $project: String!, $run: String!) {
  project(name: $project, entityName: $entity) { run(name: $run) { stopped } }
}
"""


def read_project(service: Remote, entity: str, project: str, since: float) -> ServerProject:
    """All sweeps, and the runs with a heartbeat after ``since`` (epoch seconds), newest first. Raises ServiceError.

    Takes at most the time of one request; what was read by then is given, and what was not is said.
    """
    until = time.monotonic() + service.timeout_s
    sweeps: dict[str, ServerSweep] = {}
    runs: dict[str, ServerRun] = {}
    after: dict[str, str | None] = {"sweeps": None, "runs": None}
    viewer, left_out = None, None
    for page in range(MAX_PAGES + 1):
        if page == MAX_PAGES:
            left_out = f"only the newest {len(runs):,} runs and {len(sweeps):,} sweeps were read"
            break
        wanted = {"sweeps": "sweeps" in after, "runs": "runs" in after}
        places = {"afterRun": after.get("runs"), "afterSweep": after.get("sweeps")}
        try:
            data = service.query(
                _LISTING, {"entity": entity, "project": project, "first": PAGE, **places, **wanted}, until
            )
        except ServiceError as error:
            if page == 0:
                raise
            left_out = f"after {len(runs):,} runs: {error}"
            break
        found = _found(data, service, entity, project)
        viewer = viewer or as_word(as_dict(data.get("viewer")).get("username"))
        for node in nodes(found.get("sweeps")):
            if sweep := sweep_of(node):
                sweeps[sweep.sweep] = sweep
        last = [run for node in nodes(found.get("runs")) if (run := run_of(node))]
        recent = [run for run in last if (run.heartbeat or run.created or since) >= since]
        runs |= {run.run: run for run in recent}
        cursors = {name: next_cursor(found.get(name)) for name in wanted if wanted[name]}
        after = {name: cursor for name, cursor in cursors.items() if cursor}
        if len(recent) < len(last):
            after.pop("runs", None)
        if not after:
            break
    return ServerProject(entity, project, viewer, sweeps, runs, service.requests, left_out)


def with_details(service: Remote, found: ServerProject, names: Sequence[str]) -> ServerProject:
    """The same with config and summary of the runs named; those that did not answer in time stay as they are."""
    until = time.monotonic() + service.timeout_s
    pages = [names[start : start + DETAIL_PAGE] for start in range(0, len(names), DETAIL_PAGE)]
    waits = [meanwhile(partial(_details, service, found, page, until)) for page in pages]
    answers = [wait(None) for wait in waits]
    runs = {**found.runs, **{run.run: run for answer in answers if not isinstance(answer, str) for run in answer}}
    failed = next((answer for answer in answers if isinstance(answer, str)), None)
    left_out = found.left_out or (f"not all values: {failed}" if failed else None)
    return replace(found, runs=runs, requests=service.requests, left_out=left_out)


def read_runs(service: Remote, entity: str, project: str, names: Sequence[str]) -> dict[str, ServerRun]:
    """The runs named, as they are now, with config and summary. Raises ServiceError."""
    return {run.run: run for run in _page(service, entity, project, names, None)}


def read_sweep(service: Remote, entity: str, project: str, sweep: str) -> ServerSweep | None:
    """One sweep as it is now; None where the project has none of that id. Raises ServiceError."""
    data = service.query(_SWEEP, {"entity": entity, "project": project, "sweep": sweep})
    found = as_dict(_found(data, service, entity, project).get("sweep"))
    return sweep_of(found) if found else None


def stop_asked(service: Remote, entity: str, project: str, run: str) -> bool | None:
    """Whether the service holds a wish to stop the run; None where it does not tell. Raises ServiceError."""
    data = service.query(_STOPPED, {"entity": entity, "project": project, "run": run})
    told = as_dict(_found(data, service, entity, project).get("run")).get("stopped")
    return told if isinstance(told, bool) else None


def _details(service: Remote, found: ServerProject, names: Sequence[str], until: float) -> list[ServerRun] | str:
    try:
        return _page(service, found.entity, found.project, names, until)
    except ServiceError as error:
        return str(error)


def _page(service: Remote, entity: str, project: str, names: Sequence[str], until: float | None) -> list[ServerRun]:
    filters = json.dumps({"name": {"$in": list(names)}})
    variables = {"entity": entity, "project": project, "first": len(names), "filters": filters}
    runs: list[ServerRun] = []
    after = None
    while True:
        # a server may give fewer at once than it is asked for
        page = _found(service.query(_DETAIL, {**variables, "after": after}, until), service, entity, project).get(
            "runs"
        )
        new = [run for node in nodes(page) if (run := run_of(node))]
        runs, after = runs + new, next_cursor(page)
        if not new or not after or len(runs) >= len(names):
            return runs


class NoProject(ServiceError):
    """The service has no such project, or the key may not see it."""


def _found(data: Mapping[str, Any], service: Remote, entity: str, project: str) -> dict[str, Any]:
    found = data.get("project")
    if not isinstance(found, dict):
        raise NoProject(
            f"{service.host} has no project {entity}/{project}, or the key may not see it: are WANDB_ENTITY and "
            "WANDB_PROJECT right?",
            refused=True,
        )
    return found
