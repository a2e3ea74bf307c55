"""Claude, or any server that speaks the Messages API, behind the ``Model`` protocol.

The SDK is imported when the first request is made: the import alone takes most of a second.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from agent.models import ContextFull, ModelError, Turn, endpoint
from agent.models.stream import Reader
from tools.text import Redactor, one_line

if TYPE_CHECKING:
    import anthropic

DEFAULT_MODEL = "claude-sonnet-5-5"
MAX_TOKENS = 8192
TIMEOUT_S = 300.0
"""The longest silence; the API sends pings while it thinks."""
CONNECT_S = 10.0
"""Compute nodes often drop packets to the outside instead of refusing them."""

_CACHED = {"cache_control": {"type": "ephemeral"}}
_STATUS_OF = {  # an error event inside a stream has no HTTP status of its own
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 529,
}
_TOO_LONG = re.compile(r"(?i)prompt is too long|context (?:length|limit|window|size)|too many (?:input )?tokens")
"""How servers put it: Anthropic's, vLLM's ("maximum context length"), llama.cpp's ("available context size")."""
_ADVICE = {
    400: "the model's server refused the request as invalid",
    401: "the model's server refused the API key: check ANTHROPIC_API_KEY",
    402: "the API key has no credit: check its billing",
    403: "the API key may not use {model}",
    404: "{where} knows no model {model}, or is no Messages API: check the model's name and the base URL",
    413: "the conversation is too large for the model's server: start a new one",
    422: "the model's server refused the request as invalid",
    429: "the model's server limits the rate of requests: try again {later}",
    529: "the model is overloaded: try again {later}",
}


class Claude:
    """One model behind one endpoint.

    ``base_url`` and ``api_key`` left out come from the environment as the SDK reads it (ANTHROPIC_BASE_URL,
    ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN, its profiles). A server other than Anthropic's may need no key.
    ``timeout`` is the longest silence, in seconds.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        max_tokens: int = MAX_TOKENS,
        timeout: float = TIMEOUT_S,
        max_retries: int = 2,
    ) -> None:
        self.name, self.free = model, False
        self._base_url = base_url or os.environ.get("ANTHROPIC_BASE_URL") or None
        self._key = (api_key or os.environ.get("ANTHROPIC_API_KEY") or "").strip()
        self.elsewhere = endpoint.is_elsewhere(self._base_url)
        self._max_tokens, self._timeout, self._max_retries = max_tokens, timeout, max_retries
        self._where = endpoint.ANTHROPIC

    def respond(
        self,
        *,
        system: str,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        on_text: Callable[[str], None],
    ) -> Turn:
        """See ``Model.respond``. A stream that breaks off gives a turn that is ``cut``; an error raises."""
        request: dict[str, Any] = {
            "model": self.name,
            "max_tokens": self._max_tokens,
            "messages": _cached_messages(messages),
        }
        if system:
            request["system"] = [{"type": "text", "text": system, **_CACHED}]
        if tools:
            request["tools"] = [*tools[:-1], {**tools[-1], **_CACHED}]
        reader = Reader()
        with closing(self._pieces(request, reader)) as pieces:
            for piece in pieces:
                on_text(piece)
        if not reader.begun:
            why = f" ({reader.broken})" if reader.broken else ""
            raise self._error(f"{self._where} did not answer as a Messages API{why}: check the base URL")
        return reader.turn()

    def _pieces(self, request: dict[str, Any], reader: Reader) -> Generator[str, None, None]:
        """Feeds the reader; yields text. The one border where the SDK's errors become ours."""
        import anthropic

        opened = False
        try:
            with self._connect() as client, client.messages.stream(**request) as stream:
                opened = True
                for event in stream:
                    if piece := reader.take(event.to_dict(warnings=False)):
                        yield piece
        except anthropic.APIStatusError as error:
            raise self._status_error(error) from None
        except anthropic.APITimeoutError:
            raise self._error(f"{self._where} gave no answer within {self._timeout:g} s: try again") from None
        except anthropic.APIConnectionError as error:
            raise self._error(
                f"can't reach {self._where}: check the network and the base URL ({error.__cause__ or error})"
            ) from None
        except anthropic.AnthropicError as error:
            raise self._error(f"the Anthropic SDK could not make the request: {error}") from None
        except Exception as error:
            # In an open stream: the transport's errors, and the SDK's own on events it can't put together.
            if not opened:
                raise
            reader.broken = self._clean(f"{type(error).__name__}: {error}", 200)

    def _connect(self) -> anthropic.Anthropic:
        self._where, foreign = endpoint.address(self._base_url)
        if not (self._key.isascii() and self._key.isprintable()):
            raise self._error("the API key holds characters that no key has: check ANTHROPIC_API_KEY")
        key = self._key or None
        if foreign and not key and not os.environ.get("ANTHROPIC_AUTH_TOKEN"):
            # Named here, so that the SDK doesn't look for a profile and take its token to another host.
            key = "none"
        import anthropic

        try:
            client = anthropic.Anthropic(
                api_key=key,
                base_url=self._base_url or (self._where if "ANTHROPIC_BASE_URL" in os.environ else None),
                max_retries=self._max_retries,
                timeout=anthropic.Timeout(self._timeout, connect=min(CONNECT_S, self._timeout)),
                http_client=anthropic.DefaultHttpxClient(event_hooks={"response": [endpoint.no_long_wait]}),
            )
        except anthropic.AnthropicError as error:
            raise self._error(f"set ANTHROPIC_API_KEY; no other credentials could be read: {error}") from None
        known = {name.lower() for name in client.default_headers}
        if client.credentials is None and not known & {"authorization", "x-api-key"}:
            raise self._error("there is no API key: set ANTHROPIC_API_KEY, or a base URL that needs none")
        return client

    def _status_error(self, error: anthropic.APIStatusError) -> ModelError:
        status = error.status_code if error.status_code >= 400 else _STATUS_OF.get(str(error.type), 500)
        wait = endpoint.retry_after(error.response.headers)
        later = f"in {wait:.0f} s" if wait else "later"
        advice = _ADVICE.get(status) or "the model's server failed: try again {later}"
        advice = advice.format(model=self.name, where=self._where, later=later)
        said = error.api_message or error.body or "no reason given"
        kind = ContextFull if status == 413 or (status in (400, 422) and _TOO_LONG.search(str(said))) else ModelError
        return kind(self._clean(f"{advice} (HTTP {status}: {said})", 400))

    def _error(self, text: str) -> ModelError:
        return ModelError(self._clean(text, 400))

    def _clean(self, text: str, limit: int) -> str:
        return one_line(Redactor.from_environment(os.environ, {"API_KEY": self._key}).clean(text), limit)


def _cached_messages(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Copies, every content as blocks, with the last two user messages marked for the cache.

    With the system prompt and the tools these make four marks, the most the API takes. The second to last
    finds what the request before wrote, however many blocks were added since (the API looks back over 20).
    """
    copies: list[dict[str, Any]] = []
    for message in messages:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
        copies.append({**message, "content": blocks})
    for message in [copy for copy in copies if copy["role"] == "user" and copy["content"]][-2:]:
        message["content"][-1] = {**message["content"][-1], **_CACHED}
    return copies
