"""Fixtures that several folders share."""

from collections.abc import Iterator

import pytest

from feedback_assets_tests.live import Live, living


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One served home for all tests that need one: a start costs half a minute of CPU."""
    with living(tmp_path_factory.mktemp("live")) as served:
        yield served
