"""How much a wrong promotion could harm, and whether it may happen without people."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feedback_assets.config.rollout import RISKS, Risk
from feedback_assets.config.schema import Config
from feedback_assets.policy.hours import is_open, next_opening
from feedback_assets.promotion.checked import GateCheck, finite


@dataclass(frozen=True)
class Assessed:
    """A promotion's risk and what makes it so."""

    risk: Risk
    why: tuple[str, ...]


def assess(config: Config, suite: Mapping[str, Any], checks: Sequence[GateCheck]) -> Assessed:
    """The loop's own risk, one step higher for each thing that is out of the ordinary.

    Args:
        config: The loop's.
        suite: The evaluation of the candidate beside the champion.
        checks: The gates' answers.
    """
    approval = config.approval
    why = [f"approval.risk is {approval.risk}"]
    overridden = [check for check in checks if check.overridden_by]
    if overridden:
        listed = ", ".join(f"{check.name} by {check.overridden_by}" for check in overridden)
        why.append(f"overridden: {listed}")
    if suite.get("champion") is not None:
        changed = finite((suite.get("churn") or {}).get("changed_share"))
        if changed is None:
            why.append("how many answers change is not known")
        elif changed >= approval.churn:
            why.append(
                f"{changed:.0%} of answers change, {approval.churn:.0%} is a step (approval.churn)"
            )
    step = min(RISKS.index(approval.risk) + len(why) - 1, len(RISKS) - 1)
    return Assessed(RISKS[step], tuple(why))


def alone(config: Config, risk: Risk, now: dt.datetime) -> tuple[bool, str]:
    """Whether a promotion may happen without people, and why or why not."""
    approval = config.approval
    if approval.automatic is None:
        return False, "people approve each promotion (approval.automatic is null)"
    if RISKS.index(risk) > RISKS.index(approval.automatic):
        return False, f"the risk is {risk}, above {approval.automatic} (approval.automatic)"
    hours = approval.office_hours
    if hours is None:
        return True, f"the risk is {risk} and no office hours are set"
    if is_open(hours, now):
        return True, f"the risk is {risk} and the office is open"
    opens = next_opening(hours, now)
    return False, f"outside office hours: they begin {opens:%a %Y-%m-%d %H:%M %Z}"
