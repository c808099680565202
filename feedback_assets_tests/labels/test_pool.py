"""Every row has one outcome; training never sees the held-out slice or the future."""

import datetime as dt
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.config.schema import Config
from feedback_assets.labels.outcomes import OVER_CAP, OVER_CLASS
from feedback_assets.labels.pool import (
    REASONS,
    Sifting,
    eligibility_sql,
    exclusion_sql,
    fingerprint,
    holdout_sql,
    holdout_start,
    training_sql,
)
from feedback_assets.labels.refusals import Batch, Limit, Refusals
from feedback_assets.labels.weights import trust_sql
from feedback_assets_tests.promotion.loops import loop_config

START = pd.Timestamp("2024-01-01", tz="UTC")
AS_OF = dt.datetime(2024, 1, 31, tzinfo=dt.UTC)
KEYS = [f"2024-01-{d:02d}" for d in range(1, 31)]
COLUMNS = [
    "prediction_id", "event_time", "received_time", "role", "x", "c", "label", "label_status",
    "label_received_time", "label_conflict", "label_source", "label_principal",
    "label_confidence", "partition_key",
]  # fmt: skip


def table(rows: list[dict[str, object]], fill: int = 0) -> pd.DataFrame:
    """Good rows with what `rows` changes; `fill` more good ones."""
    full = []
    for i, change in enumerate([*rows, *({} for _ in range(fill))]):
        event = START + pd.Timedelta(days=i % 30, hours=i % 24)
        row: dict[str, object] = {
            "prediction_id": f"p{i:05d}",
            "event_time": event,
            "received_time": event,
            "role": "served",
            "x": float(i),
            "c": "k",
            "label": i % 2,
            "label_status": "accepted",
            "label_conflict": False,
            "label_source": "chargeback",
            "label_principal": None,
            "label_confidence": 1.0,
        }
        row["label_received_time"] = row["event_time"]
        row |= change
        row.setdefault("partition_key", f"{row['event_time']:%Y-%m-%d}")
        full.append(row)
    frame = pd.DataFrame(full, columns=COLUMNS)
    for name in ("event_time", "received_time", "label_received_time"):
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
    return frame


def run(
    frame: pd.DataFrame, config: Config, mature: list[str] = KEYS, **more: Any
) -> tuple[pd.DataFrame, dict[str, int]]:
    """The pool and the counts by outcome."""
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("t", frame)
        sifting = Sifting(config, "t", COLUMNS, mature, AS_OF, **more)
        pool = con.execute(eligibility_sql(sifting)).df()
        counts = con.execute(exclusion_sql(sifting)).fetchall()
    return pool, dict(counts)


def test_every_reason_is_found_and_counts_add_up() -> None:
    late = AS_OF + dt.timedelta(hours=1)
    old = {"event_time": START - pd.Timedelta(days=200), "partition_key": "2024-01-01", "c": "gone"}
    frame = table(
        [
            {"received_time": late},
            {"role": "shadow"},
            {"partition_key": "2024-01-31"},
            {"label_status": "rejected"},
            {"label_status": "pending", "label": None},
            {"label_received_time": late},
            {"label_conflict": True},
            old,
            {"x": 900.5, "label": 0},
            {"x": 900.5, "label": 1},
            {"x": 901.5, "label": 1, "event_time": START},
            {"x": 901.5, "label": 1, "event_time": START},
            {"x": 902.5, "label": 1},
            {"x": 902.5, "label": 1},
        ],
        fill=300,
    )
    pool, counts = run(frame, loop_config())
    assert counts == {
        "not yet received": 1,
        "shadow prediction": 1,
        "its day is not mature": 1,
        "label rejected": 1,
        "no label came": 2,
        "label disputed": 1,
        "segment without traffic": 1,
        "equal features, other label": 2,
        "duplicate row": 1,
        "train": counts["train"],
        "holdout": counts["holdout"],
    }
    assert sum(counts.values()) == len(frame)
    assert set(counts) <= {*REASONS, "train", "holdout"}
    assert len(pool) == counts["train"] + counts["holdout"]
    assert list(pool.columns) == [*COLUMNS, "split", "weight"]
    assert set(pool["weight"]) == {1.0}


