"""What scores promise is what happens where they are right."""

import numpy as np
import pytest

from feedback_assets.labels.expected import expected_losses
from feedback_assets.performance.metrics import losses


@pytest.mark.parametrize("metric", ["log_loss", "accuracy", "brier"])
def test_binary_promises_hold_where_scores_are_right(metric: str) -> None:
    rng = np.random.default_rng(0)
    score = rng.uniform(0.02, 0.98, 200_000)
    truth = (rng.random(score.size) < score).astype(int)
    promised = expected_losses("binary", metric, score, 0.4).mean()
    assert promised == pytest.approx(losses("binary", metric, truth, score, 0.4).mean(), abs=0.005)


@pytest.mark.parametrize("metric", ["log_loss", "accuracy", "brier"])
def test_multiclass_promises_hold_where_scores_are_right(metric: str) -> None:
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([1, 1, 1], 200_000)
    truth = (rng.random(len(scores))[:, None] > scores.cumsum(axis=1)).sum(axis=1)
    promised = expected_losses("multiclass", metric, scores).mean()
    assert promised == pytest.approx(losses("multiclass", metric, truth, scores).mean(), abs=0.005)
