"""The examples in the docstrings are true."""

import doctest
from types import ModuleType

import pytest

from feedback_assets.audit import beaten, words
from feedback_assets.commands import bundle


@pytest.mark.parametrize("module", [beaten, words, bundle])
def test_examples(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed
