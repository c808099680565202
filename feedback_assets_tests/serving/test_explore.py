from pathlib import Path

import pytest
from scipy.stats import chisquare

from feedback_assets.errors import ConfigError
from feedback_assets.serving.explore import Explorer
from feedback_assets_tests.serving.conftest import MakeEngine
from feedback_assets_tests.serving.shop import CLASSES, Shop

N = 30_000


def explorer(home: Path, epsilon: float, kind: str = "multiclass") -> Explorer:
    serve = {"exploration": {"epsilon": epsilon}}
    return Explorer(Shop(home, kind, serve).config)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
@pytest.mark.parametrize("epsilon", [0.0, 0.1, 1.0])
def test_propensities_are_the_frequencies_and_sum_to_one(
    tmp_path: Path, kind: str, epsilon: float
) -> None:
    made = explorer(tmp_path / "home", epsilon, kind)
    classes: list[int] | list[str] = CLASSES if kind == "multiclass" else [0, 1]
    greedy = classes[1]
    choices = [made.choose(f"p{i}", greedy) for i in range(N)]
    share = epsilon / len(classes)
    exact = [share + (1 - epsilon) * (name == greedy) for name in classes]
    assert sum(exact) == pytest.approx(1)
    assert {c.prediction: c.propensity for c in choices} == pytest.approx(
        {name: p for name, p in zip(classes, exact, strict=True) if p}
    )
    seen = [sum(c.prediction == name for c in choices) for name in classes]
    if epsilon:
        assert chisquare(seen, [p * N for p in exact]).pvalue > 1e-4
    assert abs(sum(c.explored for c in choices) / N - epsilon) < 0.01


def test_a_retry_is_answered_alike_and_another_id_is_drawn_anew(tmp_path: Path) -> None:
    one, two = explorer(tmp_path / "a", 0.5), explorer(tmp_path / "b", 0.5)
    ids = [f"p{i}" for i in range(200)]
    said = [one.choose(i, "buy") for i in ids]
    assert said == [two.choose(i, "buy") for i in ids]
    assert len({c.prediction for c in said}) == 3


def test_a_regression_cannot_explore(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"serve\.exploration\.epsilon"):
        Shop(tmp_path / "home", "regression", {"exploration": {"epsilon": 0.1}})


def test_answers_carry_arm_propensity_and_the_score_of_what_was_chosen(
    tmp_path: Path, engine_of: MakeEngine
) -> None:
    shop = Shop(tmp_path / "home", "multiclass", {"exploration": {"epsilon": 0.3}})
    shop.train(1)
    shop.publish(1)
    engine = engine_of(shop)
    rows, ids = shop.rows(400), [f"p{i}" for i in range(400)]
    answers = engine.answer(rows, ids, ids)
    explored = [a for a in answers if a.arm == "explore"]
    assert 60 < len(explored) < 180
    assert engine.state().counts["explored"] == len(explored)
    for answer in answers:
        scores = answer.class_scores or {}
        greedy = max(scores, key=lambda name: scores[name])
        assert answer.score == scores[str(answer.prediction)]
        assert answer.propensity == pytest.approx(0.8 if answer.prediction == greedy else 0.1)
        assert answer.arm == "explore" or answer.prediction == greedy
    assert engine.answer(rows, ids, ids) == answers
