"""How a replay plays its rows: against a service of canned answers that refuses some."""

import datetime as dt
import json

import httpx
import numpy as np
import pandas as pd
import pytest

from feedback_assets.client import Client, DoorProblem
from feedback_assets.clock import SimulatedClock
from feedback_assets.config.load import load_loop
from feedback_assets.errors import DoorError
from feedback_assets.serving.manifest import Manifest
from feedback_assets.settings import Settings
from feedback_assets.simulation import http
from feedback_assets.simulation.http import HttpDelivery
from feedback_assets.training.onnx_model import Scores
from feedback_assets_tests.worlds import write_loop

START = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)
MOST = 10
"""Rows in one request."""
SHOWN = 2
"""Errors that a problem lists at most."""


class Service:
    """Answers 0.5; refuses rows larger than 50, and feedback with a negative value."""

    def __init__(self):
        self.generation = 1
        self.taken: list[dict] = []
        self.requests: list[list[dict]] = []
        self.closed = 0
        transport = httpx.MockTransport(self.answer)
        self.client = Client("http://door.test", "t", "tiny", transport=transport, max_rows=MOST)

    def close(self):
        self.closed += 1

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            said = {"generation": self.generation, "problem": "the file is damaged"}
            self.generation += 1
            return httpx.Response(200, json=said)
        body = json.loads(request.content)
        what, items = next(iter(body.items()))
        self.requests.append(items)
        wrong = [n for n, item in enumerate(items) if refused(item)]
        if wrong:
            errors = [{"pointer": f"/{what}/{n}", "detail": "is wrong"} for n in wrong[:SHOWN]]
            return httpx.Response(422, json={"title": "Invalid request", "errors": errors})
        self.taken += items
        if what == "events":
            done = [{"event_id": "e", "state": "stored"} for _ in items]
            return httpx.Response(202, json={"events": done})
        done = [
            {
                "prediction_id": item["prediction_id"],
                "score": item["size"] / 100,
                "prediction": 0,
                "model_version": "1",
                "arm": "champion",
                "answered_by": "champion",
            }
            for item in items
        ]
        return httpx.Response(200, json={"predictions": done})


def refused(item: dict) -> bool:
    return item.get("size", 0) > 50 or item.get("value", 0) < 0


@pytest.fixture
def service(monkeypatch):
    made = Service()
    monkeypatch.setattr(http, "LocalDoor", lambda *_: made)
    return made


@pytest.fixture
def delivery(tmp_path, monkeypatch, service):
    settings = Settings(home=tmp_path / "home", configs=tmp_path)
    loop = write_loop(tmp_path, serve={"limits": {"max_rows": MOST}})
    manifest = Manifest(
        schema=1, loop="tiny", generation=2, published_at="", decision_id=None,
        champion=None, previous=None, challenger=None,
    )  # fmt: skip
    monkeypatch.setattr(http, "read_manifest", lambda *_: manifest)
    return HttpDelivery(load_loop(loop, {}), settings, SimulatedClock(START))


def rows(sizes) -> pd.DataFrame:
    n = len(sizes)
    times = pd.Series(START + pd.to_timedelta(np.arange(n), unit="h"))
    return pd.DataFrame(
        {
            "prediction_id": [f"p{i}" for i in range(n)],
            "_event_time": times,
            "_label_time": times,
            "size": np.asarray(sizes, dtype=float),
            "speed": 1.0,
            "colour": "red",
            "region": "north",
            "value": np.arange(n),
        }
    )


def test_rows_go_in_requests_that_the_loop_allows(delivery, service):
    scores = delivery.answer(rows(range(25)))
    assert scores.score.tolist() == [n / 100 for n in range(25)]
    assert [len(items) for items in service.requests] == [10, 10, 5]


def test_it_waits_for_what_was_published(delivery, service):
    delivery.answer(rows([1]))
    assert service.generation == 3


def test_it_says_when_what_was_published_does_not_come(delivery, service, monkeypatch):
    monkeypatch.setattr(http, "SWAP_SECONDS", 0.0)
    service.generation = -1_000
    with pytest.raises(DoorError, match="generation -1000 of tiny, not 2: the file is damaged"):
        delivery.answer(rows([1]))
    assert service.taken == []


def test_rows_that_are_refused_are_scored_here_and_the_others_are_kept(
    delivery, service, monkeypatch
):
    sizes = [51.0 if n % 3 == 0 else n for n in range(24)]
    here = Scores(np.full(24, -1.0), np.full(24, 7))
    monkeypatch.setattr(delivery, "_scored_here", lambda _: here)
    scores = delivery.answer(rows(sizes))
    assert scores.score.tolist() == [-1.0 if size == 51 else size / 100 for size in sizes]
    assert [p for p in scores.prediction.tolist() if p == 7] == [7] * 8
    assert [item["prediction_id"] for item in service.taken] == [
        f"p{n}" for n in range(24) if n % 3
    ]


def test_a_refusal_that_names_no_row_is_an_error(delivery, service, monkeypatch):
    monkeypatch.setattr(service, "answer", lambda _: httpx.Response(422, json={"title": "No"}))
    service.client._http._transport.handler = service.answer
    with pytest.raises(DoorProblem, match="422 No"):
        delivery.feedback("f", rows([1]), None)


def test_feedback_is_given_as_it_was_known(delivery, service):
    frame = rows([1, 1, 1])
    delivery.feedback("f", frame, None)
    micros = [int((START + dt.timedelta(hours=n)).timestamp()) * 1_000_000 for n in range(3)]
    assert service.taken == [
        {"prediction_id": f"p{n}", "value": n, "received_time": micros[n]} for n in range(3)
    ]


def test_feedback_in_disorder_is_the_same_feedback(delivery, service):
    delivery.feedback("f", rows([1] * 30), np.random.default_rng(1))
    order = [item["value"] for item in service.taken]
    assert order != sorted(order)
    assert sorted(order) == list(range(30))


def test_feedback_that_is_refused_is_left_out_and_the_rest_is_given_once(delivery, service):
    frame = rows([1] * 12)
    frame["value"] = [-1, -2, -3, *range(9)]
    delivery.feedback("f", frame, None)
    assert [item["value"] for item in service.taken] == list(range(9))


def test_nothing_makes_no_request_and_starts_no_service(delivery, service):
    delivery.feedback("f", rows([]), None)
    delivery.predictions("p", rows([]), {})
    delivery.predictions("p", rows([1]), {"score": [0.5]})
    assert service.requests == []
    assert delivery._door is None
    delivery.close()
    assert service.closed == 0


def test_the_time_is_the_clock_s_or_the_newest_told(delivery, service):
    start = int(START.timestamp()) * 1_000_000
    assert delivery.now() == start
    delivery.answer(rows([1, 1, 1]))
    assert delivery.now() == start + 2 * 3_600_000_000
    delivery._clock.advance(START + dt.timedelta(days=1))
    assert delivery.now() == start + 24 * 3_600_000_000


def test_the_service_ends_once(delivery, service):
    with delivery:
        delivery.feedback("f", rows([1]), None)
    delivery.close()
    assert service.closed == 1
