"""One request to the W&B service: bounded in time and size, and every way it can fail said in one line."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from tools.sources.wandb_login import Login

if TYPE_CHECKING:
    import httpx2

TIMEOUT_S = 10.0
CONNECT_S = 5.0
MAX_BYTES = 64 << 20
_AGAIN_AFTER_S = 0.3
_PASSING = (502, 503, 504)


class ServiceError(Exception):
    """The service could not be asked, or refused; one line with what to do."""

    def __init__(self, text: str, *, refused: bool = False) -> None:
        super().__init__(text)
        self.refused = refused
        """The service itself said no, so that nothing was changed; else nobody knows."""


class Remote(Protocol):
    """A W&B service to ask: ``Service`` over the network, or the demo's own. Raises ServiceError and nothing else."""

    requests: int
    host: str
    """For a person."""

    def close(self) -> None: ...
    def query(self, document: str, variables: Mapping[str, Any], until: float | None = None) -> dict[str, Any]: ...
    def change(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]: ...
    def send(self, path: str, content: Mapping[str, Any]) -> None: ...


class Service:
    """One W&B server; close it after use. ``query`` and ``change`` raise ServiceError and nothing else."""

    def __init__(self, login: Login) -> None:
        import httpx2

        self.login, self.host = login, login.host
        self.requests = 0
        limits = httpx2.Timeout(TIMEOUT_S, connect=CONNECT_S)
        self._http = httpx2.Client(auth=("api", login.key), timeout=limits, headers={"User-Agent": "sweep-agent"})

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def query(self, document: str, variables: Mapping[str, Any], until: float | None = None) -> dict[str, Any]:
        """The data of a reading query; asked once more where a gateway was busy.

        ``until`` (``time.monotonic``) bounds it besides the ten seconds that every request has.
        """
        until = min(until or float("inf"), time.monotonic() + TIMEOUT_S)
        status, body = self._post("/graphql", {"query": document, "variables": variables}, until)
        if status in _PASSING and until - time.monotonic() > _AGAIN_AFTER_S:
            time.sleep(_AGAIN_AFTER_S)
            status, body = self._post("/graphql", {"query": document, "variables": variables}, until)
        return self._data(status, body)

    def change(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The data of a mutation, sent once: what did not answer may have been carried out."""
        return self._data(
            *self._post("/graphql", {"query": document, "variables": variables}, time.monotonic() + TIMEOUT_S)
        )

    def send(self, path: str, content: Mapping[str, Any]) -> None:
        """Post to another door of the service than the one for queries, once; the answer says nothing of use."""
        status, body = self._post(path, content, time.monotonic() + TIMEOUT_S)
        if status >= 400:
            self._data(status, body)

    def _post(self, path: str, content: Mapping[str, Any], until: float) -> tuple[int, bytes]:
        import httpx2

        self.requests += 1
        host, parts, size = self.login.host, [], 0
        try:
            with self._http.stream("POST", self.login.url + path, json=content) as answer:
                for part in answer.iter_bytes():
                    parts.append(part)
                    size += len(part)
                    if size > MAX_BYTES:
                        raise ServiceError(f"{host} sent more than {MAX_BYTES >> 20} MiB in one answer: not read")
                    if time.monotonic() > until:
                        raise ServiceError(f"{host} was still sending after {TIMEOUT_S:.0f} s: not read")
                self._check_redirect(answer)
                if answer.status_code == 429:
                    wait = answer.headers.get("retry-after", "")
                    words = f"in {wait} s" if wait.isdecimal() else "in a minute"
                    raise ServiceError(f"{host} is rate limiting this key (429): ask again {words}", refused=True)
                return answer.status_code, b"".join(parts)
        except httpx2.TimeoutException:
            raise ServiceError(f"{host} did not answer in {TIMEOUT_S:.0f} s: is there a network here?") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
            raise ServiceError(f"{host} can't be reached ({str(error) or type(error).__name__})") from None

    def _check_redirect(self, answer: httpx2.Response) -> None:
        if answer.is_redirect:
            to = answer.headers.get("location", "elsewhere")[:200]
            raise ServiceError(f"{self.login.host} sends on to {to}: name that server in WANDB_BASE_URL", refused=True)

    def _data(self, status: int, body: bytes) -> dict[str, Any]:
        host = self.login.host
        if status == 401:
            raise ServiceError(
                f"{host} does not know the API key from {self.login.key_from} (401): run `wandb login --relogin`",
                refused=True,
            )
        if status == 404:
            raise ServiceError(f"there is no W&B service at {self.login.url}: is WANDB_BASE_URL right?", refused=True)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        errors = answer.get("errors") if isinstance(answer, dict) else None
        if isinstance(errors, list) and errors:
            first = errors[0]
            words = first.get("message") if isinstance(first, dict) else first
            raise ServiceError(f"{host} says: {' '.join(str(words).split())[:300]}", refused=True)
        if status >= 400:
            raise ServiceError(f"{host} answered with status {status}: try again later", refused=status < 500)
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(data, dict):
            raise ServiceError(f"{host} answered with no W&B answer: is a proxy or a login page in between?")
        return data
