"""What follows from the ledger, made again whenever it does not: pages, the registry's aliases."""

from pathlib import Path

from feedback_assets.assets.examination import suite_path
from feedback_assets.assets.ledger import decisions, one_at_a_time, sign_newest
from feedback_assets.assets.models import model_version, versions
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.stages import align_registry
from feedback_assets.promotion.decisions import Decision, Kind
from feedback_assets.serving.manifest import write_atomically
from feedback_assets.training.registry import keep_head, project_decision

SHOWN: tuple[Kind, ...] = ("stage", "promote", "refuse", "rollback")


def bring_in_line(space: LoopSpace) -> None:
    """Show what was decided since the last time: release notes, decision tags, aliases, signed head.

    What fails is done again by a later run.
    """
    known = decisions(space, *SHOWN)
    told = [decision.decision_id for decision in known]
    shown = _shown(space)
    since = told.index(shown) + 1 if shown in told else 0
    for decision in known[since:]:
        if decision.kind in ("promote", "refuse"):
            _show(space, decision)
    head = sign_newest(space)
    trained = versions(space)
    with one_at_a_time(space, "registry"):
        if trained:
            keep_head(space.settings, space.name, trained[-1].version, head)
    align_registry(space)
    # as far as was read before: what was decided meanwhile is shown by the next run
    write_atomically(projected_path(space), (told[-1] if told else "").encode())


def _show(space: LoopSpace, final: Decision) -> None:
    """The release notes of a promotion or refusal, as a page and with the version in MLflow."""
    candidate, before = model_version(space, int(final.version or 0)), final.previous_version
    files = {}
    if notes := final.details.get("release_notes"):
        page = notes_page(space, final)
        page.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(page, str(notes).encode())
        files["release_notes.md"] = str(notes)
    suite = suite_path(candidate, model_version(space, int(before)) if before else None)
    if suite.exists():
        files[suite.name] = suite.read_text("utf-8")
    project_decision(space.settings, space.config, candidate.manifest, final, files)


def notes_page(space: LoopSpace, final: Decision) -> Path:
    """Where the release notes of a decision are."""
    return space.reports / "decisions" / f"version-{final.version}.md"


def behind(space: LoopSpace) -> bool:
    """Whether something was decided that the registry may not show yet."""
    known = decisions(space, *SHOWN)
    return bool(known) and known[-1].decision_id != _shown(space)


def _shown(space: LoopSpace) -> str:
    """The newest decision that the registry is known to show; empty before the first."""
    path = projected_path(space)
    return path.read_text("utf-8") if path.exists() else ""


def projected_path(space: LoopSpace) -> Path:
    """Where it is noted how far the registry shows the ledger."""
    return space.settings.ledger / f"{space.name}.projected"
