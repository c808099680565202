"""Ten thousand broken payloads: no failure of the service, nothing invalid taken, nothing echoed."""

import json
import time

import pytest

from feedback_assets_tests.door.proof.judge import assail
from feedback_assets_tests.door.proof.live import living
from feedback_assets_tests.door.proof.scrape import Metrics
from feedback_assets_tests.door.proof.stored import stored
from feedback_assets_tests.serving.shop import LOOP

QUARANTINE_PER_MINUTE = 60
SERVE = {
    "limits": {"quarantine_per_minute": QUARANTINE_PER_MINUTE},
    "default": {"score": 0.5, "prediction": 0},
}


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with living(tmp_path_factory.mktemp("malformed"), serve=SERVE) as opened:
        yield opened


def test_broken_payloads_short(door, record_property):
    _proof(door, 600, 1, record_property)


@pytest.mark.chaos
def test_broken_payloads_ten_thousand(door, record_property):
    _proof(door, 10_000, 2, record_property)


def _proof(door, count, seed, record_property):
    began = time.monotonic()
    with door.http() as client:
        before = Metrics(client)
    found = assail(door, count, seed)
    told = (
        f"malformed payloads: sent {found.sent:,}, surely invalid {found.verdicts['BAD']:,}, invalid taken "
        f"{len(found.invalid_taken)}, 5xx {len(found.server_errors)}, echoed {len(found.echoed)}"
    )
    record_property("figures", told)
    assert not found.wrong, json.dumps(found.wrong, indent=1)[:6_000]
    assert found.sent == count
    assert found.verdicts["BAD"] > count * 0.45
    assert found.statuses[200] + found.statuses[202] > count * 0.05
    with door.http() as client:
        after = Metrics(client)
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 200
    counted = after.total("request_latency_seconds_count") - before.total(
        "request_latency_seconds_count"
    )
    assert counted >= found.sent - found.statuses[0]
    quarantined = after.total("quarantined_total") - before.total("quarantined_total")
    assert quarantined >= found.statuses[422]
    _quarantine(door, found, time.monotonic() - began)


def _quarantine(door, found, seconds):
    """Bounded, of bounded length, and without what the client or the service keeps secret."""
    kept = stored(door.shop.settings, "refused_predictions") + stored(
        door.shop.settings, "refused_feedback"
    )
    assert kept
    # Two streams, a full bucket at first, and the minutes of both proofs.
    assert len(kept) <= 2 * QUARANTINE_PER_MINUTE * (2 + seconds / 60 + 1)
    marks = set(found.marks)
    for one in kept:
        assert len(one["line"]) <= 500
        assert door.token not in json.dumps(one)
        assert not any(mark in one["reason"] for mark in marks if mark in one["line"]), one
        assert len(one["reason"]) <= 2_000


def test_taken_rows_are_stored_as_they_were_sent(door):
    row = door.row(3) | {"prediction_id": "as-sent", "event_time": "2026-10-01T10:00:00+02:00"}
    with door.http() as client:
        assert client.post(f"/v1/{LOOP}/predict", json=row).status_code == 200
    kept = next(r for r in stored(door.shop.settings, "predictions") if r["key"] == "as-sent")
    assert kept["event_us"] == 1_790_841_600_000_000
    assert kept["features"] == {
        k: v for k, v in row.items() if k not in ("prediction_id", "event_time")
    }


@pytest.mark.parametrize(
    ("mutant", "kind"),
    [
        ("lenient", "invalid_taken"),
        pytest.param("echoes", "echoed", marks=pytest.mark.chaos),
        pytest.param("crashes", "server_errors", marks=pytest.mark.chaos),
    ],
)
def test_a_broken_door_is_found(tmp_path, mutant, kind):
    with living(tmp_path, serve=SERVE, mutant=mutant) as broken:
        found = assail(broken, 400, seed=1)
    assert getattr(found, kind), found.statuses
