"""A stand-in for the W&B service on 127.0.0.1: over real HTTP, for the real client and for this project's own reader.

It is not the real server, and proves nothing about what only the real one decides (states of silent runs, what it does
with rows sent twice, its limits). It holds what clients send (``world``), counts what it is asked (``asked``), and can
be told to fail.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import Any

from graphql import GraphQLError

from servers.faults import Answer, Drip, Fault, Hang, Lost, says
from servers.local import LocalServer
from servers.wandb_changes import stream
from servers.wandb_world import World

KEY = "0123456789" * 4
"""The API key it knows, in the older format; the client refuses shorter ones."""


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    what: str
    """The name of the GraphQL operation, else the method and the last part of the path."""
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    query: str = ""


class WandbServer(LocalServer):
    """Serves while it is entered; ``url`` is its base URL, ``KEY`` the key it lets in."""

    def __init__(self, world: World | None = None, latency_s: float = 0.0) -> None:
        self.world = world or World()
        self.latency_s = latency_s
        """No answer leaves sooner than this after its request came."""
        self.asked: list[Asked] = []
        self._faults: list[tuple[Fault | None, str | None, int]] = []
        self._over = threading.Event()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # one write an answer: else Nagle and a delayed ACK hold each for 40 ms
            wbufsize = -1

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                outer._serve(self)

            do_POST = do_PUT = do_GET  # noqa: N815 - names of http.server

        self.ahead_s: float | None = 0.0
        """How far its clock is ahead; None: its answers tell no time."""
        super().__init__(Handler)
        self.world.url = self.url

    def fail(self, fault: Fault | None, on: str | None = None, times: int = 1_000_000) -> None:
        """Answer so to the next ``times`` requests of that kind (``Asked.what``), or to any; with None: truly."""
        self._faults.append((fault, on, times))

    def heal(self) -> None:
        """Answer as it should be again."""
        self._faults.clear()

    def count(self, what: str | None = None) -> int:
        """How many requests of that kind came, or of all."""
        return sum(what in (None, asked.what) for asked in self.asked)

    def __exit__(self, *error: Any) -> None:
        self._over.set()
        super().__exit__(*error)

    def _serve(self, http: BaseHTTPRequestHandler) -> None:
        began = time.monotonic()
        body = body_of(http)
        headers = {name.lower(): value for name, value in http.headers.items()}
        given = json.loads(body) if http.path == "/graphql" else {}
        named = re.search(r"(?:query|mutation)\s+(\w+)", given.get("query", ""))
        what = named[1] if named else f"{http.command} {http.path.rpartition('/')[2]}"
        with self._lock:
            self.asked.append(Asked(what, http.path, headers, given.get("variables") or {}, given.get("query", "")))
            fault = self._fault(what)
        if isinstance(fault, Drip):
            self._drip(http, fault)
            return
        if isinstance(fault, Hang):
            self._over.wait()
            http.close_connection = True
            return
        answer = fault if isinstance(fault, Answer) else self._true(http, body, given)
        self._over.wait(max(0.0, self.latency_s - (time.monotonic() - began)))
        if isinstance(fault, Lost):
            http.close_connection = True
            return
        http.close_connection = http.close_connection or "content-length" in answer.headers  # a false one: cut short
        http.send_response_only(answer.status)
        if self.ahead_s is not None:
            http.send_header("Date", formatdate(time.time() + self.ahead_s, usegmt=True))
        for name, value in {
            "content-type": answer.type,
            "content-length": str(len(answer.body)),
            **answer.headers,
        }.items():
            http.send_header(name, value)
        http.end_headers()
        http.wfile.write(answer.body)

    def _fault(self, what: str) -> Fault | None:
        for at, (fault, on, times) in enumerate(self._faults):
            if on in (None, what):
                self._faults[at : at + 1] = [(fault, on, times - 1)] if times > 1 else []
                return fault
        return None

    def _true(self, http: BaseHTTPRequestHandler, body: bytes, given: Mapping[str, Any]) -> Answer:
        if http.command == "PUT":
            self.world.files[http.path] = body
            return Answer()
        if http.path.startswith("/sdk/otel/"):
            return Answer(body=b"", type="application/x-protobuf")  # the client's telemetry comes without the key
        expected = "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode()
        if http.command == "POST" and http.headers.get("authorization") != expected:
            return says("invalid or missing api_key", 401)
        if http.path == "/graphql":
            try:
                return _json(self.world.answer(given))
            except GraphQLError as error:
                return says(error.message, 400)
        if match := re.fullmatch(r"/files/([^/]+)/([^/]+)/([^/]+)/file_stream", http.path):
            with self.world.lock:
                return _json(stream(self.world, (match[1], match[2], match[3]), json.loads(body)))
        return Answer(200 if http.path == "/" else 404)

    def _drip(self, http: BaseHTTPRequestHandler, fault: Drip) -> None:
        http.close_connection = True
        try:
            http.wfile.write(
                b"HTTP/1.1 200 OK\r\n" + (b"X-Slow: " if fault.header else b"Content-Length: 99999\r\n\r\n")
            )
            http.wfile.flush()
            while not self._over.wait(fault.every_s):
                http.wfile.write(b" ")
                http.wfile.flush()
        except OSError:
            return  # who asked has gone


def body_of(http: BaseHTTPRequestHandler) -> bytes:
    """What was sent, however it was packed."""
    if http.headers.get("transfer-encoding", "").lower() == "chunked":
        parts: list[bytes] = []
        while size := int(http.rfile.readline(), 16):
            parts.append(http.rfile.read(size))
            http.rfile.readline()
        http.rfile.readline()
        body = b"".join(parts)
    else:
        body = http.rfile.read(int(http.headers.get("content-length") or 0))
    return gzip.decompress(body) if http.headers.get("content-encoding") == "gzip" else body


def _json(value: object) -> Answer:
    return Answer(body=json.dumps(value).encode())
