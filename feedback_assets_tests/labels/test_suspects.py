"""Labels in doubt, whose they are, and rows that contradict each other."""

import duckdb
import numpy as np
import pandas as pd
import pytest

from feedback_assets.config.schema import Config
from feedback_assets.labels.conflicts import conflicts_sql, twin_share_sql
from feedback_assets.labels.far_off import FAR, far_off
from feedback_assets.labels.suspects import by_owner, suspects, wrong_share
from feedback_assets_tests.worlds import LOOP


def config(kind: str = "binary", **columns: object) -> Config:
    label = {"kind": kind, "max_delay_days": 3}
    return Config.model_validate(
        {**LOOP, "label": label, "columns": {**LOOP["columns"], **columns}}
    )


def labelled(rows: int = 400, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, rows)
    wrong = rng.random(rows) < np.where(np.arange(rows) % 4 == 0, 0.4, 0.02)
    positive = np.clip(np.where(truth == 1, 0.9, 0.1) + rng.normal(0, 0.05, rows), 0.01, 0.99)
    frame = pd.DataFrame(
        {
            "prediction_id": [f"r{i}" for i in range(rows)],
            "label": np.where(wrong, 1 - truth, truth),
            "label_source": ["app", None, "app", "app"] * (rows // 4),
            "label_principal": ["person:eve", None, "person:ann", None] * (rows // 4),
        }
    )
    return frame, np.column_stack([1 - positive, positive]), wrong


def mostly(found: pd.DataFrame, wrong: pd.Series) -> bool:
    """Only wrong ones are found, and nearly all of them."""
    return set(found["prediction_id"]) <= set(wrong) and len(found) >= 0.95 * len(wrong)


def test_doubtful_labels_with_what_they_should_be() -> None:
    frame, said, wrong = labelled()
    found = suspects(frame, said, ["0", "1"])
    assert mostly(found, frame["prediction_id"][wrong])
    assert (found["meant"].astype(int) == 1 - found["label"]).all()
    assert found["doubt"].is_monotonic_decreasing
    assert wrong_share(frame, said, ["0", "1"]) == pytest.approx(wrong.mean(), abs=0.01)


def test_owners_by_their_share_of_doubt() -> None:
    frame, said, _ = labelled()
    made = by_owner(frame, suspects(frame, said, ["0", "1"]))
    assert made["owner"][0] == "person:eve"
    assert made["share"][0] > 0.25
    assert set(made["owner"]) == {"person:eve", "unnamed", "person:ann", "app"}
    assert made["rows"].sum() == len(frame)


def test_classes_and_nothing() -> None:
    frame, said, wrong = labelled()
    named = frame.assign(label=np.array(["no", "yes"], dtype=object)[frame["label"]])
    found = suspects(named, said, ["no", "yes"])
    assert mostly(found, frame["prediction_id"][wrong])
    empty = suspects(frame.head(0), said[:0], ["0", "1"])
    assert list(empty.columns[-2:]) == ["meant", "doubt"]
    assert np.isnan(wrong_share(frame.head(0), said[:0], ["0", "1"]))


def test_slipped_decimals_are_found() -> None:
    """Errors that grow with the number: what is far off among the small is nothing among the large."""
    rng = np.random.default_rng(1)
    expected = np.exp(rng.uniform(0, 6, 2_000))
    label = expected * np.exp(rng.normal(0, 0.2, 2_000))
    slipped = rng.choice(2_000, 20, replace=False)
    label[slipped] *= 10
    away = far_off(label, expected)
    assert (away[slipped] > FAR).all()
    assert (np.delete(away, slipped) > FAR).sum() <= 2
    frame = pd.DataFrame({"prediction_id": np.arange(2_000).astype(str), "label": label})
    found = suspects(frame, expected[:, None], [])
    assert set(slipped.astype(str)) <= set(found["prediction_id"])
    assert found["doubt"].between(0, 1).all()


def test_exact_answers_do_not_divide_by_nothing() -> None:
    assert np.isfinite(far_off(np.ones(50), np.ones(50))).all()
    assert far_off(np.zeros(0), np.zeros(0)).shape == (0,)


def pool(*rows: tuple[object, ...]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["prediction_id", "size", "speed", "colour", "label"])


def test_equal_features_other_label() -> None:
    rows = pool(
        ("a", 1.0, None, "red", 1), ("b", 1.0, None, "red", 0), ("c", 1.0, None, "red", 1),
        ("d", 2.0, 5.0, "red", 1), ("e", 2.0, 5.0, "red", 1), ("f", 3.0, 5.0, "x", 0),
        ("g", 3.0, 5.0, "x", None),
    )  # fmt: skip
    con = duckdb.connect()
    con.register("pool", rows.astype({"label": "Int64"}))
    (found,) = con.execute(conflicts_sql(config(), "pool")).df().to_dict("records")
    assert found["ids"].tolist() == ["a", "b", "c"]
    assert (found["rows"], found["labels"], found["said"]) == (3, 2, "0: 1, 1: 2")
    assert found["features"] == "size 1.0, speed null, colour red"
    assert con.execute(twin_share_sql(config(), "pool")).fetchone() == (pytest.approx(5 / 6),)


def test_numbers_conflict_when_far_apart() -> None:
    rows = pool(*((f"r{i}", float(i // 2), 1.0, "red", float(i)) for i in range(20)),
                ("x", 50.0, 1.0, "red", 0.0), ("y", 50.0, 1.0, "red", 19.0))  # fmt: skip
    con = duckdb.connect()
    con.register("pool", rows)
    (found,) = con.execute(conflicts_sql(config("regression"), "pool")).df().to_dict("records")
    assert found["ids"].tolist() == ["x", "y"]


def test_hostile_names_stay_text() -> None:
    evil = """x'; DROP TABLE "pool"; --"""
    rows = pool((evil, 1.0, 1.0, evil, 1), ("b", 1.0, 1.0, evil, 0))
    con = duckdb.connect()
    con.register("pool", rows)
    (found,) = con.execute(conflicts_sql(config(), "pool")).df().to_dict("records")
    assert evil in found["features"]
    assert evil in found["ids"]
