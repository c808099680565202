"""The page of a replay says in words and figures what the curves show."""

import numpy as np
import pytest

from feedback_assets.config.schema import Config
from feedback_assets.querying.advice import Advice, advice
from feedback_assets.querying.replay import Curve
from feedback_assets.reports.advice_page import advice_page, advice_picture

LOOP = {
    "name": "tiny", "title": "tiny", "owners": ["team:a"], "kpi": {"name": "good"},
    "columns": {"numeric": ["a"]}, "label": {"kind": "binary"}, "partitions": {"start": "2024-01-01"},
}  # fmt: skip


@pytest.fixture
def found() -> Advice:
    budgets = np.array([100, 200, 400])
    random = Curve("random", budgets, np.array([[0.6, 0.5, 0.4], [0.62, 0.52, 0.42]]))
    better = Curve("<b>better", budgets, np.array([[0.6, 0.4, 0.3], [0.62, 0.42, 0.3]]))
    worse = Curve("worse", budgets, np.array([[0.6, 0.55, 0.5], [0.62, 0.58, 0.5]]))
    curves = {"random": random, "worse": worse, "<b>better": better}
    return advice(Config.model_validate(LOOP), curves, 900)


def test_every_way_stands_there_with_its_verdict(found: Advice) -> None:
    page = advice_page(found, advice_picture(found))
    assert page.index("better") < page.index("worse")
    assert "200" in page
    assert "over 400" in page
    assert "more than all" in page
    assert "data:image/png;base64," in page


def test_names_are_escaped(found: Advice) -> None:
    assert "<b>better" not in advice_page(found, advice_picture(found))


def test_the_picture_is_a_small_png(found: Advice) -> None:
    picture = advice_picture(found)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 60_000


def test_it_is_kept_as_plain_json(found: Advice) -> None:
    import json

    kept = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert kept["needed"][1]["labels"] is None
    assert kept["words"] == found.words
