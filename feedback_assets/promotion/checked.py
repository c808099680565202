"""What a gate looks at and what it says."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feedback_assets.config.schema import Config


@dataclass(frozen=True)
class LabelAudit:
    """Labels that auditors gave again, beside the ones that had been there."""

    rows: int
    """Rows with both."""
    right: int
    """Rows on which both agree."""


@dataclass(frozen=True)
class GateFacts:
    """What gates need beside the evaluation; None where it is not known."""

    parity: float | None
    """Largest difference between the exported model and the estimator, on held-out rows."""
    columns_problem: str
    """How the exported model's inputs differ from the declared features; empty if they do not."""
    data_problems: tuple[str, ...] | None
    """What is wrong with the days that the candidate learned from and is judged on."""
    label_audit: LabelAudit | None
    """The audited sample of labels."""


@dataclass(frozen=True)
class GateCheck:
    """One gate's answer.

    Attributes:
        name: One of `GATES`.
        passed: Whether the candidate gets through.
        observed: The number that was held against the threshold; None where there is none.
        threshold: The number of the YAML file; None where there is none.
        reason: In words with numbers; of a failure also which field of the file asks for it.
        overridden_by: Who let the candidate through although the gate had failed.
    """

    name: str
    passed: bool
    observed: float | None
    threshold: float | None
    reason: str
    overridden_by: str = ""


@dataclass(frozen=True)
class Seen:
    """All that a gate may look at."""

    config: Config
    suite: Mapping[str, Any]
    facts: GateFacts

    def number(self, *path: str) -> float | None:
        """A figure of the evaluation; None where it is missing or no finite number."""
        found: Any = self.suite
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return finite(found)

    def rows_of(self, name: str) -> list[Mapping[str, Any]]:
        """A list of the evaluation; empty where it is missing."""
        found = self.suite.get(name)
        if not isinstance(found, Sequence) or isinstance(found, str):
            return []
        return [row for row in found if isinstance(row, Mapping)]

    @property
    def first(self) -> bool:
        """Whether there is no champion to be compared with."""
        return self.suite.get("champion") is None


def finite(value: Any) -> float | None:
    """A finite number as it is, anything else as None.

    >>> finite(2), finite(float("nan")), finite(True), finite("2")
    (2.0, None, None, None)
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def at_most(
    name: str, observed: float | None, limit: float | None, what: str, field: str
) -> GateCheck:
    """A figure that must not exceed its limit; without either the gate fails and says so.

    >>> at_most("size", 3.0, 2.0, "model file, MB", "gate.size.max_mb").reason
    'model file, MB: 3, at most 2 (gate.size.max_mb)'
    """
    return _limited(name, observed, limit, what, field, "at most")


def at_least(
    name: str, observed: float | None, limit: float | None, what: str, field: str
) -> GateCheck:
    """A figure that must not fall below its limit; without either the gate fails and says so."""
    return _limited(name, observed, limit, what, field, "at least")


def failed(name: str, reason: str, threshold: float | None = None) -> GateCheck:
    """A gate that fails because there is nothing to look at, or something stands in the way."""
    return GateCheck(name, False, None, threshold, reason)


def passed(name: str, reason: str) -> GateCheck:
    """A gate that asks nothing of this candidate."""
    return GateCheck(name, True, None, None, reason)


def _limited(
    name: str, observed: float | None, limit: float | None, what: str, field: str, bound: str
) -> GateCheck:
    if limit is None:
        return GateCheck(name, False, observed, None, f"{field} is not given: set it, {what}")
    if observed is None:
        return failed(name, f"no data: the evaluation does not tell {what} ({field})", limit)
    holds = observed <= limit if bound == "at most" else observed >= limit
    reason = f"{what}: {observed:.4g}, {bound} {limit:.4g} ({field})"
    return GateCheck(name, holds, observed, limit, reason)
