"""What a replay teaches: which way of asking, and how many labels, would have been best."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from feedback_assets.config.review import Review
from feedback_assets.config.schema import Config
from feedback_assets.querying.needed import Needed, falling, needed
from feedback_assets.querying.replay import RANDOM, Curve

AS_CONFIGURED = "as configured"
NOISE = 2.0
"""Standard errors beyond which a difference is more than chance."""
ENOUGH = 0.1
"""Labels are enough once what is left to gain is this share of all that was gained."""


@dataclass(frozen=True)
class Advice:
    """What asking in several ways would have brought, up to a number of labels."""

    loop: str
    loss: str
    """What was measured: log loss, or squared error."""
    rows: int
    """Labelled rows that were replayed."""
    seeds: int
    budgets: tuple[int, ...]
    curves: Mapping[str, tuple[float, ...]]
    """Way to its mean loss at each budget; `random` among them."""
    errors: Mapping[str, tuple[float, ...]]
    """Way to the standard error of its difference from random, at each budget."""
    needed: tuple[Needed, ...]
    """Labels each way needs for what `random` reaches with all; the fewest first."""
    enough: int
    """Labels beyond which the best way gained little."""

    @property
    def best(self) -> Needed:
        """The way that needs the fewest labels."""
        return self.needed[0]

    @property
    def words(self) -> str:
        """The advice in two sentences."""
        best = self.best
        if best.worse > -NOISE or not best.share < 1:
            said = "No way of asking beat random rows by more than chance"
        else:
            said = (
                f"{best.name}: {round(best.labels):,} labels gave what {best.random:,} random ones "
                f"would ({_labels(best.low)} to {_labels(best.high)}, 90 of 100 times)"
            )
        most = self.budgets[-1]
        if self.enough < most:
            return f"{said}. Beyond {self.enough:,} labels little was gained."
        return f"{said}. More than {most:,} labels would still have helped."

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it; what is infinite is null."""
        found = asdict(self)
        found["needed"] = [
            {k: v if not isinstance(v, float) or math.isfinite(v) else None for k, v in n.items()}
            for n in found["needed"]
        ]
        return {**found, "words": self.words}


def advice(config: Config, curves: Mapping[str, Curve], rows: int) -> Advice:
    """Judge the curves of a replay.

    Args:
        config: the loop.
        curves: what `replay` gave.
        rows: labelled rows that were replayed.
    """
    random = curves[RANDOM]
    ways = [needed(curve, random) for name, curve in curves.items() if name != RANDOM]
    ways.sort(key=lambda way: (way.labels, way.worse))
    kind = config.label.kind
    return Advice(
        config.name,
        "squared error" if kind == "regression" else "log loss",
        rows,
        len(random.losses),
        tuple(int(b) for b in random.budgets),
        {name: tuple(map(float, curve.mean)) for name, curve in curves.items()},
        {name: _errors(curve, random) for name, curve in curves.items()},
        tuple(ways),
        _enough(curves[ways[0].name] if ways else random),
    )


def ways_of(config: Config) -> dict[str, Review]:
    """The ways of asking that suit a loop: its own mix, and each strategy alone."""
    review = config.review
    names = ["committee", "density", "diversity"]
    if config.label.kind != "regression":
        names = ["entropy", "margin", "least_confidence", *names]
        if config.label.kind == "binary":  # of two classes all three put rows in the same order
            names = [n for n in names if n not in ("margin", "least_confidence")]
    if review.by or config.columns.segments:
        names.append("stratified")
    alone = {name: review.model_copy(update={"mix": {name: 1.0}}) for name in names}
    return {AS_CONFIGURED: review, **alone}


def budgets_up_to(most: int, fewest: int) -> tuple[int, ...]:
    """Growing numbers of labels, each about two fifths more than the one before.

    >>> budgets_up_to(3000, 200)
    (200, 280, 400, 560, 780, 1090, 1530, 2140, 3000)
    """
    steps = max(2, round(math.log(most / fewest) / math.log(1.4)))
    grown = np.geomspace(fewest, most, steps + 1)
    whole = [fewest, *(round(float(b), -1) for b in grown[1:-1]), most]
    return tuple(dict.fromkeys(int(b) for b in whole))


def _errors(curve: Curve, random: Curve) -> tuple[float, ...]:
    seeds = len(random.losses)
    apart = curve.losses - random.losses
    return tuple(map(float, apart.std(axis=0, ddof=1 if seeds > 1 else 0) / math.sqrt(seeds)))


def _enough(curve: Curve) -> int:
    smooth = falling(curve.mean)
    left = smooth - smooth[-1]
    there = np.flatnonzero(left <= ENOUGH * max(float(left[0]), 1e-12))
    return int(curve.budgets[there[0]])


def _labels(count: float) -> str:
    return f"{round(count):,}" if math.isfinite(count) else "more"