def test_the_newest_mature_days_are_held_out() -> None:
    config = loop_config(pool={"holdout_days": 7})
    pool, _ = run(table([], fill=600), config, KEYS[:20])
    days = pool.groupby("split")["partition_key"].agg(["min", "max"])
    assert holdout_start(config, KEYS[:20]) == dt.datetime(2024, 1, 14, tzinfo=dt.UTC)
    assert list(days.loc["train"]) == ["2024-01-01", "2024-01-13"]
    assert list(days.loc["holdout"]) == ["2024-01-14", "2024-01-20"]
    assert pool["prediction_id"].is_unique


def test_without_a_mature_day_there_is_no_pool() -> None:
    pool, counts = run(table([], fill=50), loop_config(), [])
    assert pool.empty
    assert counts == {"its day is not mature": 50}


def test_coarse_features_are_no_sign_of_a_fault() -> None:
    pool, counts = run(table([{"x": float(i % 3)} for i in range(300)]), loop_config())
    assert set(counts) == {"train", "holdout"}
    assert len(pool) == 300


def test_equal_texts_are_always_compared() -> None:
    config = loop_config(columns={"numeric": [], "categorical": [], "text": ["c"], "segments": []})
    rows: list[dict[str, object]] = [{"c": f"text {i % 100}"} for i in range(200)]
    rows[7]["label"] = 0
    rows[107]["label"] = 1
    _, counts = run(table(rows), config)
    assert counts["equal features, other label"] == 2
    assert sum(counts.values()) == 200


def test_texts_without_twins_all_stay() -> None:
    config = loop_config(columns={"numeric": [], "categorical": [], "text": ["c"], "segments": []})
    pool, counts = run(table([{"c": f"text {i}"} for i in range(50)]), config)
    assert len(pool) == sum(counts.values()) == 50


def test_nulls_and_neighbouring_values_are_told_apart() -> None:
    config = loop_config(columns={"numeric": ["x"], "categorical": ["c"], "segments": []})
    rows: list[dict[str, object]] = [
        {"x": 7.5, "c": "", "label": 0},
        {"x": 7.5, "c": None, "label": 1},
        {"x": None, "c": "", "label": 1},
        {"x": 1.0, "c": "2,3:1.0", "label": 1},
        {"x": 1.0, "c": "2", "label": 0},
    ]
    _, counts = run(table(rows, fill=200), config)
    assert set(counts) == {"train", "holdout"}


def test_old_histories_are_judged_by_their_own_time() -> None:
    frame = table([], fill=100)
    for name in ("event_time", "received_time", "label_received_time"):
        frame[name] = frame[name] - pd.Timedelta(days=4_000)
    _, counts = run(frame, loop_config())
    assert "segment without traffic" not in counts


def test_disputed_labels_and_old_segments_stay_when_the_file_says_so() -> None:
    config = loop_config(pool={"drop_conflicts": False, "relevance_days": 0})
    old = {"event_time": START - pd.Timedelta(days=200), "partition_key": "2024-01-01", "c": "gone"}
    _, counts = run(table([{"label_conflict": True}, old], fill=100), config)
    assert counts["train"] + counts["holdout"] == 102


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "x": st.sampled_from([None, 0.0, 1.0]),
                "label": st.sampled_from([None, 0, 1]),
                "label_status": st.sampled_from(["accepted", "pending", "rejected"]),
                "label_conflict": st.sampled_from([None, True, False]),
                "c": st.sampled_from([None, "a", "b'c"]),
            },
        ),
        max_size=40,
    )
)
def test_each_row_has_exactly_one_outcome(rows: list[dict[str, object]]) -> None:
    frame = table(rows, fill=3)
    pool, counts = run(frame, loop_config())
    assert sum(counts.values()) == len(frame)
    assert len(pool) == counts.get("train", 0) + counts.get("holdout", 0)
    assert pool["prediction_id"].is_unique


def test_training_takes_the_same_rows_in_any_order() -> None:
    config = loop_config(model={"max_rows": 100, "window_days": 10}, pool={"holdout_days": 5})
    pool, _ = run(table([], fill=900), config)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("p", pool)
        con.register("q", pool.sample(frac=1, random_state=1))
        first = con.execute(training_sql(config, "p")).df()
        again = con.execute(training_sql(config, "q")).df()
        held = con.execute(holdout_sql("p")).df()
    assert list(first["prediction_id"]) == list(again["prediction_id"])
    assert len(first) == 100
    assert set(first["split"]) == {"train"}
    assert first["partition_key"].min() >= "2024-01-15"
    assert set(held["split"]) == {"holdout"}


