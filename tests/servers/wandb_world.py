"""What the stand-in W&B service holds and how it answers; not the real service (see ``servers.wandb``).

Sweeps and runs are plain dicts whose keys are the service's own field names, so that a test reads and changes them as
they are. What only the real service decides (when a silent run counts as crashed, who gets a run that was given back)
is left to the test, which sets ``state`` itself.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import graphql

from servers.wandb_changes import CHANGES
from servers.wandb_filters import matches

Node = dict[str, Any]
Where = tuple[str, str, str]
SCHEMA = graphql.build_schema(Path(__file__).with_suffix("").with_name("wandb.graphql").read_text(encoding="utf-8"))


class World:
    """Projects of one user, kept in memory. ``lock`` holds while a request is answered."""

    def __init__(self) -> None:
        self.user, self.entity = "tester", "acme-lab"
        self.runs: dict[Where, Node] = {}
        self.sweeps: dict[Where, Node] = {}
        self.agents: dict[str, Node] = {}
        self.projects: set[tuple[str, str]] = set()
        self.commands: list[Node] = []
        """What agents are told next, in order; with none left they are told to exit."""
        self.files: dict[str, bytes] = {}
        """Path -> what a client uploaded there."""
        self.most: int | None = None
        """More nodes than this are never in one page, whatever was asked."""
        self.url = ""
        self.lock = threading.RLock()

    def add_sweep(self, name: str, project: str = "mt-distill", entity: str | None = None, **fields: Any) -> Node:
        """A sweep that runs; ``fields`` by the service's names."""
        where = self._where(entity, project, name)
        now = self.now()
        config = "method: grid\nparameters:\n  lr: {values: [0.1, 0.2]}\n"
        node = {"id": _key("Sweep", *where), "name": name, "method": "grid", "state": "RUNNING", "config": config}
        self.sweeps[where] = node | {"createdAt": now, "updatedAt": now, "where": where} | fields
        return self.sweeps[where]

    def add_run(
        self,
        name: str,
        sweep: str | None = None,
        project: str = "mt-distill",
        entity: str | None = None,
        *,
        config: Mapping[str, Any] | None = None,
        summary: Mapping[str, Any] | None = None,
        history: Sequence[Mapping[str, Any]] = (),
        **fields: Any,
    ) -> Node:
        """A run that is running; ``config`` without W&B's wrapping, ``fields`` by the service's names."""
        where = self._where(entity, project, name)
        now = self.now()
        wrapped = {key: value if key == "_wandb" else {"value": value} for key, value in (config or {}).items()}
        node: Node = {"id": _key("Run", *where), "name": name, "displayName": name, "sweepName": sweep, "where": where}
        node |= {"state": "running", "running": True, "createdAt": now, "heartbeatAt": now, "tags": []}
        node |= {"config": json.dumps(wrapped), "summaryMetrics": json.dumps(summary or {}), "systemMetrics": "{}"}
        node |= {"rows": [json.dumps(row) for row in history], "stats": [], "log": [], "stopped": False}
        self.runs[where] = node | {"user": {"username": self.user, "name": self.user}} | fields
        return self.runs[where]

    def answer(self, asked: Mapping[str, Any]) -> Node:
        """What is sent for one GraphQL request, errors included. Raises GraphQLError where it is no GraphQL."""
        document = graphql.parse(asked["query"])
        if errors := graphql.validate(SCHEMA, document):
            return {"errors": [{"message": error.message} for error in errors]}
        given, operation = asked.get("variables") or {}, asked.get("operationName") or None
        with self.lock:
            done = graphql.execute_sync(SCHEMA, document, self._root(), variable_values=given, operation_name=operation)
        told: Node = {"data": done.data}
        return told | {"errors": [{"message": error.message} for error in done.errors]} if done.errors else told

    def node(self, key: str) -> Node | None:
        """The run or sweep with this id."""
        return next((node for node in (*self.runs.values(), *self.sweeps.values()) if node["id"] == key), None)

    def now(self) -> str:
        """As the service writes times: UTC, without a zone."""
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")

    def _where(self, entity: str | None, project: str, name: str) -> Where:
        self.projects.add((entity or self.entity, project))
        return entity or self.entity, project, name

    def _root(self) -> Node:
        teams = {"edges": [{"node": {"name": self.entity}}]}
        viewer = {"id": "VXNlcjox", "username": self.user, "name": self.user, "entity": self.entity, "flags": "{}"}
        return {
            "viewer": viewer | {"email": "", "admin": False, "teams": teams, "apiKeys": {"edges": []}},
            "serverInfo": {"features": []},
            "entity": lambda info, name: {"id": _key("Entity", name), "name": name},
            "project": self._project,
            "model": self._project,
            **{name: self._changing(change) for name, change in CHANGES.items()},
        }

    def _changing(self, change: Callable[[World, Node], Node]) -> Callable[..., Node]:
        def resolve(info: Any, input: Node) -> Node:
            return change(self, input)

        return resolve

    def _project(self, info: Any, name: str | None = None, entityName: str | None = None) -> Node | None:  # noqa: N803
        place = (entityName or self.entity, name or "uncategorized")
        return self.project(*place) if place in self.projects else None

    def project(self, entity: str, name: str) -> Node:
        here = (entity, name)
        runs = [run for where, run in self.runs.items() if where[:2] == here]
        sweeps = [sweep for where, sweep in self.sweeps.items() if where[:2] == here]

        def some(info: Any, filters: str | None = None, order: str | None = None, **page: Any) -> Node:
            found = [run for run in runs if matches(run, json.loads(filters or "{}"))]
            key = "heartbeatAt" if "heartbeat" in (order or "") else "createdAt"
            found.sort(key=lambda run: str(run[key]), reverse=(order or "").startswith("-"))
            return self._page(found, self.run, **page)

        def run(info: Any, name: str, **_: Any) -> Node | None:
            found = self.runs.get((*here, name))
            return self.run(found) if found else None

        def sweep(info: Any, sweepName: str) -> Node | None:  # noqa: N803
            found = self.sweeps.get((*here, sweepName))
            return self.sweep(found) if found else None

        return {
            "id": _key("Project", *here),
            "internalId": "1",
            "name": name,
            "entityName": entity,
            "readOnly": False,
            "entity": {"id": _key("Entity", entity), "name": entity},
            "runCount": lambda info, filters=None: sum(matches(run, json.loads(filters or "{}")) for run in runs),
            "runs": some,
            "run": run,
            "bucket": run,
            "totalSweeps": len(sweeps),
            "sweeps": lambda info, filters=None, **page: self._page(sweeps, self.sweep, **page),
            "sweep": sweep,
        }

    def _page(self, found: list[Node], told: Callable[[Node], Node], first: int = 50, after: str | None = None) -> Node:
        start = int(base64.b64decode(after)) if after else 0
        end = start + min(first, self.most or first)
        edges = [{"node": told(node), "cursor": _cursor(start + at)} for at, node in enumerate(found[start:end], 1)]
        return {"edges": edges, "pageInfo": {"endCursor": _cursor(end), "hasNextPage": end < len(found)}}

    def run(self, run: Node) -> Node:
        def rows() -> list[Node]:
            return [json.loads(row) for row in run["rows"]]

        def keys(info: Any) -> Node:
            return {"lastStep": max((row.get("_step", -1) for row in rows()), default=-1), "sets": [], "keys": {}}

        def sampled(info: Any, specs: list[str]) -> list[list[Node]]:
            wanted = [json.loads(spec).get("keys") or [] for spec in specs]
            return [[{key: row[key] for key in one} for row in rows() if {*one} <= {*row}] for one in wanted]

        return run | {
            "projectId": "1",
            "project": lambda info: self.project(*run["where"][:2]),
            "shouldStop": run["stopped"],
            "historyLineCount": len(run["rows"]),
            "eventsLineCount": len(run["stats"]),
            "logLineCount": len(run["log"]),
            "historyTail": json.dumps(run["rows"][-1:]),
            "eventsTail": json.dumps(run["stats"][-1:]),
            "historyKeys": keys,
            "wandbConfig": lambda info, keys: json.dumps({"t": _wandb_part(run).get("t")}),
            "history": lambda info, samples=500: run["rows"],
            "events": lambda info, samples=500: run["stats"],
            "sampledHistory": sampled,
        }

    def sweep(self, sweep: Node) -> Node:
        entity, project, name = sweep["where"]

        def own() -> list[Node]:
            here = (run for where, run in self.runs.items() if where[:2] == (entity, project))
            return [run for run in here if run["sweepName"] == name]

        return sweep | {
            "runCount": lambda info: len(own()),
            "project": lambda info: self.project(entity, project),
            "runs": lambda info: self._page(own(), self.run, first=len(self.runs)),
            "agents": {"edges": [{"node": agent} for agent in self.agents.values() if agent["sweep"] is sweep]},
        }


def _wandb_part(run: Node) -> Node:
    part = json.loads(run["config"]).get("_wandb", {})
    return part.get("value", {}) if isinstance(part, dict) else {}


def _key(kind: str, *names: str) -> str:
    return base64.b64encode(":".join((kind, "v1", *reversed(names))).encode()).decode()


def _cursor(at: int) -> str:
    return base64.b64encode(str(at).encode()).decode()
