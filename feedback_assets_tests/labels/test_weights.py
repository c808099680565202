"""Weights have a mean of 1, are cut, and do not depend on the order of rows."""

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.config.schema import Config
from feedback_assets.labels.reweigh import cell_sql, values_of
from feedback_assets.labels.weights import (
    UNIT,
    asked_sql,
    confidence_sql,
    scale_of,
    trust_sql,
)
from feedback_assets_tests.promotion.loops import loop_config

CELLS = st.lists(st.tuples(st.integers(1, 5_000_000), st.integers(1, 400)), min_size=1, max_size=30)


def counts_of(cells: list[tuple[int, int]]) -> pd.DataFrame:
    return pd.DataFrame(cells, columns=["units", "n"]).assign(cell="")


def weights(config: Config, rows: pd.DataFrame) -> np.ndarray:
    """What `Scale.sql` gives rows with `fa_weight` and the columns of a cell."""
    with duckdb.connect() as con:
        con.register("t", rows)
        cell = cell_sql(config) if config.pool.reweigh or config.gate.fairness else "''"
        counts = con.execute(
            f"""SELECT CAST(ROUND(fa_weight * {UNIT}) AS BIGINT) AS units, {cell} AS cell,
                COUNT(*) AS n FROM t GROUP BY 1, 2 ORDER BY 1, 2"""
        ).df()
        scale = scale_of(counts, config)
        found = con.execute(f"SELECT {scale.sql(config)} AS w FROM t").fetchall()
    return np.array([w for (w,) in found])


@settings(deadline=None)
@given(CELLS, st.floats(1.0, 20))
def test_the_mean_is_one_and_nothing_is_above_the_limit(
    cells: list[tuple[int, int]], most: float
) -> None:
    config = loop_config(pool={"max_weight": most})
    scale = scale_of(counts_of(cells), config)
    if scale.even:
        assert len({units for units, _ in cells}) == 1 or np.ptp([u for u, _ in cells]) < 1e-3
        return
    raw = np.array([units for units, _ in cells]) / UNIT
    n = np.array([rows for _, rows in cells])
    weight = np.minimum(raw * scale.factor, most)
    assert (n @ weight) / n.sum() == pytest.approx(1.0)
    assert scale.effective <= n.sum() * (1 + 1e-9)


def test_equal_weights_are_exactly_one() -> None:
    scale = scale_of(counts_of([(300_000, 10), (300_000, 5)]), loop_config())
    assert (scale.even, scale.sql(loop_config())) == (True, "1e0")


def test_without_train_rows_there_is_nothing_to_scale() -> None:
    assert scale_of(counts_of([]), loop_config()).even


def row(config: Config, sql: str, **values: Any) -> float:
    with duckdb.connect() as con:
        names = ", ".join(
            f"CAST(? AS {'DOUBLE' if isinstance(v, float) else 'VARCHAR'}) AS {n}"
            for n, v in values.items()
        )
        found = con.execute(f"SELECT {sql} FROM (SELECT {names}) AS f", [*values.values()])
        (value,) = found.fetchone() or (None,)
    assert value is not None
    return float(value)


@pytest.mark.parametrize(
    ("source", "principal", "weight"),
    [
        ("web", "token:web", 0.3),
        ("web", "token:blog", 0.5),
        ("desk", "person:ann", 0.9),
        (None, None, 0.9),
        ("automatic", None, 0.9 * 0.2),
    ],
)
def test_the_smallest_weight_that_fits_counts(
    source: str | None, principal: str | None, weight: float
) -> None:
    config = loop_config(
        trust={"weights": {"web": 0.5, "token:*": 0.6, "token:w?b": 0.3}, "default": 0.9},
        review={"automatic": {}},
    )
    found = row(config, trust_sql(config, "f"), label_source=source, label_principal=principal)
    assert found == pytest.approx(weight)


def test_confidence_and_the_chance_to_be_asked() -> None:
    config = loop_config()
    assert row(config, confidence_sql("f"), label_confidence=0.25) == 0.25
    assert row(config, confidence_sql("f").replace("f.label_confidence", "NULL"), x=1.0) == 1.0
    asked = asked_sql("f", 1.0, 4.0)
    ann, app = {"label_principal": "person:ann"}, {"label_principal": "token:app"}
    assert row(config, asked, label_source="review", asked_probability=0.05, **ann) == 5.0
    assert row(config, asked, label_source="audit", asked_probability=0.5, **ann) == 0.5
    assert row(config, asked, label_source="audit", asked_probability=0.5, **app) == 1.0
    assert row(config, asked, label_source="desk", asked_probability=0.05, **ann) == 1.0
    root = asked_sql("f", 0.5, 1.0)
    assert row(config, root, label_source="review", asked_probability=0.25, **ann) == 2.0


def test_who_calls_his_labels_audit_is_not_trusted_like_people() -> None:
    config = loop_config(trust={"weights": {"audit": 0.5}, "default": 0.25})
    found = [
        row(config, trust_sql(config, "f"), label_source="audit", label_principal=who)
        for who in ("people", "person:ann", "token:app", None)
    ]
    assert found == [0.5, 0.5, 0.25, 0.25]


def test_reweighing_makes_label_and_attribute_independent_whatever_else_weighs() -> None:
    rng = np.random.default_rng(2)
    sex = rng.choice(["f", "m", None], 4_000, p=[0.3, 0.6, 0.1])
    label = (rng.random(4_000) < np.where(sex == "m", 0.6, 0.2)).astype(int)
    rows = pd.DataFrame({"sex": sex, "label": label, "fa_weight": rng.choice([0.5, 1.0], 4_000)})
    config = loop_config(columns={"protected": ["sex"]}, pool={"reweigh": ["sex"]})
    rows["w"] = weights(config, rows)
    assert rows["w"].mean() == pytest.approx(1.0, abs=1e-5)
    table = rows.assign(sex=rows["sex"].fillna("?")).pivot_table(
        index="sex", columns="label", values="w", aggfunc="sum"
    )
    rates = table[1] / table.sum(axis=1)
    assert rates.max() - rates.min() < 1e-4
    # The marginal share of the label stays what the other weights say.
    assert rates.iloc[0] == pytest.approx(np.average(label, weights=rows["fa_weight"]), abs=1e-4)
    shuffled = rows.drop(columns="w").sample(frac=1, random_state=1)
    assert (weights(config, shuffled) == rows.loc[shuffled.index, "w"].to_numpy()).all()


def test_the_attributes_of_the_fairness_gate_are_reweighed_where_the_file_names_none() -> None:
    rows = pd.DataFrame(
        {"sex": ["f", "m"] * 50, "label": [0, 1] * 45 + [1, 0] * 5, "fa_weight": 1.0}
    )
    fair = loop_config(columns={"protected": ["sex"]}, gate={"fairness": {"attributes": ["sex"]}})
    assert len(set(weights(fair, rows))) == 2
    assert set(weights(loop_config(columns={"protected": ["sex"]}), rows)) == {1.0}


@given(st.lists(st.none() | st.text("a,:-1", max_size=6), min_size=1, max_size=4))
def test_cells_are_read_back(values: list[str | None]) -> None:
    cell = ",".join("-" if v is None else f"{len(v)}:{v}" for v in values)
    assert values_of(cell) == values
