from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_assets.review.store import ReviewStore, store_path
from feedback_assets_tests.review.labelstudio.errands import Errands
from feedback_assets_tests.review.labelstudio.simulated import PERSONAL, Studio, running


@pytest.fixture
def studio() -> Iterator[Studio]:
    with running() as one:
        yield one


@pytest.fixture
def store(tmp_path: Path) -> ReviewStore:
    return ReviewStore(store_path(tmp_path, "tiny"))


@pytest.fixture
def errands(
    studio: Studio, store: ReviewStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Errands]:
    monkeypatch.setenv("LABEL_STUDIO_TOKEN", PERSONAL)
    own = Errands(studio, store, tmp_path)
    yield own
    own.close()
