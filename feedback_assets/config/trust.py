"""The section `trust` of a loop's file: whose labels count how much, and whose may judge."""

from typing import Annotated

from pydantic import Field

from feedback_assets.config.section import Strict

Weight = Annotated[float, Field(ge=0, le=1)]


class Trust(Strict):
    """Whose labels count how much.

    A *principal* is who said something and can be held to it: the name of the service's token
    (`token:<name>`), an annotator (`person:<name>`), or what the files' `principal` column says. A
    *source* is what kind of evidence it is (`review`, `audit`, or the files' `source` column).
    """

    weights: dict[str, Weight] = {}
    """Source or principal, also as a pattern (`token:*`), to its weight in training; of several that
    fit the smallest counts."""
    default: Weight = 1.0
    """Weight of everybody else."""
    cap_times: Annotated[float, Field(ge=1)] | None = 4
    """In one training set no principal has more rows than so many times the median principal."""
    cap_from: Annotated[int, Field(ge=2)] = 20
    """The cap holds where there are so many principals."""
    quarantine: bool = True
    """A principal whose labels contradict what others teach beyond doubt, or suddenly turn, is left
    out of training until somebody clears him (`cleared`)."""
    min_rows: Annotated[int, Field(ge=5)] = 20
    """A principal with fewer labels is not judged."""
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.001
    """Chance that any honest principal of a loop is quarantined."""
    cleared: list[str] = []
    """Principals (or patterns) that somebody looked at and trusts."""
    judges: list[str] = []
    """Only labels from these sources or principals (or patterns) may judge a model: hold-out, trials
    and metrics. If empty, all may but those asked for a strategy's reason (`review`)."""
