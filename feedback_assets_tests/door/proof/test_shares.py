"""Shadow and canary by their share; what is logged says who answered."""

import itertools
import math
import time

import pytest

from feedback_assets_tests.door.proof.live import living
from feedback_assets_tests.door.proof.recount import Recount
from feedback_assets_tests.door.proof.stored import newest, stored
from feedback_assets_tests.serving.shop import LOOP

PREDICTIONS = 5_000
BATCH = 250


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    serve = {"routing": {"shadow_queue": 100_000}}
    with living(tmp_path_factory.mktemp("shares"), versions=2, serve=serve) as opened:
        yield opened


def _ask(door, name):
    """5,000 predictions, in batches; ids begin with the name."""
    ids = [f"{name}-{n}" for n in range(PREDICTIONS)]
    answers = []
    with door.http() as client:
        for start in range(0, PREDICTIONS, BATCH):
            rows = [door.row(n) | {"prediction_id": ids[n]} for n in range(start, start + BATCH)]
            reply = client.post(f"/v1/{LOOP}/predict", json={"rows": rows})
            assert reply.status_code == 200, reply.text
            answers += reply.json()["predictions"]
    assert [a["prediction_id"] for a in answers] == ids
    return answers


def _logged(door, after, count):
    entries = stored(door.shop.settings, "predictions", after)
    assert len(entries) == count
    return entries


def _within(count, share, total=PREDICTIONS):
    """Four standard deviations of a share drawn at random."""
    return abs(count - share * total) <= 4 * math.sqrt(total * share * (1 - share))


def test_shadow_is_scored_beside_the_champions_answer(door):
    after = newest(door.shop.settings)
    door.wait_for(door.shop.publish(1, None, challenger=2, stage="shadow"))
    answers = _ask(door, "shadow")
    entries = _logged(door, after, PREDICTIONS)
    drawn = {e["id"] for e in entries if e["arm"] == "shadow"}
    assert _within(len(drawn), 0.05), len(drawn)
    assert {a["model_version"] for a in answers} == {"1"}
    assert {e["answered_by"] for e in entries} == {"champion"}
    until = time.monotonic() + 20
    shadows = []
    while time.monotonic() < until and len(shadows) < len(drawn):
        shadows = stored(door.shop.settings, "shadow", after)
        time.sleep(0.2)
    assert sorted(s["id"] for s in shadows) == sorted(drawn)
    assert {s["key"] for s in shadows} == {f"{i}~2" for i in drawn}
    assert {s["model_version"] for s in shadows} == {"2"}
    features = {e["id"]: e["features"] for e in entries}
    rescored = [s | {"features": features[s["id"]]} for s in shadows]
    assert Recount(door.shop, (1, 2)).worst(rescored) <= 1e-6


def test_canary_is_answered_by_the_challenger(door):
    after = newest(door.shop.settings)
    door.wait_for(door.shop.publish(1, None, challenger=2, stage="canary"))
    answers = _ask(door, "canary")
    entries = _logged(door, after, PREDICTIONS)
    by_arm = {
        arm: list(group) for arm, group in itertools.groupby(sorted(entries, key=_arm), key=_arm)
    }
    assert set(by_arm) == {"champion", "canary"}
    assert _within(len(by_arm["canary"]), 0.10), len(by_arm["canary"])
    assert {(e["model_version"], e["answered_by"]) for e in by_arm["canary"]} == {
        ("2", "challenger")
    }
    assert {(e["model_version"], e["answered_by"]) for e in by_arm["champion"]} == {
        ("1", "champion")
    }
    told = {a["prediction_id"]: (a["model_version"], a["arm"]) for a in answers}
    assert told == {e["id"]: (e["model_version"], e["arm"]) for e in entries}
    assert Recount(door.shop, (1, 2)).worst(entries) <= 1e-6
    assert not stored(door.shop.settings, "shadow", after)


def test_the_same_id_falls_into_the_same_arm_again(door):
    door.wait_for(door.shop.publish(1, None, challenger=2, stage="canary"))
    row = door.row(1)
    with door.http() as client:
        for number in range(40):
            asked = row | {"prediction_id": f"again-{number}", "event_time": "2026-11-01T00:00:00Z"}
            first = client.post(f"/v1/{LOOP}/predict", json=asked).json()
            assert client.post(f"/v1/{LOOP}/predict", json=asked).json() == first
        entries = [
            e for e in stored(door.shop.settings, "predictions") if e["id"].startswith("again-")
        ]
    assert len(entries) == 40


def _arm(entry):
    return entry["arm"]
