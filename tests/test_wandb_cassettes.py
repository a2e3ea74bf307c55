"""What our reader and the real client say to the stand-in W&B service, recorded, and played without any service.

A change of what we ask shows here. ``python tests/test_wandb_cassettes.py`` records anew.
"""

from __future__ import annotations

import re
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import vcr

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from servers.faults import Answer, says
from servers.forwarding import ForwardingServer
from servers.wandb import KEY, WandbServer
from wandb_client import OFFLINE, Client

from tools.sources import wandb_api
from tools.sources.wandb_http import Service, ServiceError
from tools.sources.wandb_login import Login
from tools.wandb_data import ServerProject

CASSETTES = Path(__file__).parents[1] / "fixtures" / "cassettes"
READER, CLIENT = CASSETTES / "wandb-reader-standin.yaml", CASSETTES / "wandb-client-0.31.0-standin.yaml"
NOWHERE = "http://127.0.0.1"
PLACE = ("acme-lab", "mt-distill")


def _what(request: Any) -> str:
    """The name of a GraphQL operation, else method and path."""
    named = re.search(rb"(?:query|mutation)\s+(\w+)", request.body or b"") if request.path == "/graphql" else None
    return named[1].decode() if named else f"{request.method} {request.path}"


def _without_port(request: Any) -> Any:
    request.uri = re.sub(r"^http://127\.0\.0\.1:\d+", NOWHERE, request.uri)
    return request


def _answer_without_port(answer: Any) -> Any:
    body = answer["body"]["string"]
    answer["body"]["string"] = re.sub(rb"http://127\.0\.0\.1:\d+", NOWHERE.encode(), body)
    return answer


@contextmanager
def _cassette(path: Path, mode: str, *match_on: str) -> Iterator[Any]:
    recorder = vcr.VCR(
        record_mode=mode,
        match_on=match_on,
        before_record_request=_without_port,
        before_record_response=_answer_without_port,
        filter_headers=["authorization", "host"],
        decode_compressed_response=True,
    )
    recorder.register_matcher("what", lambda one, other: _what(one) == _what(other))
    # whether a client asks twice or three times while it uploads is a matter of its clock
    with recorder.use_cassette(str(path), allow_playback_repeats="what" in match_on) as tape:
        yield tape


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(self: socket.socket, address: object) -> None:
        raise AssertionError(f"connected to {address}")

    monkeypatch.setattr(socket.socket, "connect", connect)


# --- our reader


def _ask(url: str, told: list[str]) -> ServerProject:
    """All that the reader asks; what fails is said in ``told``."""
    with closing(Service(Login(url, KEY, "environment"))) as service:
        for _ in range(3):
            with pytest.raises(ServiceError) as error:
                wandb_api.read_project(service, *PLACE, 0.0)
            told.append(str(error.value).partition(" ")[2])
        with pytest.raises(ServiceError) as error:
            wandb_api.read_project(service, "acme-lab", "elsewhere", 0.0)
        told.append(str(error.value).partition(" ")[2])
        found = wandb_api.read_project(service, *PLACE, 0.0)
        return wandb_api.with_details(service, found, sorted(found.runs))


def _record_reader() -> None:
    with WandbServer() as server:
        for sweep in range(3):
            server.world.add_sweep(f"sweep{sweep}", description=f"words {sweep}")
        for run in range(5):
            values: dict[str, Any] = {"config": {"seed": run}, "summary": {"loss": run / 4}, "history": [{}] * run}
            server.world.add_run(f"run{run}", f"sweep{run % 3}", heartbeatAt=f"2026-11-20T10:00:0{run}", **values)
        server.world.most = 2
        for fault in (says("no", 401), Answer(429, headers={"retry-after": "9"}), says("not now")):
            server.fail(fault, times=1)
        with _cassette(READER, "all", "method", "path", "body"):
            _ask(server.url, [])


@pytest.mark.usefixtures("no_sockets")
def test_our_reader_asks_what_it_asked() -> None:
    told: list[str] = []
    with _cassette(READER, "none", "method", "path", "body") as tape:
        found = _ask(NOWHERE, told)
    assert tape.all_played
    assert told == [
        "does not know the API key from environment (401): run `wandb login --relogin`",
        "is rate limiting this key (429): ask again in 9 s",
        "says: not now",
        "has no project acme-lab/elsewhere, or the key may not see it: are WANDB_ENTITY and WANDB_PROJECT right?",
    ]
    assert {run.run: (run.sweep, run.config, run.summary, run.rows) for run in found.runs.values()} == {
        f"run{run}": (f"sweep{run % 3}", {"seed": run}, {"loss": run / 4}, run) for run in range(5)
    }
    assert {sweep.sweep: sweep.description for sweep in found.sweeps.values()} == {
        f"sweep{number}": f"words {number}" for number in range(3)
    }


# --- the client


def _use(client: Client) -> dict[str, Any]:
    place = "acme-lab/mt-distill"
    client.commands(["sweep", "sweep.yaml"], ["sweep", "--pause", f"{place}/swp00000"], ["sync", "--yes", OFFLINE.name])
    return client.read("swp00000")


def _record_client(folder: Path) -> None:
    with WandbServer() as server, ForwardingServer(server.url) as between, _cassette(CLIENT, "all", "what"):
        _use(Client(folder, between.url))


@pytest.mark.usefixtures("no_sockets")
def test_the_client_finds_in_the_recording_what_it_put_there(tmp_path: Path) -> None:
    with _cassette(CLIENT, "none", "what") as tape, ForwardingServer(NOWHERE) as between:
        told = _use(Client(tmp_path, between.url))
    played = Counter[str]()
    for at, request in enumerate(tape.requests):
        played[_what(request)] += tape.play_counts[at]
    assert min(played.values()) > 0, played
    assert told["sweeps"]["swp00000"]["state"] == "PAUSED"
    (run,) = told["runs"].values()
    assert (run["historyLineCount"], run["notes"], run["sweepName"]) == (4, "second words", "xk31p7")


# --- the recordings


@pytest.mark.parametrize("path", sorted(CASSETTES.glob("wandb-*.yaml")), ids=lambda path: path.name)
def test_a_recording_holds_nothing_of_a_person_or_a_machine(path: Path) -> None:
    assert path.stem.endswith("-standin")
    text = path.read_text(encoding="utf-8")
    assert KEY not in text and "authorization" not in text.lower() and "!!binary" not in text
    assert set(re.findall(r"https?://([^/\s\"'\\]+)", text)) <= {"127.0.0.1"}
    # the run that is synced was made in the neutral folder /var/tmp/lab
    assert not re.search(r"(?<![\w/])/(?!var/tmp/lab\b)(?:home|root|tmp|work|var|usr|Users)/", text)
    assert socket.gethostname() not in re.findall(r"[\w.-]+", text)


if __name__ == "__main__":
    _record_reader()
    with tempfile.TemporaryDirectory() as scratch:
        _record_client(Path(scratch))