def test_fingerprints_follow_content_not_order() -> None:
    one = {
        "table": "t",
        "partitions": {"a": {"digest": "1", "rows": 2}, "b": {"digest": "2", "rows": 1}},
    }
    two = {"partitions": dict(reversed(list(one["partitions"].items()))), "table": "t"}  # type: ignore[attr-defined]
    assert fingerprint(one) == fingerprint(two)
    assert fingerprint(one) != fingerprint({**one, "table": "u"})


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        eligibility_sql(Sifting(loop_config(), "t", COLUMNS, KEYS, dt.datetime(2024, 1, 31)))  # noqa: DTZ001


def test_findings_leave_for_their_reason_and_counts_add_up() -> None:
    config = loop_config(
        trust={"weights": {"gossip": 0}, "judges": ["charge*", "person:*"]},
        pool={"holdout_days": 7},
    )
    late = START + pd.Timedelta(days=28)
    since, until = (dt.datetime(2024, 1, day, tzinfo=dt.UTC) for day in (5, 12))
    poisoned = Batch("label_source", ("web",), since, until)
    young = Batch("label_principal", ("new",), since, until, START + pd.Timedelta(days=3))
    frame = table(
        [
            {"label": 7},
            {"x": None, "c": None},
            {"label_source": "gossip"},
            {"label_principal": "bad"},
            {"label_source": "web", "label_received_time": since},
            {"label_source": "web", "label_received_time": until},
            {"label_source": "desk", "event_time": late, "partition_key": "2024-01-29"},
            {
                "label_source": "desk", "event_time": late, "partition_key": "2024-01-29",
                "label_principal": "person:ann",
            },
            {"label_source": "review"},
            {"label_principal": "new", "label_received_time": since},
            {"label_principal": "new", "label_received_time": since, "event_time": START, "partition_key": "2024-01-01"},
        ],
        fill=300,
    )  # fmt: skip
    refusals = Refusals(
        quarantined=("bad", "o'hara"),
        poisoned=(poisoned, young),
        untrusted=f"({trust_sql(config, 'feedback')}) <= 0",
    )
    pool, counts = run(frame, config, refusals=refusals)
    found = {name: n for name, n in counts.items() if name not in ("train", "holdout")}
    assert found == {
        "label the file does not know": 1,
        "no feature is known": 1,
        "not trusted": 1,
        "principal quarantined": 1,
        "fails the poisoning check": 2,
        "may not judge": 1,
    }
    assert sum(counts.values()) == len(frame)
    split = dict(zip(pool["prediction_id"], pool["split"], strict=True))
    assert (split["p00004"], split["p00007"], split["p00008"]) == ("train", "holdout", "train")


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("name", ["a", "z"])
@pytest.mark.parametrize("day", [0, 29])
@pytest.mark.parametrize(
    ("said", "judges"),
    [
        ({"label_source": "automatic"}, []),
        ({"label_source": "review", "label_principal": "person:ann"}, []),
        ({"label_source": "audit", "label_principal": "token:app"}, ["chargeback"]),
    ],
)
def test_what_may_not_judge_takes_no_row_out_of_the_hold_out(
    said: dict[str, object], judges: list[str], day: int, name: str, label: int
) -> None:
    config = loop_config(pool={"holdout_days": 3}, trust={"judges": judges})
    good = table([{"x": float(i % 60), "prediction_id": f"p{i:05d}"} for i in range(60)])
    _, before = run(good, config)
    held = good[good["event_time"] >= START + pd.Timedelta(days=27)].iloc[-1]
    moment = held["event_time"] if day == 29 else START
    own = {"prediction_id": name, "x": held["x"], "label": label, "event_time": moment}
    same = {"received_time": moment, "label_received_time": moment}
    other = table([own | same | said])
    pool, after = run(pd.concat([good, other], ignore_index=True), config)
    assert sum(after.values()) == 61
    assert after["holdout"] == before["holdout"]
    assert held["prediction_id"] in set(pool.loc[pool["split"] == "holdout", "prediction_id"])
    if day == 29:
        assert after["may not judge"] == 1


