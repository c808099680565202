"""Promote, keep trying, reject: what the paired evidence says, after any number of labels.

A candidate is promoted when three things hold at one look:

1. it is *safe*: the e-value against "worse by `decide.margin` of the champion's loss" has reached
   1/alpha;
2. it is *better*: so has the e-value against "gains at most `gate.min_improvement`". This is what
   bounds the promotions of equal candidates: by Ville's inequality at most alpha of them are ever
   promoted, however often one looks and whatever their losses look like;
3. it is *worth it*: the expected utility of the switch, from the gain shrunk towards zero, exceeds 0.

It is rejected when it is proven worse, or when even the upper end of its interval gains too little to
pay for the switch. Else the trial goes on: time limits are the rollout's.

The second condition may look like a needless hurdle beside the other two. It is not: the first and the
third alone promoted 69 % of equal candidates within 60,000 labels. `python -m benchmarks gate_rules`
measures what each rule costs and brings (docs/promotion-rules.md).
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from feedback_assets.config.schema import Config
from feedback_assets.performance.metrics import Floats
from feedback_assets.promotion.paired import Paired, needed_gain
from feedback_assets.promotion.utility import (
    break_even,
    expected_utility,
    rows_enjoyed,
    shrunk_gain,
)

PROVEN_WORSE = "proven worse"
_LARGEST = 700.0


@dataclass(frozen=True)
class Verdict:
    """What the evidence says, by which rule, why."""

    outcome: Literal["promote", "wait", "reject", "rollback"]
    rule: str
    reason: str
    numbers: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; numbers that are not known become null."""
        numbers = {k: v if math.isfinite(v) else None for k, v in self.numbers.items()}
        return {**asdict(self), "numbers": numbers}


def proven(
    log_better: Floats | float, log_safe: Floats | float, alpha: float
) -> npt.NDArray[np.bool_]:
    """Whether both proofs for a promotion stand, of e-values [...] by their logarithms."""
    bar = -math.log(alpha)
    return np.asarray((np.asarray(log_better) >= bar) & (np.asarray(log_safe) >= bar))


def verdict(config: Config, paired: Paired, rows_per_day: float | None) -> Verdict:
    """Promote, wait or reject, by the rows of a trial so far.

    Args:
        config: The loop's.
        paired: The evidence, champion against candidate.
        rows_per_day: Predictions a day as the log tells; `decide.rows_per_day` goes before it.
    """
    decide, asked = config.decide, needed_gain(config, paired.scale)
    rows = rows_enjoyed(decide, rows_per_day)
    shrunk = float(shrunk_gain(paired.gain, paired.error, decide.prior_gain * paired.scale))
    known = math.isfinite(rows)
    utility = expected_utility(decide, shrunk, rows) if known else math.nan
    numbers = {**_numbers(paired), "shrunk_gain": shrunk, "utility": utility}
    told, bar = _told(paired), 1 / decide.alpha

    def say(outcome: Literal["promote", "wait", "reject"], rule: str, more: str) -> Verdict:
        return Verdict(outcome, rule, f"{told}; {more}", numbers)

    least = config.rollout.shadow.min_labels
    if paired.labels < least:
        return say("wait", "too few labels", f"rollout.shadow.min_labels is {least:,}")
    if paired.log_worse >= math.log(bar):
        return say(
            "reject",
            PROVEN_WORSE,
            f"the proof that it is worse is {_proof(paired.log_worse, bar)}",
        )
    if not known and decide.switching_cost > 0:
        return say(
            "wait", "volume not known", "set decide.rows_per_day to weigh the switching cost"
        )
    pays = max(asked, break_even(decide, rows))
    if paired.upper < pays:
        return say(
            "reject", "not worth it", f"even the upper end is below the {pays:.4g} that pay for it"
        )
    if paired.log_safe < math.log(bar):
        return say(
            "wait", "not proven safe",
            f"that it is not worse by more than {decide.margin:.0%} of the loss is {_proof(paired.log_safe, bar)}",
        )  # fmt: skip
    if not proven(paired.log_better, paired.log_safe, decide.alpha):
        return say(
            "wait", "safe, not proven better",
            f"that it gains more than {asked:g} is {_proof(paired.log_better, bar)}",
        )  # fmt: skip
    if not (utility > 0 or (not known and shrunk > 0)):
        return say("wait", "better, not worth the switch", f"expected utility {utility:.4g}")
    return say(
        "promote", "safe, better and worth it",
        f"better: {_proof(paired.log_better, bar)}; safe: {_proof(paired.log_safe, bar)}; "
        + (f"expected utility {utility:.4g}" if known else f"expected gain {shrunk:.4g} a row"),
    )  # fmt: skip


def watch_verdict(config: Config, paired: Paired) -> Verdict:
    """Whether a promotion is taken back, by the rows that came after it.

    A champion that is no worse than what it replaced is taken back with probability at most alpha,
    however long it is watched.

    Args:
        config: The loop's.
        paired: The evidence; `champion` is the model that was replaced, `candidate` the new one.
    """
    bar, least = 1 / config.decide.alpha, config.rollout.watch.min_labels
    told, numbers = _told(paired), _numbers(paired)
    if paired.labels < least:
        return Verdict(
            "wait", "too few labels", f"{told}; rollout.watch.min_labels is {least:,}", numbers
        )
    reason = f"{told}; that it is worse than what it replaced is {_proof(paired.log_worse, bar)}"
    if paired.log_worse >= math.log(bar):
        return Verdict("rollback", "proven worse than what it replaced", reason, numbers)
    return Verdict("wait", "not proven worse", reason, numbers)


def weakest(trials: Mapping[str, Paired]) -> str:
    """The version whose evidence is weakest: the least gain in standard errors, 0 without any.

    It gives up its place when one more candidate comes. Of several alike it is the first.

    Raises:
        ValueError: There are none.
    """
    return min(trials, key=lambda version: _signal(trials[version]))


def _signal(paired: Paired) -> float:
    signal = paired.gain / paired.error if paired.error > 0 else 0.0
    return signal if math.isfinite(signal) else 0.0


def _numbers(paired: Paired) -> dict[str, float]:
    return {
        "labels": float(paired.labels),
        "champion_loss": paired.champion_loss,
        "candidate_loss": paired.candidate_loss,
        "gain": paired.gain,
        "lower": paired.lower,
        "upper": paired.upper,
        "e_better": _e(paired.log_better),
        "e_safe": _e(paired.log_safe),
        "e_worse": _e(paired.log_worse),
    }


def _told(paired: Paired) -> str:
    if paired.labels == 0:
        return "no labels yet"
    days = f" of {paired.days:,} days" if paired.unit == "day" else ""
    return (
        f"loss {paired.champion_loss:.4g} → {paired.candidate_loss:.4g}, gain {paired.gain:.4g} "
        f"({paired.lower:.4g} to {paired.upper:.4g}) on {paired.labels:,} labels{days}"
    )


def _proof(log_e: float, bar: float) -> str:
    state = "reached" if log_e >= math.log(bar) else "not reached"
    return f"e = {_e(log_e):.3g} ({bar:g} {state})"


def _e(log_e: float) -> float:
    return math.exp(min(log_e, _LARGEST))
