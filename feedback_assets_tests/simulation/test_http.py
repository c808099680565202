"""A history played to the real service, into its real inbox."""

import json
import math

import duckdb
import httpx
import numpy as np
import pandas as pd
import pytest

from feedback_assets.capture.importers.landing import landed_files
from feedback_assets.capture.inbox.open import open_reader
from feedback_assets.clock import SimulatedClock
from feedback_assets.door.tokens import TokenFile
from feedback_assets.errors import DoorError
from feedback_assets.simulation.http import HttpDelivery
from feedback_assets.simulation.payload import micros_of
from feedback_assets_tests.serving.shop import Shop
from feedback_assets_tests.worlds import moment

DAY = "2026-03-01"
LIMITS = {"limits": {"max_rows": 150}}


def history(shop: Shop, n: int, seed: int = 5) -> pd.DataFrame:
    """Rows of the shop as a replay has them."""
    frame = shop.frame(n, seed)
    times = moment(DAY) + pd.to_timedelta(range(n), unit="min")
    known = times + pd.Timedelta(hours=30)
    return frame.assign(
        event_time=times, _event_time=times, _label_time=known, label=shop.labels(frame, seed)
    )


def playing(shop: Shop) -> HttpDelivery:
    return HttpDelivery(shop.config, shop.settings, SimulatedClock(moment(DAY)))


def inbox(shop: Shop, stream: str) -> list[dict]:
    """The bodies that the inbox holds, in their order."""
    reader = open_reader(shop.settings)
    try:
        batches = reader.batches(stream, "shop", 0, 2**62, reader.head())
        return [json.loads(body) for batch in batches for body in batch["body"].to_pylist()]
    finally:
        reader.close()


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "text"])
def test_scores_are_those_of_the_model_to_the_last_bit(tmp_path, kind):
    shop = Shop(tmp_path / "home", kind, serve=LIMITS)
    shop.train()
    shop.publish()
    frame = history(shop, 400)
    with playing(shop) as delivery:
        said = delivery.answer(frame)
    expected = shop.model().score(frame)
    assert said.score.tobytes() == expected.score.tobytes()
    assert said.prediction.tolist() == expected.prediction.tolist()
    assert said.prediction.dtype == expected.prediction.dtype
    if expected.class_scores is not None:
        assert said.class_scores.tobytes() == expected.class_scores.tobytes()


def test_predictions_are_kept_as_they_happened(tmp_path):
    shop = Shop(tmp_path / "home", serve=LIMITS)
    shop.train()
    shop.publish()
    frame = history(shop, 200)
    with playing(shop) as delivery:
        said = delivery.answer(frame)
        delivery.predictions("p", frame, {"score": said.score})
    kept = inbox(shop, "predictions")
    assert [body["id"] for body in kept] == frame["prediction_id"].tolist()
    assert [body["event_us"] for body in kept] == micros_of(frame["_event_time"]).tolist()
    assert [body["received_us"] for body in kept] == [body["event_us"] for body in kept]
    assert np.array([body["score"] for body in kept]).tobytes() == said.score.tobytes()
    assert {body["model_version"] for body in kept} == {"1"}
    assert {body["model_digest"] for body in kept} == {shop.model().digest}
    assert {body["arm"] for body in kept} == {body["answered_by"] for body in kept} == {"champion"}
    for name in (*shop.config.features, *shop.config.columns.carried):
        sent = [None if value is None or value != value else value for value in frame[name]]
        assert [body["features"][name] for body in kept] == sent, name
    assert landed_files(shop.settings, "shop", "predictions") == []


def test_feedback_is_kept_as_it_was_known(tmp_path):
    shop = Shop(tmp_path / "home", serve=LIMITS)
    frame = history(shop, 200)
    with playing(shop) as delivery:
        delivery.feedback("f", frame, None)
    kept = inbox(shop, "feedback")
    assert [body["prediction_id"] for body in kept] == frame["prediction_id"].tolist()
    assert [body["received_us"] for body in kept] == micros_of(frame["_label_time"]).tolist()
    assert [body["value"] for body in kept] == [str(value) for value in frame["label"]]
    for name in ("event_id", "kind", "event_us", "source", "confidence"):
        assert {body[name] for body in kept} == {None}, name


