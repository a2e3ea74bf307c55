"""The reader of the W&B service over real HTTP, against the stand-in: few requests, and one line for every failure."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from servers.faults import Answer, Drip, Fault, Hang, Lost, says
from servers.wandb import KEY, WandbServer

from tools.sources import wandb_api, wandb_http
from tools.sources.wandb_http import Service, ServiceError
from tools.sources.wandb_login import Login
from tools.wandb_data import ServerProject

NOWHERE = "http://127.0.0.1:9"
PLACE = ("acme-lab", "mt-distill")
PAUSE = 'mutation Pause($id: ID!) { upsertSweep(input: {id: $id, state: "PAUSED"}) { sweep { id } } }'


@pytest.fixture
def service(wandb_server: WandbServer) -> Iterator[Service]:
    wandb_server.world.add_sweep("xk31p7")
    with _service(wandb_server.url) as found:
        yield found


@contextmanager
def _service(url: str, key: str = KEY, timeout_s: float = 30.0) -> Iterator[Service]:
    with closing(Service(Login(url, key, "environment"), timeout_s)) as found:
        yield found


def _read(service: Service, since: float = 0.0) -> ServerProject:
    return wandb_api.read_project(service, *PLACE, since)


def _error(service: Service) -> ServiceError:
    with pytest.raises(ServiceError) as error:
        _read(service)
    assert "\n" not in str(error.value) and KEY not in str(error.value)
    return error.value


# --- what it reads


def test_a_sweep_and_a_run_as_the_service_tells_of_them(wandb_server: WandbServer, service: Service) -> None:
    world = wandb_server.world
    world.add_sweep("bayes1", displayName="first try", method="bayes", state="PAUSED", description="why\nand how")
    slurm = {"job_id": "48220", "array_job_id": "48213", "array_task_id": "7"}
    starts = {
        "b": {"startedAt": "2026-11-20T10", "slurm": slurm, "host": "node01"},
        "a": {"startedAt": "2026-11-19T10"},
    }
    world.add_run(
        "h7k2m9qa",
        "bayes1",
        config={"lr": 0.1, "optim": {"name": "adam"}, "_wandb": {"value": {"e": starts}}},
        summary={"loss": float("nan"), "epoch": 3, "_step": 41, "_wandb": {"runtime": 2}},
        history=[{"loss": 1}] * 7,
        notes="words",
        heartbeatAt="2026-11-23T10:00:00",
        createdAt="2026-11-23T11:00:00+02:00",
    )
    found = wandb_api.with_details(service, _read(service), ["h7k2m9qa"])
    sweep, run = found.sweeps["bayes1"], found.runs["h7k2m9qa"]
    assert (sweep.state, sweep.name, sweep.method, sweep.runs) == ("PAUSED", "first try", "bayes", 1)
    assert sweep.description == "why\nand how"
    assert (run.state, run.sweep, run.owner, run.notes, run.rows) == ("running", "bayes1", "tester", "words", 7)
    assert (run.heartbeat, run.created) == (1_795_428_000.0, 1_795_424_400.0)
    assert (run.job, run.host, run.detailed) == ("48213_7", "node01", True)
    assert run.config == {"lr": 0.1, "optim": {"name": "adam"}}
    assert json.dumps(run.summary) == '{"loss": NaN, "epoch": 3, "_step": 41}'
    assert found.viewer == "tester"
    assert {sweep.node, run.node} <= {node["id"] for node in (*world.sweeps.values(), *world.runs.values())}


def test_times_are_those_of_the_service_whatever_the_zone_here(
    wandb_server: WandbServer, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb_server.world.add_run("r1", heartbeatAt="2026-11-23T10:00:00", createdAt="2026-11-23T10:00:00Z")
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    try:
        run = _read(service).runs["r1"]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert run.heartbeat == run.created == 1_795_428_000.0


def test_values_are_of_the_run_they_stand_beside(wandb_server: WandbServer, service: Service) -> None:
    for number in range(30):
        wandb_server.world.add_run(f"r{number}", "xk31p7", config={"seed": number}, summary={"loss": number / 7})
    found = wandb_api.with_details(service, _read(service), [f"r{number}" for number in range(20)])
    for number in range(20):
        run = found.runs[f"r{number}"]
        assert (run.config, run.summary) == ({"seed": number}, {"loss": number / 7})
    assert not any(found.runs[f"r{number}"].detailed for number in range(20, 30))


def test_runs_are_read_as_they_are_now(wandb_server: WandbServer, service: Service) -> None:
    run = wandb_server.world.add_run("r1", history=[{"loss": 1}])
    run["state"] = "crashed"
    wandb_server.world.add_run("r2")
    found = wandb_api.read_runs(service, *PLACE, ["r1", "unknown"])
    assert [(one.run, one.state, one.rows) for one in found.values()] == [("r1", "crashed", 1)]


# --- in how many requests


def test_a_sweep_of_500_runs_costs_at_most_two_requests_and_one_a_page(
    wandb_server: WandbServer, service: Service
) -> None:
    for number in range(500):
        wandb_server.world.add_run(f"r{number}", "xk31p7", config={"lr": 0.1}, summary={"loss": 1.0})
    found = _read(service)
    found = wandb_api.with_details(service, found, list(found.runs))
    assert sum(run.detailed and run.summary == {"loss": 1.0} for run in found.runs.values()) == 500
    assert wandb_server.count() == found.requests <= 2 + 500 / wandb_api.PAGE


def test_20_sweeps_of_100_runs_cost_one_request_for_every_500_runs(wandb_server: WandbServer, service: Service) -> None:
    for sweep in range(20):
        wandb_server.world.add_sweep(f"sweep{sweep}")
        for number in range(100):
            wandb_server.world.add_run(f"r{sweep}-{number}", f"sweep{sweep}")
    found = _read(service)
    assert len(found.sweeps) == 21 and len(found.runs) == 2000 and found.left_out is None
    assert [found.sweeps[f"sweep{sweep}"].runs for sweep in range(20)] == [100] * 20
    assert wandb_server.count() == 4
    assert [asked.variables["sweeps"] for asked in wandb_server.asked] == [True, False, False, False]


def test_a_server_that_gives_fewer_at_once_is_asked_on(wandb_server: WandbServer, service: Service) -> None:
    for number in range(33):
        wandb_server.world.add_run(f"r{number}", summary={"n": number})
        wandb_server.world.add_sweep(f"s{number % 17}")
    wandb_server.world.most = 5
    found = _read(service)
    assert {len(found.runs), len(found.sweeps)} == {33, 18}
    assert wandb_server.count() == 7
    found = wandb_api.with_details(service, found, list(found.runs))
    assert [found.runs[f"r{number}"].summary for number in range(33)] == [{"n": number} for number in range(33)]


def test_what_was_silent_before_the_window_is_not_paged_through(wandb_server: WandbServer, service: Service) -> None:
    for number in range(20):
        wandb_server.world.add_run(f"old{number}", heartbeatAt=f"2026-01-01T00:00:{number:02d}")
        wandb_server.world.add_run(f"new{number}", heartbeatAt=f"2026-11-01T00:00:{number:02d}")
    wandb_server.world.most = 15
    found = _read(service, since=1_780_000_000.0)
    assert sorted(found.runs) == sorted(f"new{number}" for number in range(20))
    assert wandb_server.count() == 2


def test_a_project_larger_than_all_pages_says_what_was_left_out(wandb_server: WandbServer, service: Service) -> None:
    for number in range(30):
        wandb_server.world.add_run(f"r{number}")
    wandb_server.world.most = 1
    found = _read(service)
    assert len(found.runs) == wandb_server.count() == wandb_api.MAX_PAGES
    assert found.left_out == "only the newest 20 runs and 1 sweeps were read"


def test_a_page_that_fails_later_leaves_what_was_read(wandb_server: WandbServer, service: Service) -> None:
    for number in range(4):
        wandb_server.world.add_run(f"r{number}")
    wandb_server.world.most = 2
    listed = _read(service)
    wandb_server.fail(Answer(429), on="Detail")
    found = wandb_api.with_details(service, listed, list(listed.runs))
    assert len(found.runs) == 4 and not any(run.detailed for run in found.runs.values())
    assert found.left_out and found.left_out.startswith("not all values: ") and "(429)" in found.left_out
    wandb_server.world.most = 1
    wandb_server.fail(None, on="Listing", times=2)
    wandb_server.fail(says("too much"), on="Listing")
    found = _read(service)
    assert len(found.runs) == 2 and found.left_out == f"after 2 runs: {service.login.host} says: too much"


# --- how it fails


HTML = Answer(body=b"<html>Sign in</html>", type="text/html")
REFUSED: list[tuple[Fault, str]] = [
    (says("no", 401), "does not know the API key from environment (401): run `wandb login --relogin`"),
    (Answer(429, headers={"retry-after": "17"}), "is rate limiting this key (429): ask again in 17 s"),
    (Answer(429, headers={"retry-after": "Wed, 21"}), "rate limiting this key (429): ask again in a minute"),
    (Answer(403, b"no"), "refuses this with status 403: may the key from environment do it?"),
    (Answer(404, b"nothing here"), "there is no W&B service at http://127.0.0.1:"),
    (says("permission denied\nfor  you"), "says: permission denied for you"),
    (says("no", 403), "says: no"),
    (Answer(body=b'{"errors": ["a", 2]}'), "says: a"),
    (Answer(body=b'{"data": {"project": null}}'), "has no project acme-lab/mt-distill, or the key may not see it"),
    (Answer(body=b'{"data": {"project": []}}'), "has no project acme-lab/mt-distill"),
    (Answer(302, headers={"location": "https://a.example/?b"}), "sends on to https://a.example/?b: name that server"),
    (Answer(301), "sends on to elsewhere"),
]
FAILED: list[tuple[Fault, str]] = [
    (Answer(500, b"oops"), "answered with status 500: try again later"),
    (Answer(503, b"busy"), "answered with status 503: try again later"),
    (HTML, "answered with no W&B answer: is a proxy or a login page in between?"),
    (Answer(body=b'{"data": null}'), "answered with no W&B answer"),
    (Answer(body=b"[1]"), "answered with no W&B answer"),
    (Answer(body=b""), "answered with no W&B answer"),
    (Answer(body=b"[" * 100_000), "answered with no W&B answer"),
    (Answer(headers={"content-encoding": "gzip"}), "can't be reached"),
    (Answer(headers={"content-length": "99"}), "can't be reached"),
    (Lost(), "can't be reached"),
]


@pytest.mark.parametrize(
    ("fault", "text", "refused"),
    [*((fault, text, True) for fault, text in REFUSED), *((fault, text, False) for fault, text in FAILED)],
)
def test_every_failure_is_one_line_that_says_what_to_do(
    wandb_server: WandbServer, service: Service, monkeypatch: pytest.MonkeyPatch, fault: Fault, text: str, refused: bool
) -> None:
    monkeypatch.setattr(wandb_http, "_AGAIN_AFTER_S", 0.0)
    wandb_server.fail(fault)
    error = _error(service)
    assert text in str(error) and len(str(error)) < 450
    assert error.refused == refused
    assert "127.0.0.1" in str(error)


def test_a_wrong_key_and_a_wrong_project_are_told_apart(wandb_server: WandbServer, service: Service) -> None:
    with _service(wandb_server.url, key="f" * 40) as other:
        assert "does not know the API key" in str(_error(other))
    with pytest.raises(ServiceError, match=r"has no project acme-lab/elsewhere.*are WANDB_ENTITY and WANDB_PROJECT"):
        wandb_api.read_project(service, "acme-lab", "elsewhere", 0.0)


def test_no_network_is_said() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        with _service(f"http://127.0.0.1:{deaf.getsockname()[1]}") as service:
            assert "can't be reached" in str(_error(service))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SSL_CERT_FILE", "/nowhere/ca.pem"),
        ("ALL_PROXY", "socks5h://127.0.0.1:1080"),
        ("HTTP_PROXY", "ftp://proxy"),
        ("HTTP_PROXY", "http://[::1"),
    ],
)
def test_a_proxy_or_certificate_that_can_not_be_used_is_said(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ServiceError, match="can't be asked with the proxy or certificates that the environment names"):
        Service(Login(NOWHERE, KEY, "environment"))


@pytest.mark.parametrize("fault", [Hang(), Drip(0.01), Drip(0.01, header=True)], ids=["silent", "body", "header"])
def test_a_server_that_never_ends_is_left_after_the_time_out(wandb_server: WandbServer, fault: Fault) -> None:
    """Bytes that drip keep every single wait short: only the whole is bounded."""
    wandb_server.fail(fault)
    with _service(wandb_server.url, timeout_s=0.2) as service:
        error = _error(service)
    assert "did not answer in 0.2 s: is there a network here?" in str(error)
    assert not error.refused


def test_a_busy_gateway_is_asked_once_more(
    wandb_server: WandbServer, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wandb_http, "_AGAIN_AFTER_S", 0.0)
    wandb_server.fail(Answer(502, b"busy"), times=1)
    assert _read(service).sweeps
    assert wandb_server.count() == service.requests == 2


def test_a_change_is_sent_once_whatever_comes_back(wandb_server: WandbServer, service: Service) -> None:
    sweep = wandb_server.world.add_sweep("bayes1")
    for fault in (Answer(503), Lost()):
        wandb_server.fail(fault, times=1)
        with pytest.raises(ServiceError) as error:
            service.change(PAUSE, {"id": sweep["id"]})
        assert not error.value.refused
    assert wandb_server.count("Pause") == 2
    # what did not answer was done all the same: nobody may conclude that it was not
    assert sweep["state"] == "PAUSED"


def test_a_change_that_the_service_refuses_changed_nothing(service: Service) -> None:
    with pytest.raises(ServiceError, match="says: sweep not found") as error:
        service.change(PAUSE, {"id": "nothing"})
    assert error.value.refused


def test_an_answer_without_end_is_not_kept(
    wandb_server: WandbServer, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wandb_http, "MAX_BYTES", 1 << 20)
    wandb_server.fail(Answer(body=b" " * (3 << 20)))
    assert "sent more than 1 MiB in one answer: not read" in str(_error(service))


def test_a_redirect_is_not_followed_with_the_key(wandb_server: WandbServer, service: Service) -> None:
    with WandbServer() as other:
        wandb_server.fail(Answer(307, headers={"location": f"{other.url}/graphql"}))
        assert f"sends on to {other.url}/graphql" in str(_error(service))
        assert other.count() == 0


@pytest.mark.parametrize("status", [200, 302, 400])
def test_a_key_that_the_server_sends_back_is_not_shown(
    wandb_server: WandbServer, service: Service, status: int
) -> None:
    wandb_server.fail(says("warm-up"), times=1)
    _error(service)
    basic = wandb_server.asked[-1].headers["authorization"].removeprefix("Basic ")
    words = f"you sent {KEY} as {basic}"
    fault = says(words, status)
    wandb_server.fail(Answer(status, fault.body, {"location": f"http://a/?{KEY}&{basic}"}))
    told = str(_error(service))
    assert basic not in told and told.count("[secret removed]") == 2


# --- answers of the wrong form


def test_answers_of_any_form_read_as_less_never_as_something_else(wandb_server: WandbServer, service: Service) -> None:
    world = wandb_server.world
    for number in range(3):
        world.add_run(f"r{number}", "xk31p7", config={"seed": number}, summary={"loss": number}, notes=f"note {number}")
    true = _detailed(service)
    answers = {name: world.answer(_asked(wandb_server, name)) for name in ("Listing", "Detail")}
    dice = random.Random(8)
    for _ in range(150):
        for name, answer in answers.items():
            broken = json.loads(json.dumps(answer))
            _break(broken["data"]["project"], dice)
            wandb_server.fail(Answer(body=json.dumps(broken).encode()), on=name, times=1)
        found = _detailed(service)
        wandb_server.heal()
        for run in found.runs.values():
            was = true.runs.get(run.run)
            assert was and run.node in (was.node, *(run.run for run in true.runs.values()))
            assert run.config.items() <= was.config.items() and run.summary.items() <= was.summary.items()
            for name in ("sweep", "name", "owner", "notes", "created", "heartbeat", "rows"):
                assert getattr(run, name) in (getattr(was, name), None), name


def _detailed(service: Service) -> ServerProject:
    found = _read(service)
    return wandb_api.with_details(service, found, sorted(found.runs))


def _asked(server: WandbServer, name: str) -> dict[str, Any]:
    asked = next(asked for asked in server.asked if asked.what == name)
    return {"query": asked.query, "variables": asked.variables}


JUNK: tuple[Any, ...] = (None, True, [], {}, [None], [{"node": 3}])


def _break(value: Any, dice: random.Random) -> None:
    """Put something of the wrong form somewhere into it."""
    at = value
    while True:
        key = dice.choice(range(len(at)) if isinstance(at, list) else sorted(at))
        if not isinstance(at[key], dict | list) or not at[key] or dice.random() < 0.15:
            at[key] = dice.choice(JUNK)
            return
        at = at[key]
