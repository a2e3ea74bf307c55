"""The filters of the stand-in W&B service: the part of MongoDB's language that its clients send."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_OPS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda have, want: have == want,
    "$ne": lambda have, want: have != want,
    "$in": lambda have, want: have in want,
    "$nin": lambda have, want: have not in want,
    "$gt": lambda have, want: have is not None and have > want,
    "$gte": lambda have, want: have is not None and have >= want,
    "$lt": lambda have, want: have is not None and have < want,
    "$lte": lambda have, want: have is not None and have <= want,
    "$regex": lambda have, want: re.search(want, have or "") is not None,
    "$exists": lambda have, want: (have is not None) == want,
}


def matches(run: Mapping[str, Any], filters: Mapping[str, Any]) -> bool:
    """Whether a run is one that these filters name; a filter that is not known here is an error."""
    for key, wanted in filters.items():
        if key in ("$and", "$or"):
            if not {"$and": all, "$or": any}[key](matches(run, one) for one in wanted):
                return False
            continue
        if key.startswith("config."):
            have = json.loads(run["config"]).get(key.split(".")[1], {}).get("value")
        elif key.startswith("summary_metrics."):
            have = json.loads(run["summaryMetrics"]).get(key.partition(".")[2])
        else:
            names = {"sweep": "sweepName", "display_name": "displayName", "heartbeat_at": "heartbeatAt"}
            have = run.get(names.get(key, {"created_at": "createdAt"}.get(key, key)))
        tests = wanted.items() if isinstance(wanted, dict) else [("$eq", wanted)]
        if not all(_OPS[test](have, value) for test, value in tests):
            return False
    return True