def test_the_next_model_answers_as_soon_as_it_is_published(tmp_path):
    shop = Shop(tmp_path / "home", serve=LIMITS)
    frame = history(shop, 100)
    with playing(shop) as delivery:
        for version in (1, 2, 3):
            shop.train(version, seed=version)
            shop.publish(version, previous=version - 1 or None)
            part = frame.assign(prediction_id=[f"{version}-{n}" for n in range(len(frame))])
            said = delivery.answer(part)
            assert said.score.tobytes() == shop.model(version).score(part).score.tobytes()


def test_rows_that_break_a_rule_are_counted_but_not_kept(tmp_path):
    shop = Shop(tmp_path / "home", serve=LIMITS, rules={"distance": {"min": 0}})
    shop.train()
    shop.publish()
    frame = history(shop, 200)
    frame.loc[frame.index % 5 == 0, "distance"] = -1.0
    frame.loc[7, "amount"] = math.inf
    with playing(shop) as delivery:
        said = delivery.answer(frame)
    assert said.score.tobytes() == shop.model().score(frame).score.tobytes()
    good = frame[(frame["distance"] >= 0) & (frame["amount"] != math.inf)]
    assert [body["id"] for body in inbox(shop, "predictions")] == good["prediction_id"].tolist()
    assert inbox(shop, "refused_predictions")


def test_an_id_that_comes_twice_is_answered_once(tmp_path):
    shop = Shop(tmp_path / "home", serve=LIMITS)
    shop.train()
    shop.publish()
    frame = history(shop, 20)
    frame.loc[13, "prediction_id"] = frame.loc[3, "prediction_id"]
    with playing(shop) as delivery:
        said = delivery.answer(frame)
    assert said.score.tobytes() == shop.model().score(frame).score.tobytes()
    expected = [id_ for n, id_ in enumerate(frame["prediction_id"]) if n != 13]
    assert [body["id"] for body in inbox(shop, "predictions")] == expected


def test_the_service_asks_for_the_token_and_the_token_ends_with_it(tmp_path):
    shop = Shop(tmp_path / "home")
    with playing(shop) as delivery:
        delivery.feedback("f", history(shop, 1), None)
        address = delivery._door.client.base_url
        event = {"prediction_id": "p", "value": 1}
        assert httpx.post(f"{address}/v1/shop/feedback", json=event).status_code == 401
        (token,) = TokenFile(shop.settings).all()
        assert token.revoked is None
        assert {tuple(grant) for grant in token.grants} == {
            ("shop", "predict"),
            ("shop", "feedback"),
        }
    (token,) = TokenFile(shop.settings).all()
    assert token.revoked is not None
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/healthz")


def test_a_service_that_cannot_start_says_so(tmp_path):
    shop = Shop(tmp_path / "home")
    frame = history(shop, 1)
    with playing(shop) as first, playing(shop) as second:
        first.feedback("f", frame, None)
        with pytest.raises(DoorError, match=r"did not start: .*inbox"):
            second.feedback("f", frame, None)
    assert all(token.revoked for token in TokenFile(shop.settings).all())


def test_history_is_landed_as_an_imported_log(tmp_path):
    shop = Shop(tmp_path / "home")
    frame = history(shop, 50)
    for _ in range(2):  # a log that comes twice lands once
        playing(shop).predictions("history-20260301", frame, {})
    files = [str(file.path) for file in landed_files(shop.settings, "shop", "predictions")]
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    landed = con.execute(
        f"SELECT * FROM read_parquet({files}, union_by_name = true) ORDER BY prediction_id"
    ).df()
    assert landed["prediction_id"].tolist() == frame["prediction_id"].tolist()
    for name in ("event_time", "received_time"):
        assert pd.to_datetime(landed[name], utc=True).tolist() == frame["_event_time"].tolist()
    assert landed["#broken"].isna().all()
    assert landed["model_version"].isna().all()
    for name in (*shop.config.features, *shop.config.columns.carried):
        expected = frame[name].astype(object).where(frame[name].notna(), None).tolist()
        found = landed[name].astype(object).where(landed[name].notna(), None).tolist()
        assert found == expected, name
