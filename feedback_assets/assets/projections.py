"""What follows from the ledger, made again whenever it does not: pages, the registry's aliases."""

from pathlib import Path

from feedback_assets.assets.examination import suite_path
from feedback_assets.assets.ledger import decisions, one_at_a_time, sign_newest
from feedback_assets.assets.models import ModelVersion, champion, model_version
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.stages import align_registry
from feedback_assets.promotion.decisions import Decision, Kind
from feedback_assets.serving.manifest import write_atomically
from feedback_assets.training.registry import keep_head, project_decision

SHOWN: tuple[Kind, ...] = ("stage", "promote", "refuse", "rollback")


def bring_in_line(space: LoopSpace, candidate: ModelVersion, final: Decision | None) -> None:
    """Write the release notes and bring MLflow in line; what fails is done again by a later run."""
    files = {}
    if final is not None and (notes := final.details.get("release_notes")):
        page = space.reports / "decisions" / f"version-{final.version}.md"
        page.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(page, str(notes).encode())
        files["release_notes.md"] = str(notes)
        before = final.previous_version
        suite = suite_path(candidate, model_version(space, int(before)) if before else None)
        if suite.exists():
            files[suite.name] = suite.read_text("utf-8")
    head = sign_newest(space)
    newest = newest_shown(space)
    with one_at_a_time(space, "registry"):
        serving = champion(space)
        version = serving.version if serving else None
        if final is not None:
            project_decision(
                space.settings, space.config, candidate.manifest, final, version, files
            )
        keep_head(space.settings, space.name, candidate.version, head)
    align_registry(space)
    # as far as was read before: what was decided meanwhile is shown by the next run
    write_atomically(projected_path(space), newest.encode())


def behind(space: LoopSpace) -> bool:
    """Whether something was decided that the registry may not show yet."""
    path = projected_path(space)
    shown = path.read_text("utf-8") if path.exists() else ""
    return shown != newest_shown(space)


def newest_shown(space: LoopSpace) -> str:
    """The newest decision that the registry's aliases and tags show; empty before the first."""
    known = decisions(space, *SHOWN)
    return known[-1].decision_id if known else ""


def projected_path(space: LoopSpace) -> Path:
    """Where it is noted how far the registry shows the ledger."""
    return space.settings.ledger / f"{space.name}.projected"
