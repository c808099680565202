"""Proofs have a long form for `make chaos` and a short one that `make test` keeps honest."""

from typing import Any

import pytest

LONG = (pytest.mark.chaos, pytest.mark.slow)


def short_and_long(short: Any, long: Any) -> list[Any]:
    """One argument, in two forms."""
    return [pytest.param(short, id="short"), pytest.param(long, id="long", marks=LONG)]


def mutants(short: int, long: int, *names: str, shown: int = 1) -> list[Any]:
    """A mutant and its rounds: the first `shown` in the short form, all of them in the long one."""
    return [
        *(pytest.param(name, short, id=f"{name}-short") for name in names[:shown]),
        *(pytest.param(name, long, id=f"{name}-long", marks=LONG) for name in names),
    ]
