"""What the W&B service answers, as plain data; a node without a name or a key counts as not there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tools.sources.wandb_values import environment_of, own, slurm_job, unwrapped
from tools.wandb_data import ServerRun, ServerSweep

_NAME = re.compile(r"(?m)^name: {0,8}(\S[^\n#]{0,120}?)\s{0,8}$")


def nodes(connection: object) -> list[dict[str, Any]]:
    edges = as_dict(connection).get("edges")
    nodes = [edge.get("node") for edge in edges if isinstance(edge, dict)] if isinstance(edges, list) else []
    return [node for node in nodes if isinstance(node, dict)]


def next_cursor(connection: object) -> str | None:
    page = as_dict(as_dict(connection).get("pageInfo"))
    return as_word(page.get("endCursor")) if page.get("hasNextPage") is True else None


def sweep_of(node: Mapping[str, Any]) -> ServerSweep | None:
    name, key = as_word(node.get("name")), as_word(node.get("id"))
    if not name or not key:
        return None
    return ServerSweep(
        sweep=name,
        node=key,
        state=(as_word(node.get("state")) or "unknown").upper(),
        name=as_word(node.get("displayName")),
        config_name=_name_in(node.get("config")),
        method=as_word(node.get("method")),
        description=as_word(node.get("description")),
        created=_time(node.get("createdAt")),
        runs=_whole(node.get("runCount")),
    )


def _name_in(config: object) -> str | None:
    """``name:`` of a sweep's own YAML, which is all that `wandb sweep --name` sets."""
    match = _NAME.search(config) if isinstance(config, str) else None
    return match[1].strip("'\"") if match else None


def run_of(node: Mapping[str, Any]) -> ServerRun | None:
    name, key = as_word(node.get("name")), as_word(node.get("id"))
    if not name or not key:
        return None
    config = _object(node.get("config"))
    environment = environment_of(config)
    return ServerRun(
        run=name,
        node=key,
        state=(as_word(node.get("state")) or "unknown").lower(),
        sweep=as_word(node.get("sweepName")),
        name=as_word(node.get("displayName")),
        owner=as_word(as_dict(node.get("user")).get("username")),
        notes=as_word(node.get("notes")),
        created=_time(node.get("createdAt")),
        heartbeat=_time(node.get("heartbeatAt")),
        rows=_whole(node.get("historyLineCount")),
        detailed="config" in node,
        config=unwrapped(config),
        summary=own(_object(node.get("summaryMetrics"))),
        job=slurm_job(environment.get("slurm")),
        host=as_word(environment.get("host")),
    )


def as_dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _object(text: object) -> dict[str, Any]:
    """A JSON object that is sent as text; bare NaN and Infinity are what W&B writes for them."""
    try:
        return as_dict(json.loads(text)) if isinstance(text, str) else as_dict(text)
    except (ValueError, RecursionError):
        return {}


def as_word(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _time(value: object) -> float | None:
    """Epoch seconds; the service writes UTC, with or without a zone."""
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if when is None:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
