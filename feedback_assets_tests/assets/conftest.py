"""A world for each test."""

from pathlib import Path

import pytest

from feedback_assets_tests.worlds import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
