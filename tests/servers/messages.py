"""A Messages API on 127.0.0.1 that answers from a script, over real HTTP, in the real API's event format."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from servers.local import LocalServer

Block = Mapping[str, Any]
Event = dict[str, Any]


def text(words: str) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": words}


def call(name: str, given: Mapping[str, Any] | str, id: str = "toolu_1") -> dict[str, Any]:
    """A tool_use block; an input given as a string is sent as it is, valid JSON or not."""
    return {"type": "tool_use", "id": id, "name": name, "input": given}


@dataclass(frozen=True)
class Reply:
    """One streamed answer, whole unless told otherwise."""

    content: Sequence[Block]
    stop: str | None = "by content"
    """The stop reason; left out: tool_use where there is a call, otherwise end_turn."""
    usage: Mapping[str, int] = field(default_factory=lambda: {"input_tokens": 12, "output_tokens": 7})
    piece: int = 9
    """Characters in each delta."""
    leave_out: tuple[str, ...] = ()
    """Types of events that are never sent."""
    error: tuple[str, str] | None = None
    """Type and message of an error event that comes after the content, in place of the end."""
    cut: int | None = None
    """Only this many bytes are sent."""
    abrupt: bool = False
    """The connection drops at the end, instead of closing as if all had been said."""

    def events(self) -> Iterator[Event]:
        stop = self.stop
        if stop == "by content":
            stop = "tool_use" if any(block["type"] == "tool_use" for block in self.content) else "end_turn"
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "served-model",
            "content": [],
        }
        opening = {**self.usage, "output_tokens": 1}
        yield {
            "type": "message_start",
            "message": {
                **message,
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": opening,
            },
        }
        yield {"type": "ping"}
        for index, block in enumerate(self.content):
            start, deltas = self._parts(block)
            yield {"type": "content_block_start", "index": index, "content_block": start}
            for delta in deltas:
                yield {"type": "content_block_delta", "index": index, "delta": delta}
            yield {"type": "content_block_stop", "index": index}
        if self.error:
            yield {"type": "error", "error": {"type": self.error[0], "message": self.error[1]}}
            return
        used = {"output_tokens": self.usage["output_tokens"]}
        yield {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": used}
        yield {"type": "message_stop"}

    def body(self) -> bytes:
        """Every byte of the answer, before any cut."""
        sent = (event for event in self.events() if event["type"] not in self.leave_out)
        return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in sent)

    def _parts(self, block: Block) -> tuple[Block, list[Event]]:
        match block["type"]:
            case "text":
                return {**block, "text": ""}, [
                    {"type": "text_delta", "text": part} for part in self._split(block["text"])
                ]
            case "tool_use":
                given = block["input"]
                raw = given if isinstance(given, str) else json.dumps(given) if given else ""
                return {**block, "input": {}}, [
                    {"type": "input_json_delta", "partial_json": part} for part in ["", *self._split(raw)]
                ]
            case "thinking":
                thoughts: list[Event] = [
                    {"type": "thinking_delta", "thinking": part} for part in self._split(block["thinking"])
                ]
                signature = {"type": "signature_delta", "signature": block["signature"]}
                return {**block, "thinking": "", "signature": ""}, [*thoughts, signature]
        return block, []

    def _split(self, words: str) -> list[str]:
        return [words[at : at + self.piece] for at in range(0, len(words), self.piece)]


@dataclass(frozen=True)
class HttpError:
    """An answer with an HTTP status instead of a message."""

    status: int
    type: str = "api_error"
    message: str = "it failed"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """An answer that is no Messages stream at all, as from a proxy."""

    body: str
    type: str = "text/html"


Answer = Reply | HttpError | Page | str | Sequence[Block]
"""Text stands for a reply of that text, blocks for a reply of those."""


class MessagesServer(LocalServer):
    """Serves the answers in order; one request too many gets HTTP 400.

    ``requests`` holds the body and ``headers`` the headers (names in lower case) of every request so far.
    """

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._answers = list(answers)
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # A cut answer ends in the middle of a write.
            wbufsize = 0

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if self.path != "/v1/messages":
                    _send_error(self, HttpError(404, "not_found_error", f"no such path: {self.path}"))
                    return
                answer = outer._next(body, {name.lower(): value for name, value in self.headers.items()})
                if isinstance(answer, Reply):
                    _send_stream(self, answer)
                elif isinstance(answer, Page):
                    _send(self, 200, answer.type, answer.body.encode(), {})
                else:
                    _send_error(self, answer)

        super().__init__(Handler)

    def _next(self, body: dict[str, Any], headers: dict[str, str]) -> Reply | HttpError | Page:
        with self._lock:
            self.requests.append(body)
            self.headers.append(headers)
            if len(self.requests) > len(self._answers):
                said = f"request {len(self.requests)}, and the script has {len(self._answers)} answers"
                return HttpError(400, "invalid_request_error", said)
            answer = self._answers[len(self.requests) - 1]
        if isinstance(answer, Reply | HttpError | Page):
            return answer
        return Reply([text(answer)] if isinstance(answer, str) else answer)


def _send(to: BaseHTTPRequestHandler, status: int, kind: str, body: bytes, more: Mapping[str, str]) -> None:
    to.send_response(status)
    for name, value in {"content-type": kind, "content-length": str(len(body)), **more}.items():
        to.send_header(name, value)
    to.end_headers()
    to.wfile.write(body)


def _send_error(to: BaseHTTPRequestHandler, error: HttpError) -> None:
    body = {"type": "error", "error": {"type": error.type, "message": error.message}}
    _send(to, error.status, "application/json", json.dumps(body).encode(), error.headers)


def _send_stream(to: BaseHTTPRequestHandler, reply: Reply) -> None:
    to.send_response(200)
    to.send_header("content-type", "text/event-stream")
    to.send_header("transfer-encoding", "chunked")
    to.end_headers()
    for line in reply.body()[: reply.cut].splitlines(keepends=True):
        to.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
    if not reply.abrupt:
        to.wfile.write(b"0\r\n\r\n")
    to.close_connection = True
