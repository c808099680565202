"""Truth that is known of some rows only: weighted without bias where the chance is known, else said."""

import numpy as np
import pandas as pd
import pytest

from feedback_assets.config.schema import Config
from feedback_assets.labels.selection import (
    is_weighted,
    known_when_sql,
    selection_draw_sql,
    selection_weight_sql,
    selection_weights,
    selection_words,
)
from feedback_assets_tests.labels.delays import asked, loop


def selective(propensity: str = "logged", when: str = "prediction = 1") -> Config:
    return loop(label={"selective": {"known_when": when, "propensity": propensity}})


def loans(seed: int, n: int = 4_000) -> pd.DataFrame:
    """Loans are granted with a logged chance that falls with the risk of loss; truth follows them."""
    rng = np.random.default_rng(seed)
    risk = rng.random(n)
    chance = 0.1 + 0.8 * (1 - risk)
    granted = rng.random(n) < chance
    lost = rng.random(n) < risk
    return pd.DataFrame(
        {
            "prediction": granted.astype(int),
            "propensity": np.where(granted, chance, 1 - chance),
            "risk": risk,
            "truth": lost.astype(int),
            "label": np.where(granted, lost, np.nan),
        }
    )


def test_the_loss_of_all_is_told_from_those_that_were_granted() -> None:
    weight = selection_weight_sql(selective())
    plain, weighed, true = [], [], []
    for seed in range(25):
        rows = loans(seed)
        found = asked(
            rows,
            f"SELECT label, ({weight}) AS w, (risk - label) * (risk - label) AS loss FROM t "
            "WHERE label IS NOT NULL",
        )
        plain.append(found["label"].mean())
        weighed.append(np.average(found["label"], weights=found["w"]))
        true.append(rows["truth"].mean())
    error = np.array(weighed) - np.array(true)
    assert np.mean(plain) < np.mean(true) - 0.1
    assert abs(error.mean()) < 3 * error.std() / np.sqrt(25)


def test_a_model_learned_by_weights_is_that_of_all_rows() -> None:
    from sklearn.linear_model import LogisticRegression

    rows = loans(7, 40_000)
    # Too simple a model, so that it matters which rows it fits.
    rows["step"] = (rows["risk"] > 0.5).astype(int)
    known = asked(
        rows, f"SELECT *, {selection_weight_sql(selective())} AS w FROM t WHERE label IS NOT NULL"
    )

    def fitted(frame: pd.DataFrame, y: str, w: np.ndarray | None) -> np.ndarray:
        model = LogisticRegression(C=1e4).fit(frame[["step"]], frame[y].astype(int), w)
        return np.asarray(model.predict_proba(pd.DataFrame({"step": [0, 1]}))[:, 1])

    best = fitted(rows, "truth", None)
    ours = fitted(known, "label", known["w"].to_numpy())
    naive = fitted(known, "label", None)
    assert np.abs(ours - best).max() < 0.015
    assert np.abs(naive - best).max() > 0.04


def test_labels_without_a_known_chance_weigh_nothing() -> None:
    rows = pd.DataFrame(
        {
            "prediction": [1, 1, 1, 0, 1, 1],
            "propensity": [0.5, 1.0, None, 0.5, 0.0, 1.5],
        }
    )
    found = asked(rows, f"SELECT {selection_weight_sql(selective(), 't')} AS w FROM t")
    assert found["w"].tolist() == [2.0, 1.0, 0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("config", [loop(), selective("none")])
def test_without_logged_chances_nothing_is_weighted(config: Config) -> None:
    assert not is_weighted(config)
    assert selection_weight_sql(config, "f") == "1e0"


def test_what_cannot_be_known_is_said() -> None:
    assert selection_words(loop()) == ""
    assert known_when_sql(loop()) == "TRUE"
    none = selection_words(selective("none"), 200, 74)
    assert none.startswith("truth becomes known only where prediction = 1, 37% of 200 rows")
    assert "nothing is known of the others" in none
    assert "inverse of the logged chance" in selection_words(selective())


def test_rows_drawn_for_a_trial_are_a_fair_sample_again() -> None:
    config = selective()
    shares = []
    for seed in range(12):
        rows = loans(seed).assign(prediction_id=[f"{seed}-{i}" for i in range(4_000)])
        drawn = asked(
            rows,
            f"SELECT * FROM t WHERE label IS NOT NULL AND {selection_draw_sql(config, 't')}",
        )
        granted = rows["label"].notna()
        expected = (1 / rows.loc[granted, "propensity"]).sum() / config.pool.max_weight
        assert len(drawn) == pytest.approx(expected, abs=4 * np.sqrt(expected))
        shares.append(drawn["label"].mean() - rows["truth"].mean())
    assert abs(np.mean(shares)) < 3 * np.std(shares) / np.sqrt(12)
    assert selection_draw_sql(loop(), "t") == "TRUE"


def test_rows_of_the_pool_weigh_the_inverse_of_their_chance() -> None:
    rows = pd.DataFrame({"propensity": [0.5, 0.01, None, 0.0, 1.0]})
    found = selection_weights(selective(), rows)
    assert found is not None
    assert found.tolist() == [2.0, 10.0, 0.0, 0.0, 1.0]
    assert selection_weights(loop(), rows) is None
    assert selection_weights(selective("none"), rows) is None
