import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["shape", "inference.names", "inference.draft", "inference.leaks"])
def test_examples_in_docstrings_are_true(name):
    module = importlib.import_module(f"feedback_assets.config.{name}")
    tried = doctest.testmod(module)
    assert tried.attempted > 0
    assert tried.failed == 0
