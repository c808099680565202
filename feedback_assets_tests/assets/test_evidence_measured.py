"""What a day proves of the model's loss, while labels are still to come."""

import pytest

from feedback_assets.assets.evidence import _measured
from feedback_assets.policy.evidence import PerformanceDay
from feedback_assets.policy.losses import certain_loss

TOLD = {"realised_log_loss": 0.6, "realised_log_loss_low": 0.58, "realised_log_loss_high": 0.62}


def loss(**more: float) -> float | None:
    measured = dict(_measured({**TOLD, **more}, "realised", ["log_loss"]))
    day = PerformanceDay("2024-01-01", realised=measured, expected={"log_loss": 0.5})
    return certain_loss(day, "realised", "log_loss")


def test_quick_labels_alone_prove_no_loss() -> None:
    assert loss() == pytest.approx(0.16)
    early = {"realised_log_loss_low_mature": 0.45, "realised_log_loss_high_mature": 0.6}
    assert loss(**early) == pytest.approx(-0.1)


def test_a_loss_that_the_missing_labels_cannot_undo_counts() -> None:
    late = {"realised_log_loss_low_mature": 0.59, "realised_log_loss_high_mature": 0.7}
    assert loss(**late) == pytest.approx(0.16)
