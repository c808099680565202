"""Labels of days that are not mature yet, trained on with weights (`pool.immature: weight`).

Of the rows of a day whose label will be y, the share F_y(age) has it by now, by y's own delay curve. A
label that is there stands for 1 / F_y(age) of them (Horvitz and Thompson 1952), so that the classes
weigh what they will weigh once all is known; a row without a label is left out and never negative.
A day is used only where every class has a fair chance to be seen: at least one in `pool.max_weight`.
Within a class, quick labels are taken to be like slow ones.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from feedback_assets.config.schema import Config
from feedback_assets.labels.arrival import STEPS, ArrivalCurve, Cohort, Maturity, starved
from feedback_assets.labels.curves import ALL
from feedback_assets.labels.outcome_delay import OutcomeDelay
from feedback_assets.sqltext import literal, literals, number


@dataclass(frozen=True)
class Weighing:
    """Which immature days may be trained on, and what their labels weigh.

    Attributes:
        shares: partition to label value to the share of its labels known by now; `""` for values
            without a curve of their own.
        seen_days: partition to the largest delay in days that all of its rows were seen for.
        words: what is done, in words.
    """

    shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    seen_days: Mapping[str, float] = field(default_factory=dict)
    words: str = ""

    @property
    def partitions(self) -> list[str]:
        """The immature partitions whose labels may be trained on, oldest first."""
        return sorted(self.shares)

    def counts_sql(self, alias: str = "") -> str:
        """Portable SQL that is true for a labelled row of these partitions that counts.

        Labels with a longer delay than the day's last row was seen for do not count, so that all rows
        of the day have the same chance.
        """
        if not self.shares:
            return "FALSE"
        at = f"{alias}." if alias else ""
        longest = " ".join(
            f"WHEN {literal(key)} THEN {number(days)}" for key, days in self.seen_days.items()
        )
        return (
            f"({at}partition_key IN ({literals(self.partitions)}) AND {at}label_delay_days <= "
            f"CASE {at}partition_key {longest} END)"
        )

    def weight_sql(self, alias: str = "") -> str:
        """Portable SQL of a labelled row's weight: 1 on mature days."""
        at = f"{alias}." if alias else ""
        cases = []
        for key in self.partitions:
            here = f"{at}partition_key = {literal(key)}"
            own = {name: share for name, share in self.shares[key].items() if name != ALL}
            cases += [
                f"WHEN {here} AND CAST({at}label AS STRING) = {literal(name)} "
                f"THEN {number(1 / share)}"
                for name, share in own.items()
            ]
            cases.append(f"WHEN {here} THEN {number(1 / self.shares[key][ALL])}")
        return f"CASE {' '.join(cases)} ELSE 1e0 END" if cases else "1e0"


def weighing(
    standing: Maturity,
    curves: Mapping[str, ArrivalCurve],
    delay: OutcomeDelay,
    config: Config,
) -> Weighing:
    """The immature days whose labels may be trained on; none where the file leaves them out.

    Args:
        standing: Which days are mature.
        curves: `group_curves` of the same counts.
        delay: Whether the delay depends on the label. Of numbers no value has a curve of its own, so
            where it does their young days are left out.
        config: The loop.
    """
    waiting = [c for c in standing.cohorts if not c.mature and c.labels]
    if config.pool.immature == "leave" or not waiting:
        return Weighing()
    if ALL not in curves:
        return Weighing(words="immature days are left out: no day is old enough to know the delays")
    if config.label.kind == "regression" and delay.differs:
        return Weighing(
            words="immature days are left out: the delay depends on the number that is said"
        )
    shares = {c.partition_key: known(c, curves) for c in waiting}
    used = [
        c
        for c in waiting
        if min(shares[c.partition_key].values()) * config.pool.max_weight >= 1
        and not starved(c.rows, c.labels, shares[c.partition_key][ALL], curves[ALL], config)
    ]
    words = (
        f"{len(used)} of {len(waiting)} immature days are trained on, each label with the inverse of "
        "the share of its value's labels that are there by now"
    )
    return Weighing(
        {c.partition_key: shares[c.partition_key] for c in used},
        {c.partition_key: _seen(c, curves[ALL]) for c in used},
        words,
    )


def known(
    cohort: Cohort, curves: Mapping[str, ArrivalCurve], ahead_days: float = 0.0
) -> dict[str, float]:
    """Share of a cohort's labels known by now, or in so many days, by label value."""
    return {name: curve.share(cohort.age_days + ahead_days) for name, curve in curves.items()}


def _seen(cohort: Cohort, curve: ArrivalCurve) -> float:
    """The largest delay, in whole steps of the curve, that the cohort's last row was seen for."""
    step = curve.max_delay_days / STEPS
    return (math.floor(cohort.age_days / step) + 1e-6) * step
