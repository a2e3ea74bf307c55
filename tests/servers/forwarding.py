"""A server that passes on what it is asked through this process, where it can be recorded and played.

W&B's client sends its requests from a helper process, which a recorder in Python never sees.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx2

from servers.local import LocalServer
from servers.wandb import body_of

_OWN = {"connection", "content-encoding", "content-length", "host", "transfer-encoding", "accept-encoding"}
"""Headers that are of the one connection, not of the question."""


class ForwardingServer(LocalServer):
    """Asks ``to`` (a base URL) what it is asked itself, one after the other, bodies unpacked."""

    def __init__(self, to: str) -> None:
        lock = threading.Lock()
        client = httpx2.Client()
        self._client, outer = client, self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN}
                body = body_of(self)
                with lock:
                    answer = client.request(self.command, to + self.path, headers=headers, content=body)
                # where the service says to upload to, too
                told = answer.content.replace(f"{to}/".encode(), f"{outer.url}/".encode())
                self.send_response(answer.status_code)
                self.send_header("content-type", answer.headers.get("content-type", "text/plain"))
                self.send_header("content-length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            do_POST = do_PUT = do_GET  # noqa: N815 - names of http.server

        super().__init__(Handler)

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._client.close()
