"""One request to the W&B service: bounded in time and size, and every way it can fail said in one line."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from tools.sources.wandb_login import Login
from tools.text import GONE

TIMEOUT_S = 10.0
CONNECT_S = 5.0
MAX_BYTES = 64 << 20
_AGAIN_AFTER_S = 0.3
TELLS_S = 2.0
"""Clocks that differ by less than this can't be told apart from a Date header."""
_PASSING = (502, 503, 504)

_T = TypeVar("_T")


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
    timeout_s: float
    """For each request, from its start to the last byte of its answer."""
    skew_s: float | None
    """How far the server's clock is ahead of this machine's, by its last answer; None: it has not told its time."""

    def close(self) -> None: ...
    def query(self, document: str, variables: Mapping[str, Any], until: float | None = None) -> dict[str, Any]: ...
    def change(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]: ...
    def send(self, path: str, content: Mapping[str, Any]) -> None: ...


class Service:
    """One W&B server; close it after use. Making it, ``query`` and ``change`` raise ServiceError and nothing else.

    ``timeout_s`` holds for each request from its start to the last byte of its answer. No error holds the key.
    """

    def __init__(self, login: Login, timeout_s: float = TIMEOUT_S) -> None:
        import httpx2

        self.login, self.host, self.timeout_s = login, login.host, timeout_s
        self.requests = 0
        self.skew_s: float | None = None
        limits = httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
        try:
            self._http = httpx2.Client(auth=("api", login.key), timeout=limits, headers={"User-Agent": "sweep-agent"})
        except (OSError, ValueError, ImportError, httpx2.InvalidURL) as error:
            # what HTTPS_PROXY, ALL_PROXY or SSL_CERT_FILE name
            words = f"{self.host} can't be asked with the proxy or certificates that the environment names ({error})"
            raise self._error(words) from None

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def query(self, document: str, variables: Mapping[str, Any], until: float | None = None) -> dict[str, Any]:
        """The data of a reading query; asked once more where a gateway was busy.

        ``until`` (``time.monotonic``) bounds it besides the time that every request has.
        """
        until = min(until or float("inf"), time.monotonic() + self.timeout_s)
        asked = {"query": document, "variables": variables}
        status, body = self._post("/graphql", asked, until)
        if status in _PASSING and until - time.monotonic() > _AGAIN_AFTER_S:
            time.sleep(_AGAIN_AFTER_S)
            status, body = self._post("/graphql", asked, until)
        return self._data(status, body)

    def change(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The data of a mutation, sent once: what did not answer may have been carried out."""
        asked = {"query": document, "variables": variables}
        return self._data(*self._post("/graphql", asked, time.monotonic() + self.timeout_s))

    def send(self, path: str, content: Mapping[str, Any]) -> None:
        """Post to another door of the service than the one for queries, once; the answer says nothing of use."""
        status, body = self._post(path, content, time.monotonic() + self.timeout_s)
        if status >= 400:
            self._data(status, body)

    def _post(self, path: str, content: Mapping[str, Any], until: float) -> tuple[int, bytes]:
        left = until - time.monotonic()
        if left <= 0:
            raise self._error(f"the {self.timeout_s:g} s for {self.host} are over")
        self.requests += 1
        # The HTTP library bounds each wait, not the whole: bytes that drip would hold it for ever.
        answered = meanwhile(lambda: self._answer(path, content))
        try:
            return answered(left)
        except TimeoutError:
            raise self._silent() from None

    def _answer(self, path: str, content: Mapping[str, Any]) -> tuple[int, bytes]:
        import httpx2

        host, parts, size = self.host, [], 0
        try:
            with self._http.stream("POST", self.login.url + path, json=content) as answer:
                self.skew_s = _skew(answer.headers.get("date", ""))
                for part in answer.iter_bytes():
                    parts.append(part)
                    size += len(part)
                    if size > MAX_BYTES:
                        raise self._error(f"{host} sent more than {MAX_BYTES >> 20} MiB in one answer: not read")
                if answer.is_redirect:
                    to = answer.headers.get("location", "elsewhere")[:200]
                    raise self._error(f"{host} sends on to {to}: name that server in WANDB_BASE_URL", refused=True)
                if answer.status_code == 429:
                    wait = answer.headers.get("retry-after", "")
                    words = f"in {wait} s" if wait.isdecimal() else "in a minute"
                    raise self._error(f"{host} is rate limiting this key (429): ask again {words}", refused=True)
                return answer.status_code, b"".join(parts)
        except httpx2.TimeoutException:
            raise self._silent() from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, RuntimeError) as error:
            # RuntimeError: the library's word for a client that was closed meanwhile
            raise self._error(f"{host} can't be reached ({str(error) or type(error).__name__})") from None

    def _data(self, status: int, body: bytes) -> dict[str, Any]:
        host, key_from = self.host, self.login.key_from
        if status == 401:
            raise self._error(
                f"{host} does not know the API key from {key_from} (401): run `wandb login --relogin`", refused=True
            )
        if status == 404:
            raise self._error(f"there is no W&B service at {self.login.url}: is WANDB_BASE_URL right?", refused=True)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        errors = answer.get("errors") if isinstance(answer, dict) else None
        if isinstance(errors, list) and errors:
            first = errors[0]
            words = first.get("message") if isinstance(first, dict) else first
            raise self._error(f"{host} says: {words}", refused=True)
        if status >= 500:
            raise self._error(f"{host} answered with status {status}: try again later")
        if status >= 400:
            raise self._error(f"{host} refuses this with status {status}: may the key from {key_from} do it?", True)
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(data, dict):
            raise self._error(f"{host} answered with no W&B answer: is a proxy or a login page in between?")
        return data

    def _silent(self) -> ServiceError:
        return self._error(f"{self.host} did not answer in {self.timeout_s:g} s: is there a network here?")

    def _error(self, text: str, refused: bool = False) -> ServiceError:
        """One line without the key: a server may send back what it was sent."""
        key = self.login.key
        for secret in (key, base64.b64encode(f"api:{key}".encode()).decode()):
            text = text.replace(secret, GONE)
        return ServiceError(" ".join(text.split())[:400], refused=refused)


def _skew(date: str) -> float | None:
    """A Date is cut to whole seconds, so that a smaller difference is none."""
    from email.utils import parsedate_to_datetime

    try:
        skew = parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return None
    return skew if abs(skew) > TELLS_S else 0.0


def meanwhile(work: Callable[[], _T]) -> Callable[[float | None], _T]:
    """Begin ``work`` beside this thread; what is given waits for it and raises what it raised.

    It waits the seconds it is given, then raises TimeoutError. The thread keeps the program from nothing, its end
    included.
    """
    answers: list[_T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def wait(seconds: float | None) -> _T:
        thread.join(seconds)
        if errors:
            raise errors[0]
        if not answers:
            raise TimeoutError
        return answers[0]

    return wait
