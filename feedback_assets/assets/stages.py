"""Where the loop's versions stand by the ledger, and MLflow as its projection."""

import logging
from collections.abc import Iterable

from feedback_assets.assets.ledger import decisions, one_at_a_time
from feedback_assets.assets.models import reign, versions
from feedback_assets.assets.space import LoopSpace
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.rollout import Candidacy, on_trial, open_candidates, trials
from feedback_assets.training.stages import Stages, project_stages

logger = logging.getLogger(__name__)


def stages_of(space: LoopSpace) -> Stages:
    """Every version's place."""
    ledger, line, known = decisions(space), reign(space), versions(space)
    reopened = set(open_candidates(ledger))
    at = on_trial(ledger, space.config_digest)
    tried = {_stage(at): int(at.version)} if at else {}
    others = trials(ledger, space.config_digest)
    return Stages(
        champion=line[-1] if line else None,
        previous=line[-2] if len(line) > 1 else None,
        canary=tried.get("canary"),
        shadow=tried.get("shadow"),
        candidate=known[-1].version if known else None,
        shadowing=tuple(int(at.version) for at in others if _stage(at) == "shadow"),
        refused=_versions(d for d in ledger if d.kind == "refuse" and d.version not in reopened),
        retired=_versions(d for d in ledger if d.kind == "promote"),
    )


def _stage(at: Candidacy) -> str:
    """A canary that nobody asked stays in shadow."""
    return "shadow" if at.passed_over else at.place


def _versions(found: Iterable[Decision]) -> tuple[int, ...]:
    return tuple(int(decision.version) for decision in found if decision.version)


def align_registry(space: LoopSpace) -> None:
    """Bring MLflow's aliases and tags in line with the ledger, however often.

    Raises:
        Exception: Whatever MLflow or its database raises.
    """
    with one_at_a_time(space, "registry"):  # of two, the later one reads the ledger later
        project_stages(space.settings, space.name, stages_of(space))


def project_registry(space: LoopSpace) -> str:
    """As `align_registry`, but who answers does not depend on it: what goes wrong is told.

    Returns:
        What went wrong, which the next call puts right; empty when nothing did.
    """
    try:
        align_registry(space)
    except Exception as error:  # noqa: BLE001  whatever MLflow or its database raises
        problem = f"MLflow does not follow yet ({type(error).__name__}: {error})"
        logger.warning("%s: %s; it is tried again after the next decision", space.name, problem)
        return problem
    return ""
