"""What the loop's YAML says of one column of a row, as the door checks it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from feedback_assets.config.schema import ColumnRule, Config
from feedback_assets.errors import ConfigError

FLOAT32 = float(np.finfo(np.float32).max)
"""Models read 32-bit floats: what they cannot hold is no value."""
PREDICTION_ID = r"^[A-Za-z0-9_.:~@-]{1,128}$"


@dataclass(frozen=True)
class Column:
    """One feature or carried column."""

    name: str
    numeric: bool
    required: bool
    low: float = -FLOAT32
    high: float = FLOAT32
    texts: frozenset[str] | None = None
    """The only allowed texts."""
    numbers: frozenset[float] | None = None
    """The only allowed numbers."""

    def fault(self, value: object) -> str | None:
        """What is wrong with a value; None when it fits."""
        if value is None:
            return "must not be null" if self.required else None
        if self.numeric:
            return self._number_fault(value)
        if not isinstance(value, str):
            return "must be a text"
        if "\x00" in value:
            return "must not hold the character NUL"
        if self.texts is not None and value not in self.texts:
            return "is not one of the allowed values"
        return None

    def _number_fault(self, value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "must be a number"
        if isinstance(value, int) and abs(value) > sys.float_info.max:
            return "is too large for a number"
        number = float(value)
        if not -FLOAT32 <= number <= FLOAT32:
            return "is too large for a 32-bit number"
        if number < self.low:
            return f"must be at least {self.low:g}"
        if number > self.high:
            return f"must be at most {self.high:g}"
        if self.numbers is not None and number not in self.numbers:
            return "is not one of the allowed values"
        return None


def columns_of(config: Config) -> dict[str, Column]:
    """Every feature and carried column, by name.

    Raises:
        ConfigError: A rule does not fit its column's kind.
    """
    said = config.columns
    return {
        name: _column(name, said.kind_of(name) == "numeric", said.rules)
        for name in [*said.features, *said.carried]
    }


def _column(name: str, numeric: bool, rules: Mapping[str, ColumnRule]) -> Column:
    rule = rules.get(name, ColumnRule())
    where = f"columns.rules.{name}"
    if not numeric:
        if rule.min is not None or rule.max is not None:
            raise ConfigError(f"{where}: min and max fit numeric columns only; use allowed")
        texts = None if rule.allowed is None else frozenset(rule.allowed)
        return Column(name, False, rule.required, texts=texts)
    numbers = None
    if rule.allowed is not None:
        try:
            numbers = frozenset(float(text) for text in rule.allowed)
        except ValueError as error:
            raise ConfigError(f"{where}.allowed: {error}; the column is numeric") from error
    return Column(
        name,
        True,
        rule.required,
        -FLOAT32 if rule.min is None else max(rule.min, -FLOAT32),
        FLOAT32 if rule.max is None else min(rule.max, FLOAT32),
        numbers=numbers,
    )
