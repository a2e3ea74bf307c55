"""The other end of the line: whose server it is, and how long it may keep us waiting."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from agent.models import ModelError

ANTHROPIC = "https://api.anthropic.com"
LONGEST_WAIT_S = 60.0
"""The SDK sleeps for as long as ``retry-after`` asks, be it days; past this the person is told instead."""


def address(base_url: str | None) -> tuple[str, bool]:
    """The address as it may be shown (no user, no password), and whether the server is not Anthropic's.

    Raises ModelError on what is no HTTP address; the SDK would try such a thing three times.
    """
    try:
        parts = urlsplit(base_url or ANTHROPIC)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    if parts.scheme not in ("http", "https") or not host:
        raise ModelError("the base URL is no address: it has the form https://host or http://host:port")
    shown = f"[{host}]" if ":" in host else host
    where = f"{parts.scheme}://{shown}" + (f":{port}" if port else "") + parts.path.rstrip("/")
    return where, host != "anthropic.com" and not host.endswith(".anthropic.com")


def is_elsewhere(base_url: str | None) -> bool:
    """Whether another server than Anthropic's is meant; also where the address is none."""
    try:
        return address(base_url)[1]
    except ModelError:
        return True


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds the server asks to wait; 0.0 where it doesn't say."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers.get(name, "")) * unit)
        except ValueError:
            continue
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time())
    except ValueError:
        return 0.0


def no_long_wait(response: Any) -> None:
    """Hook on every response: tells the SDK, in a header it obeys, not to retry where the wait is long."""
    if retry_after(response.headers) > LONGEST_WAIT_S:
        response.headers["x-should-retry"] = "false"
