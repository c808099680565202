"""Tests of one file share its service, so they run in one worker of pytest-xdist."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Know the mark where the plugin that reads it is left out."""
    config.addinivalue_line("markers", "xdist_group(name): tests that run in one worker")
