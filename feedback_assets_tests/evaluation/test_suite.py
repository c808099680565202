"""The whole suite, for every kind of label, with and without a champion."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as oracle

from feedback_assets.config.schema import Config
from feedback_assets.errors import GateError, TrainingError
from feedback_assets.evaluation.suite import Versions, examine, suite_digest, suite_text
from feedback_assets.promotion.resample import statistic_of
from feedback_assets.promotion.scores import evaluation_digest
from feedback_assets.promotion.segments import Estimate, segment_results
from feedback_assets_tests.evaluation.examples import config, rows, trained

KINDS = ("binary", "multiclass", "regression")
TOP = {
    "schema", "loop", "metric", "loss", "confidence", "as_of", "champion", "candidate", "rows",
    "evaluation_digest", "days", "unscored", "overall", "segments", "calibration", "churn",
    "fairness", "latency", "size", "robustness", "importance", "all_features", "ablation",
    "played_rows",
}  # fmt: skip


def suite(
    kind: str = "binary", champion: bool = True, n: int = 300, **options: Any
) -> dict[str, Any]:
    versions = Versions("12", "9" if champion else None)
    before = trained(kind, 60) if champion else None
    made = options.pop("config", None) or config(kind)
    frame = options.pop("frame", rows(n, kind, 5))
    return examine(made, frame, before, trained(kind, 400, 2), versions=versions, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("champion", [True, False])
def test_a_suite_is_plain_json_with_every_part(kind: str, champion: bool) -> None:
    found = suite(kind, champion)
    assert set(found) == TOP
    assert json.loads(suite_text(found)) == found
    assert (found["champion"] is None) == (not champion)
    assert (found["churn"] is None) == (not champion)
    assert (found["calibration"] is None) == (kind == "regression")
    assert len(found["fairness"]) == {"binary": 1, "multiclass": 3, "regression": 0}[kind]
    assert found["rows"] == sum(day["rows"] for day in found["days"].values()) == 300
    assert {s["column"] for s in found["segments"]} == {"region", "c", "region × c"}  # noqa: RUF001
    if not champion:
        assert {s["verdict"] for s in found["segments"]} == {"shown only"}
        assert found["overall"][found["metric"]]["improvement"] is None
        assert found["latency"]["champion"] is None
        assert found["size"]["champion"] is None
    for part in ("candidate", "champion") if champion else ("candidate",):
        assert all(entry[part] is not None for entry in found["importance"])
        assert all(entry[f"{part}_increase"] is not None for entry in found["robustness"])


def test_metrics_are_those_of_scikit_learn() -> None:
    frame = rows(300, seed=5).sort_values("prediction_id")
    found, y = suite()["overall"], frame["label"]
    p = trained("binary", 400, 2).score(frame).score
    q = trained("binary", 60).score(frame).score
    for name, measured in {
        "log_loss": oracle.log_loss, "brier": oracle.brier_score_loss, "roc_auc": oracle.roc_auc_score,
    }.items():  # fmt: skip
        assert found[name]["candidate"] == pytest.approx(measured(y, p))
        assert found[name]["champion"] == pytest.approx(measured(y, q))
    assert found["accuracy"]["candidate"] == pytest.approx(oracle.accuracy_score(y, p >= 0.5))
    assert found["f1"]["candidate"] == pytest.approx(oracle.f1_score(y, p >= 0.5))


def test_improvement_and_segments_are_those_of_the_statistics() -> None:
    """One number everywhere: the page can not say other than the gate."""
    frame = rows(300, seed=5).sort_values("prediction_id")
    made, y = config(), frame["label"].to_numpy(float)
    before, after = (
        m.score(frame).score for m in (trained("binary", 60), trained("binary", 400, 2))
    )
    statistic = statistic_of("log_loss", made.label, y, before, after)
    whole = Estimate.of(statistic, made, made.gate.resamples)
    pair = frame["region"] + " × " + frame["c"]  # noqa: RUF001
    columns = {"region": frame["region"], "c": frame["c"], "region × c": pair}  # noqa: RUF001
    parts = segment_results(y, before, after, made, columns)
    found = suite()
    main = found["overall"]["log_loss"]
    assert (main["improvement"], main["lower"], main["upper"]) == pytest.approx(
        (whole.improvement, whole.lower, whole.upper)
    )
    assert found["evaluation_digest"] == evaluation_digest(frame["prediction_id"], frame["label"])
    mine = [(s["value"], s["rows"], s["verdict"], s["lower"]) for s in found["segments"]]
    assert mine == [(s.value, s.rows, s.verdict, pytest.approx(s.lower)) for s in parts]


def test_own_intervals_hold_their_metric() -> None:
    for held in suite()["overall"].values():
        assert held["candidate_lower"] < held["candidate"] < held["candidate_upper"]
        assert held["champion_lower"] < held["champion"] < held["champion_upper"]


def test_digest_depends_on_rows_and_models_only() -> None:
    first = suite()
    assert suite_digest(first) == suite_digest(
        suite(frame=rows(300, seed=5).sample(frac=1, random_state=3))
    )
    slower = {**first, "latency": {"champion": None, "candidate": {"p95_ms": 9e9}}}
    fatter = {
        **first,
        "size": {**first["size"], "candidate": {**first["size"]["candidate"], "memory_mb": 99.0}},
    }
    assert suite_digest(slower) == suite_digest(fatter) == suite_digest(first)
    flipped = rows(300, seed=5)
    flipped.loc[7, "label"] = 1 - flipped.loc[7, "label"]
    larger = {**first, "size": {**first["size"], "candidate": {"file_mb": 1.0, "memory_mb": None}}}
    others = [suite(frame=flipped), suite(n=299), suite(champion=False), larger]
    assert len({suite_digest(s) for s in [first, *others]}) == 5


def test_a_model_against_itself_is_refused() -> None:
    with pytest.raises(GateError, match="one model"):
        examine(config(), rows(50), trained(), trained(), versions=Versions("2", "1"))


def test_rows_that_can_not_be_examined_are_named() -> None:
    candidate, named = trained(), Versions("1")
    with pytest.raises(GateError, match="no usable label"):
        examine(config(), rows(5).assign(label=[0, 1, None, 0, 1]), None, candidate, versions=named)
    with pytest.raises(TrainingError, match="noise"):
        examine(config(), rows(50).drop(columns="noise"), None, candidate, versions=named)
    with pytest.raises(GateError, match="segment columns region"):
        examine(
            config(performance={"segment_pairs": []}),
            rows(50).drop(columns="region"),
            None,
            candidate,
            versions=named,
        )
    with pytest.raises(GateError, match="protected attributes sex"):
        examine(config(), rows(50).drop(columns="sex"), None, candidate, versions=named)


def test_no_score_means_not_known_never_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """A candidate that answers NaN on one row has no metric, and says on how many rows."""
    candidate, answer = trained("binary", 400, 2), type(trained()).score

    def broken(self: Any, frame: Any) -> Any:
        scores = answer(self, frame)
        if self is candidate and len(frame) > 1:
            scores.score[0] = np.nan
        return scores

    monkeypatch.setattr(type(candidate), "score", broken)
    found = suite()
    assert found["unscored"] == {"champion": 0, "candidate": 1}
    main = found["overall"]["log_loss"]
    assert main["candidate"] is None
    assert main["improvement"] is None
    assert main["lower"] is None
    assert main["champion"] is not None
    assert found["churn"]["negative_flips"] is None
    assert all(s["candidate_increase"] is None for s in found["robustness"])
    json.loads(suite_text(found))


def test_it_tells_what_it_does_and_plays_on_a_sample() -> None:
    told: list[str] = []
    made: Config = config(evaluation={"max_rows": 100, "latency_rows": 20, "repeats": 2})
    found = suite(config=made, tell=told.append)
    assert found["played_rows"] == 100
    assert found["rows"] == 300
    assert any("importance of 4 feature groups" in words for words in told)
    assert suite_digest(found) == suite_digest(suite(config=made))


def test_one_row_of_one_class_is_examined_without_a_crash() -> None:
    found = suite(n=1)
    assert found["rows"] == 1
    assert found["overall"]["roc_auc"]["candidate"] is None
    assert found["fairness"][0]["disparate_impact"]["candidate"]["value"] is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("champion", [True, False])
def test_without_rows_nothing_is_known(kind: str, champion: bool) -> None:
    """A candidate must not get stuck, nor through, because its rows are used up."""
    found = suite(kind, champion, frame=rows(5, kind).iloc[:0])
    assert found["rows"] == 0
    assert found["days"] == {}
    assert found["segments"] == []
    assert all(value is None for held in found["overall"].values() for value in held.values())
    assert found["latency"]["candidate"] == {
        "p50_ms": None,
        "p95_ms": None,
        "p99_ms": None,
        "rows": 0,
    }
    assert all(s["candidate_increase"] is None for s in found["robustness"] if s["columns"])
    assert all(e["candidate"] is None for e in found["importance"] + found["ablation"])
    assert suite_digest(found) == suite_digest(json.loads(suite_text(found)))


def test_every_key_is_explained() -> None:
    told = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text("utf-8")
    table = told.split("## What to know")[0]
    assert {key for key in TOP if f"`{key}`" not in table} == set()
