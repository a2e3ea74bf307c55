"""What the stand-in W&B service does when it is told to change something; each as the real client's words of it say."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError

if TYPE_CHECKING:
    from servers.wandb_world import Node, Where, World

_RENAMED = {"groupName": "group", "sweep": "sweepName"}
_PLACE = {"id", "name", "modelName", "entityName", "debug", "jobProgram", "jobRepo"}


def upsert_bucket(world: World, given: Node) -> Node:
    """Only the fields that are given change; one with a name that is not there is made."""
    place = (given.get("entityName") or world.entity, given.get("modelName") or "uncategorized")
    run = world.node(given["id"]) if given.get("id") else world.runs.get((*place, given.get("name") or ""))
    if run is None and not given.get("name"):
        raise GraphQLError("run not found")
    inserted = run is None
    run = run or world.add_run(given["name"], project=place[1], entity=place[0])
    if given.get("name"):
        run["state"] = "running"  # a client that starts (again), not a change from outside
    for name, value in given.items():
        if name not in _PLACE and value is not None:
            run[_RENAMED.get(name, name)] = value
    return {"bucket": world.run(run), "inserted": inserted}


def upsert_sweep(world: World, given: Node) -> Node:
    sweep = world.node(given["id"]) if given.get("id") else None
    if given.get("id") and sweep is None:
        raise GraphQLError("sweep not found")
    if sweep is None:
        name = f"swp{len(world.sweeps):05d}"
        sweep = world.add_sweep(name, given.get("projectName") or "uncategorized", given.get("entityName"))
    for name in ("config", "description", "displayName", "state", "controller", "scheduler"):
        if given.get(name) is not None:
            sweep[name] = given[name]
    return {"sweep": world.sweep(sweep), "configValidationWarnings": []}


def update_run_state(world: World, given: Node) -> Node:
    run = world.node(given["id"])
    # the client's documentation: "Sweep runs cannot have their state updated."
    if run is None or run["sweepName"]:
        raise GraphQLError("cannot update the state of a sweep run")
    allowed = {"pending": ("running", "failed", "crashed", "preempted"), "failed": ("pending", "running")}
    if run["state"] not in allowed.get(given["state"], ()):
        raise GraphQLError(f"cannot set the state of a {run['state']} run to {given['state']}")
    run["state"] = given["state"]
    return {"success": True}


def stop_run(world: World, given: Node) -> Node:
    run = world.node(given["id"])
    if run is None:
        raise GraphQLError("run not found")
    run["stopped"] = True
    return {"success": True}


def create_agent(world: World, given: Node) -> Node:
    where = (given.get("entityName") or world.entity, given.get("projectName") or "uncategorized", given["sweep"])
    if where not in world.sweeps:
        raise GraphQLError("sweep not found")
    name = f"agent{len(world.agents)}"
    agent = {"id": name, "name": name, "host": given["host"], "state": "RUNNING", "sweep": world.sweeps[where]}
    world.agents[name] = agent
    return {"agent": agent}


def agent_heartbeat(world: World, given: Node) -> Node:
    agent = world.agents[given["id"]]
    state, busy = agent["sweep"]["state"], any(json.loads(given.get("runState") or "{}").values())
    told: list[Node] = []
    if state in ("FINISHED", "CANCELED"):
        told = [{"type": "exit"}]
    elif state == "RUNNING" and not busy:
        told = [world.commands.pop(0) if world.commands else {"type": "exit"}]
    return {"agent": agent, "commands": json.dumps(told)}


def create_run_files(world: World, given: Node) -> Node:
    base = "/".join((world.url, "storage", given["entityName"], given["projectName"], given["runName"]))
    files = [{"name": name, "uploadUrl": f"{base}/{name}"} for name in given["files"]]
    return {"runID": given["runName"], "uploadHeaders": [], "files": files}


def stream(world: World, where: Where, body: Node) -> Node:
    """What a client sends of a run while it trains, and the service's answer to it."""
    run = world.runs.get(where) or world.add_run(where[2], project=where[1], entity=where[0])
    run["heartbeatAt"] = world.now()
    for name, chunk in (body.get("files") or {}).items():
        lines, offset = chunk["content"], chunk["offset"]
        if name == "wandb-summary.json":
            run["summaryMetrics"] = lines[-1]
        elif kind := {"wandb-history.jsonl": "rows", "wandb-events.jsonl": "stats", "output.log": "log"}.get(name):
            run[kind][offset : offset + len(lines)] = lines
    if body.get("preempting"):
        run["state"] = "preempting"
    if body.get("complete"):
        code, given_back = body.get("exitcode"), run["state"] == "preempting"
        run["exitcode"], run["running"] = code, False
        run["state"] = "finished" if code == 0 else "preempted" if given_back else "failed"
    return {"exitcode": None, "limits": {}, "stopped": run["stopped"]}


CHANGES: Mapping[str, Callable[[World, Any], Node]] = {
    "upsertBucket": upsert_bucket,
    "upsertSweep": upsert_sweep,
    "updateRunState": update_run_state,
    "stopRun": stop_run,
    "createAgent": create_agent,
    "agentHeartbeat": agent_heartbeat,
    "createRunFiles": create_run_files,
}
