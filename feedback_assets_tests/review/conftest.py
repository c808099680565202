from pathlib import Path

import pytest

from feedback_assets.review.store import ReviewStore, store_path


@pytest.fixture
def store(tmp_path: Path) -> ReviewStore:
    return ReviewStore(store_path(tmp_path, "tiny"))
