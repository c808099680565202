"""One candidate brought as far as evidence, rules and people allow, each step a record.

The ledger is written first and is the truth; what the service answers with, the registry's aliases
and the pages are its projections, made again by any later run if this one is killed in between. The
service comes first among them: it must follow even when MLflow is down.
"""

from feedback_assets.assets.acting import Acting, Judged
from feedback_assets.assets.examination import suite_of, suite_path
from feedback_assets.assets.judging import judge
from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import ModelVersion, champion, model_version
from feedback_assets.assets.moves import make, refuse
from feedback_assets.assets.rollback import undo
from feedback_assets.assets.trial import Look, look, open_trials
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.gates import GateCheck
from feedback_assets.promotion.rollout import candidacy

MOST_MOVES = 8
"""Moves in one run; there are fewer stages."""


def settle(acting: Acting, candidate: ModelVersion) -> Judged:
    """Bring a candidate as far as it can come now.

    Returns:
        Where it stands then.
    """
    space, version = acting.space, str(candidate.version)
    judged = Judged(candidate, champion(space))
    for _ in range(MOST_MOVES):
        before = champion(space)
        at = candidacy(decisions(space), version, space.config_digest)
        if at.final is not None:
            return _as_decided(acting, candidate, at.final)
        if before is not None and before.digest == candidate.digest:
            refuse(
                acting, candidate, before, "one model", "it is the very model that serves", {}, {}
            )
            continue
        judged = judge(acting, candidate, before, at)
        if judged.move is None or judged.move.to == "stay":
            return judged
        make(acting, judged, judged.at or at, judged.move)
    return judged


def watch(acting: Acting) -> Look | None:
    """Look at the champion beside the one it replaced, and take it back if it is worse.

    Returns:
        The look; None when no promotion is on watch.
    """
    space = acting.space
    trial = next((t for t in open_trials(space, acting.now) if t.kind == "watch"), None)
    if trial is None:
        return None
    seen = look(space, acting.con, trial, acting.now, acting.run_id)
    if seen.verdict.outcome == "rollback":
        made = undo(
            space,
            to=trial.champion.version,
            reason=seen.verdict.reason,
            rule=seen.verdict.rule,
            actor=acting.actor,
            cause="watch",
            now=acting.now,
            undoes=trial.decision_id,
            by="watch",
            numbers=seen.verdict.numbers,
            look=seen.to_dict(),
            run_id=acting.run_id,
        )
        acting.tell(f"{made.kind}: {made.rule}: {made.reason}")
    return seen


def _as_decided(acting: Acting, candidate: ModelVersion, final: Decision) -> Judged:
    """What was decided before; the suite of then, if it is there."""
    space = acting.space
    before = model_version(space, int(final.previous_version)) if final.previous_version else None
    suite = None
    if suite_path(candidate, before).exists():
        suite = suite_of(space, acting.con, candidate, before)
    gates = tuple(GateCheck(**said) for said in final.details.get("gates", ()))
    return Judged(candidate, before, suite, gates, final)
