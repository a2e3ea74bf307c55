"""What can be changed on the W&B service, each as one request that touches nothing else.

The client reads every run of a sweep to change its state, and rewrites all fields of a run to change its notes. Each
function sends one mutation, once, and raises ServiceError: ``refused`` where the service said no, else nobody knows.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote

from tools.sources.wandb_http import Remote

SweepState = Literal["RUNNING", "PAUSED", "FINISHED", "CANCELED"]

_SWEEP_STATE = """
mutation SetSweepState($id: ID!, $state: String!, $entity: String!, $project: String!) {
  upsertSweep(input: {id: $id, state: $state, entityName: $entity, projectName: $project}) { sweep { name } }
}
"""
_SWEEP_TEXT = """
mutation DescribeSweep($id: ID!, $text: String!, $entity: String!, $project: String!) {
  upsertSweep(input: {id: $id, description: $text, entityName: $entity, projectName: $project}) { sweep { name } }
}
"""
_RUN_NOTES = """
mutation SetRunNotes($id: String!, $text: String!) {
  upsertBucket(input: {id: $id, notes: $text}) { bucket { name } }
}
"""
_STOP_RUN = """
mutation StopRun($id: ID!) { stopRun(input: {id: $id}) { success } }
"""
_FAIL_RUN = """
mutation FailRun($input: UpdateRunStateInput!) { updateRunState(input: $input) { success } }
"""


def set_sweep_state(service: Remote, entity: str, project: str, node: str, state: SweepState) -> None:
    """``CANCELED`` also ends the sweep's live runs, ``FINISHED`` and ``PAUSED`` let them go on."""
    service.change(_SWEEP_STATE, {"id": node, "state": state, "entity": entity, "project": project})


def describe_sweep(service: Remote, entity: str, project: str, node: str, text: str) -> None:
    service.change(_SWEEP_TEXT, {"id": node, "text": text, "entity": entity, "project": project})


def set_run_notes(service: Remote, node: str, text: str) -> None:
    service.change(_RUN_NOTES, {"id": node, "text": text})


def stop_run(service: Remote, node: str) -> None:
    """The run's client learns of it within about 15 s and interrupts the training."""
    service.change(_STOP_RUN, {"id": node})


def fail_run(service: Remote, node: str) -> None:
    """Calls a silent run failed; the service refuses it for runs of a sweep."""
    service.change(_FAIL_RUN, {"input": {"id": node, "state": "failed"}})


def end_stream(service: Remote, entity: str, project: str, run: str) -> None:
    """Says what the run's own client would have said at its end: complete, with exit code 1."""
    path = "/".join(quote(part, safe="") for part in (entity, project, run))
    service.send(f"/files/{path}/file_stream", {"complete": True, "exitcode": 1})
