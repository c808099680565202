"""The loop with a past, once for all tests that only read it."""

import pytest

from feedback_assets.assets.space import LoopSpace
from feedback_assets_tests.audit.scenes import past

FAIR = {"fairness": {"min_disparate_impact": 0.8, "max_equal_opportunity_difference": 0.1}}


@pytest.fixture(scope="session")
def space(tmp_path_factory: pytest.TempPathFactory) -> LoopSpace:
    return past(tmp_path_factory.mktemp("past"), columns={"protected": ["sex"]}, gate=FAIR)