def test_of_equal_train_rows_the_one_that_judges_stays() -> None:
    good = table([], fill=90)
    first = good.iloc[0]
    same = {name: first[name] for name in ("x", "label", "event_time", "received_time")}
    other = table([{**same, "prediction_id": "a", "label_source": "automatic"}])
    pool, counts = run(pd.concat([good, other], ignore_index=True), loop_config())
    assert counts["duplicate row"] == 1
    assert first["prediction_id"] in set(pool["prediction_id"])
    assert "a" not in set(pool["prediction_id"])


def test_what_may_not_judge_in_held_out_time_disputes_no_train_row() -> None:
    good = table([], fill=90)
    last, first = START + pd.Timedelta(days=29), good.iloc[0]
    own = {"x": first["x"], "label": 1 - first["label"], "event_time": last, "received_time": last}
    other = table([{**own, "prediction_id": "a", "label_source": "review"}])
    config = loop_config(pool={"holdout_days": 3})
    _, before = run(good, config)
    _, after = run(pd.concat([good, other], ignore_index=True), config)
    assert after == {**before, "may not judge": 1}


def test_rows_that_judge_still_dispute_each_other() -> None:
    config = loop_config(pool={"holdout_days": 3})
    good = table([], fill=90)
    last = {"event_time": START + pd.Timedelta(days=29), "x": 7.5}
    twins = table([{**last, "label": 0}, {**last, "label": 1, "prediction_id": "z"}])
    twins.loc[0, "prediction_id"] = "y"
    _, counts = run(pd.concat([good, twins], ignore_index=True), config)
    assert counts["equal features, other label"] == 2


def test_limits_take_out_the_same_rows_in_any_order() -> None:
    names = ["flood"] * 150 + [f"p{i % 30:02d}" for i in range(150)]
    frame = table(
        [{"label_principal": name, "c": "k" if name == "flood" else "l"} for name in names]
    )
    config = loop_config(pool={"holdout_days": 3})
    limits = (Limit("label_principal", 20, OVER_CAP), Limit("label", 60, OVER_CLASS))
    found = [
        run(rows, config, refusals=Refusals(limits=limits))
        for rows in (frame, frame.sample(frac=1, random_state=1))
    ]
    (pool, counts), (again, _) = found
    assert set(pool["prediction_id"]) == set(again["prediction_id"])
    assert sum(counts.values()) == len(frame)
    train = pool[pool["split"] == "train"]
    flood = train[train["label_principal"] == "flood"]
    assert len(flood) <= 20
    assert flood["partition_key"].min() < KEYS[8] < KEYS[18] < flood["partition_key"].max()
    assert train["label"].value_counts().max() == 60
    assert counts[OVER_CAP] == ((frame["label_principal"] == "flood").sum() - 15 - 20)
    assert counts["holdout"] == 30


def test_immature_days_are_trained_on_and_never_held_out() -> None:
    config = loop_config(pool={"holdout_days": 3})
    refusals = Refusals(immature=KEYS[20:25], immature_counts="feedback.x < 200")
    pool, counts = run(table([], fill=300), config, KEYS[:20], refusals=refusals)
    young = pool[pool["partition_key"] >= KEYS[20]]
    assert set(young["split"]) == {"train"}
    assert (young["x"] < 200).all()
    assert len(young) == 30
    assert counts["its day is not mature"] == 300 - 200 - 30


def test_train_rows_weigh_what_is_asked_and_held_out_rows_one() -> None:
    config = loop_config(pool={"holdout_days": 3})
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("t", table([], fill=300))
        sifting = Sifting(config, "t", COLUMNS, KEYS, AS_OF, weight="CASE WHEN feedback.x < 9 THEN 5e-1 ELSE 1e0 END")  # fmt: skip
        pool = con.execute(eligibility_sql(sifting, "fa_weight * 2e0")).df()
    by_split = pool.groupby("split")["weight"].agg(["min", "max"])
    assert by_split.loc["train"].tolist() == [1.0, 2.0]
    assert by_split.loc["holdout"].tolist() == [1.0, 1.0]
