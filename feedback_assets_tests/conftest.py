"""Fixtures that several folders share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from feedback_assets_tests.live import Live


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Live]":
    """One served home for all tests that need one: a start costs half a minute of CPU."""
    from feedback_assets_tests.live import living  # Dagster is not for every test

    with living(tmp_path_factory.mktemp("live")) as served:
        yield served
