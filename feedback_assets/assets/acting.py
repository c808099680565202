"""Who settles a candidate, with what, and how far it has come; what decisions are made from."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from feedback_assets.assets.examination import Suite
from feedback_assets.assets.ledger import decisions, record
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.trial import Look, Trial, look
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.gates import GateCheck
from feedback_assets.promotion.risk import Assessed
from feedback_assets.promotion.rollout import Candidacy, Move


@dataclass(frozen=True)
class Acting:
    """Who settles, why, when, and with what."""

    space: LoopSpace
    con: duckdb.DuckDBPyConnection
    actor: str
    cause: str
    told: str
    run_id: str
    now: dt.datetime
    tell: Callable[[str], None]

    def draft(self, **said: Any) -> Decision:
        """A decision of this run, not recorded yet."""
        common: dict[str, Any] = {
            "loop": self.space.name, "time": self.now, "actor": self.actor, "cause": self.cause,
        }  # fmt: skip
        return Decision(**{**common, **said})

    def record(
        self, draft: Decision, then: Callable[[LoopSpace], object] | None = None
    ) -> Decision:
        """Record a decision of this run; `then` follows at once."""
        made = record(self.space, draft, self.run_id, then)
        self.tell(f"{made.kind}: {made.rule}: {made.reason}")
        return made


@dataclass(frozen=True)
class Judged:
    """How far a candidate has come.

    Attributes:
        candidate: Whom it is about.
        before: The champion that it was compared with.
        suite: What was found on the same rows; None where nothing had to be examined.
        gates: Each gate's outcome.
        final: Its promotion or refusal; None while it is on trial.
        move: What it waits for; None when it is decided.
        look: The newest look at the paired evidence.
        risk: What a wrong promotion could do.
        at: Where it stood when it was judged.
    """

    candidate: ModelVersion
    before: ModelVersion | None
    suite: Suite | None = None
    gates: tuple[GateCheck, ...] = ()
    final: Decision | None = None
    move: Move | None = None
    look: Look | None = None
    risk: Assessed | None = None
    at: Candidacy | None = None


def newest_of(space: LoopSpace, version: str) -> str | None:
    """The newest decision about a version: what comes after it is another, whatever it is made from."""
    own = [decision for decision in decisions(space) if decision.version == version]
    return own[-1].decision_id if own else None


def evidence_of(
    space: LoopSpace, candidate: ModelVersion, before: ModelVersion | None, suite: Suite
) -> dict[str, Any]:
    """The digests that a decision was made from."""
    return {
        "candidate": candidate.digest,
        "champion": before.digest if before else None,
        "evaluation": suite.get("evaluation_digest"),
        "training_digest": candidate.manifest["training_digest"],
        "config_digest": space.config_digest,
    }


def numbers_of(suite: Suite) -> dict[str, float]:
    """The deciding numbers of a suite, flat: what a table row and metadata show."""
    if not suite:
        return {}
    metric = suite["metric"]
    found: Mapping[str, float | None] = suite["overall"].get(metric, {})

    def number(name: str) -> float:
        value = found.get(name)
        return float("nan") if value is None else float(value)

    return {
        "rows": float(suite["rows"]),
        f"champion_{metric}": number("champion"),
        f"candidate_{metric}": number("candidate"),
        "improvement": number("improvement"),
        "lower": number("lower"),
        "upper": number("upper"),
        "segments_worse": float(_worse(suite["segments"])),
    }


def _worse(segments: Sequence[Mapping[str, Any]]) -> int:
    return sum(segment["verdict"] == "clearly worse" for segment in segments)


def look_at(
    acting: Acting, candidate: ModelVersion, before: ModelVersion | None, at: Candidacy
) -> Look | None:
    """The paired evidence so far; None outside of a trial."""
    if before is None or at.place == "candidate" or at.since is None:
        return None
    trial = Trial(
        kind="trial",
        champion=before,
        challenger=candidate,
        since=at.since,
        held_out=acting.space.config.rollout.shadow.held_out,
        stage=at.place,
        decision_id=at.stages[-1].decision_id,
    )
    return look(acting.space, acting.con, trial, acting.now, acting.run_id)
