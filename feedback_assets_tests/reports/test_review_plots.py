"""Pictures of what people are asked."""

import io

import pytest
from PIL import Image

from feedback_assets.reports.plots import MAX_BYTES
from feedback_assets.reports.review_plots import asked_for, batches_done

DAYS = [f"2024-01-{day:02d}" for day in range(1, 31)]
COUNTS = {"done": [10] * 30, "open": [1] * 30, "withdrawn": [0] * 30}


@pytest.mark.parametrize(
    "png",
    [
        asked_for({"audit": 8, "entropy": 16, "$x^$": 1}),
        asked_for({}),
        batches_done(DAYS, COUNTS),
        batches_done([], {}),
    ],
)
def test_pictures_are_small_and_can_be_opened(png: bytes) -> None:
    assert len(png) <= MAX_BYTES
    with Image.open(io.BytesIO(png)) as image:
        assert image.width == 700


def test_bars_follow_the_counts() -> None:
    assert batches_done(DAYS, COUNTS) != batches_done(DAYS, COUNTS | {"open": [5] * 30})
    assert asked_for({"audit": 1, "entropy": 9}) != asked_for({"audit": 9, "entropy": 1})
