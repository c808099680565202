"""What the ledger says of one version, and who served when: pure functions of the decisions.

Records of older releases have no `details`; everything that is read of them may be missing.
"""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from feedback_assets.promotion.decisions import Decision, Kind


@dataclass(frozen=True)
class Reign:
    """A stretch of time in which one version served.

    Attributes:
        version: Who served.
        begun: The promotion or rollback that brought it.
        ended: The one that took it away; None while it serves.
    """

    version: str
    begun: Decision
    ended: Decision | None = None

    def overlaps(self, since: dt.datetime, until: dt.datetime) -> bool:
        """Whether it served at some moment of [since, until)."""
        return self.begun.time < until and (self.ended is None or self.ended.time > since)


@dataclass(frozen=True)
class Story:
    """The decisions about one version, oldest first."""

    version: str
    decisions: tuple[Decision, ...]

    @classmethod
    def of(cls, decisions: Sequence[Decision], version: str) -> "Story":
        """All that was decided about a version, and what took it away again."""
        return cls(
            version,
            tuple(
                d
                for d in decisions
                if version in (d.version, d.previous_version)
                and (d.version == version or d.kind == "rollback")
            ),
        )

    def all(self, *kinds: Kind) -> list[Decision]:
        """Its decisions of some kinds; a rollback that took it away is among the rollbacks."""
        return [d for d in self.decisions if d.kind in kinds]

    def last(self, *kinds: Kind) -> Decision | None:
        """The newest decision of some kinds about it."""
        found = [d for d in self.all(*kinds) if d.version == self.version]
        return found[-1] if found else None

    @property
    def training(self) -> Decision | None:
        """Why it was trained."""
        return self.last("retrain")

    @property
    def outcome(self) -> Decision | None:
        """Its promotion or refusal; an override may have turned the one into the other."""
        return self.last("promote", "refuse")

    @property
    def promotion(self) -> Decision | None:
        """The promotion that brought it into production."""
        return self.last("promote")

    @property
    def evidence(self) -> Decision | None:
        """The decision that tells most of how it was judged: the last word, else the gates."""
        return self.outcome or self.last("stage") or self.last("gate")

    def detail(self, name: str) -> Any:
        """A detail of the newest decision that has it; None where none does."""
        judged = self.all("gate", "stage", "request", "promote", "refuse")
        held = [d.details[name] for d in judged if d.details.get(name)]
        return held[-1] if held else None


def reigns(decisions: Sequence[Decision]) -> list[Reign]:
    """Who served when, oldest first; the last one serves still."""
    line: list[Reign] = []
    for decision in decisions:
        if decision.kind not in ("promote", "rollback") or decision.version is None:
            continue
        if line:
            line[-1] = Reign(line[-1].version, line[-1].begun, decision)
        line.append(Reign(decision.version, decision))
    return line


def refused_before(decisions: Sequence[Decision], version: str) -> list[Decision]:
    """The refusals between a version's promotion and the promotion before; none if it has none."""
    places = [i for i, d in enumerate(decisions) if d.kind == "promote"]
    own = [i for i in places if decisions[i].version == version]
    if not own:
        return []
    first = max((i for i in places if i < own[-1]), default=0)
    return [d for d in decisions[first : own[-1]] if d.kind == "refuse"]


def told(decision: Decision) -> dict[str, Any]:
    """A decision as JSON values."""
    return {
        "decision_id": decision.decision_id,
        "kind": decision.kind,
        "time": decision.time.astimezone(dt.UTC).isoformat(),
        "version": decision.version,
        "previous_version": decision.previous_version,
        "actor": decision.actor,
        "cause": decision.cause,
        "rule": decision.rule,
        "reason": decision.reason,
        "stage": decision.details.get("stage"),
        "numbers": {k: v if math.isfinite(v) else None for k, v in decision.numbers.items()},
    }
