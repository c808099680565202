"""The model card of a version: what it is for, what made it, how good and how fair it is, its limits.

After Mitchell et al., "Model Cards for Model Reporting" (2019). Every number is a recorded one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.audit import card_figures as figures
from feedback_assets.audit.beaten import comparison, gates
from feedback_assets.audit.document import Document, Picture, Section, Sheet
from feedback_assets.audit.facts import (
    folder_of,
    let_in_by,
    must_be_known,
    trained_on,
    triggered_by,
    way,
)
from feedback_assets.audit.pinned import Pinned
from feedback_assets.audit.render import to_html, to_markdown
from feedback_assets.audit.story import Story, reigns, told
from feedback_assets.audit.suites import suite_of
from feedback_assets.audit.why_page import made_section
from feedback_assets.audit.words import (
    UNKNOWN,
    day,
    decisions_sheet,
    facts,
    gates_sheet,
    moment,
    way_section,
    who,
)
from feedback_assets.config.schema import Config
from feedback_assets.promotion.decisions import Decision
from feedback_assets.reports.files import replace_text
from feedback_assets.reports.rows import metric_name, said

Json = Mapping[str, Any]


def write_card(space: LoopSpace, version: str) -> tuple[Path, Path]:
    """Write a version's card as Markdown and as a page; returns both paths.

    Raises:
        AuditError: There is no such version.
    """
    document = model_card(space, version)
    folder = space.reports / "cards"
    markdown, page = (folder / f"version-{version}.{ending}" for ending in ("md", "html"))
    replace_text(markdown, to_markdown(document))
    replace_text(page, to_html(document))
    return markdown, page


def model_card(space: LoopSpace, version: str) -> Document:
    """The card of a version, as far as it is recorded.

    Raises:
        AuditError: There is no such version.
    """
    known = decisions(space)
    must_be_known(space, version, known)
    story, model = Story.of(known, version), folder_of(space, version)
    config = Pinned(space, model).config if model else space.config
    suite = suite_of(model, story) if model else None
    made = trained_on(model, story)
    state, tone = state_of(known, story)
    return Document(
        eyebrow=f"Model card · {config.title}",
        title=f"{config.title}, version {version}",
        state=state,
        tone=tone,
        sections=(
            purpose_section(config, state),
            learned_section(config, made),
            performance_section(config, suite, made, story),
            figures.segments_section(suite),
            figures.fairness_section(suite, config),
            figures.behaviour_section(suite),
            figures.reliance_section(suite),
            Section("Plots", "on its held-out rows", pictures=plots(model)),
            limits_section(config, made, suite),
            Section("Gates", sheet=gates_sheet(gates(story))),
            way_section(way(story)),
            approvals_section(let_in_by(space, story)),
            made_section({"trained": made}),
            trigger_section(triggered_by(model, story)),
            Section("Decisions", sheet=decisions_sheet([told(d) for d in story.decisions])),
        ),
        footer=(
            (
                f"Train it again and compare: feedback-assets reproduce {space.name} {version}. "
                f"Its training rows: feedback-assets rows {space.name} {version}. "
                f"Who asks for more: {', '.join(config.owners)}."
            ),
        ),
    )


def state_of(known: list[Decision], story: Story) -> tuple[str, str]:
    """Where the version stands, and the tone of the mark."""
    line = reigns(known)
    own = [reign for reign in line if reign.version == story.version]
    if own and line[-1].version == story.version:
        return f"in production since {day(own[-1].begun.time.isoformat())}", "good"
    if own and own[-1].ended:
        until = day(own[-1].ended.time.isoformat())
        return f"{'rolled back' if own[-1].ended.kind == 'rollback' else 'retired'} {until}", ""
    return ("refused", "bad") if story.outcome else ("candidate, not decided", "")


def purpose_section(config: Config, state: str) -> Section:
    """What it is for, and what it is not for."""
    kind = {"binary": "the probability of one of two answers", "multiclass": "one of several classes",
            "regression": "a number"}[config.label.kind]  # fmt: skip
    notes = [line for line in (config.description, config.kpi.description) if line]
    return Section(
        "What it is for",
        words=tuple(notes),
        facts=facts(
            answers=kind,
            business_figure=f"{config.kpi.name}{f' ({config.kpi.unit})' if config.kpi.unit else ''}",
            owners=", ".join(config.owners),
            state=state,
            risk_of_a_wrong_model=config.approval.risk,
            not_for="rows unlike its training data; answers about single protected attributes"
            if config.columns.protected
            else "rows unlike its training data",
        ),
    )


def learned_section(config: Config, made: Json) -> Section:
    """What made it."""
    span = f"{made['first']} to {made['last']}" if made["first"] else UNKNOWN
    features = [f"{name} ({config.columns.kind_of(name)})" for name in config.features]
    return Section(
        "What it learned from",
        facts=facts(
            rows=made["rows"],
            days=span,
            labels_known_by=moment(made["as_of"]),
            table=f"{made['table']} version {made['version']}" if made["table"] else None,
            truth=f"{config.label.kind} label, at most {config.label.max_delay_days:g} days late",
            features=", ".join(features),
            protected_and_never_read=", ".join(config.columns.protected),
            held_out=made["holdout_rows"],
        ),
    )


def performance_section(config: Config, suite: Json | None, made: Json, story: Story) -> Section:
    """How good it is: the suite's metrics, else those of its training."""
    found = comparison(story, config)
    if suite:
        return figures.overall_section(suite)
    metrics = {k: v for k, v in (made["metrics"] or {}).items() if isinstance(v, int | float)}
    rows = tuple((metric_name(name), said(value, 4)) for name, value in metrics.items())
    return Section(
        "How good it is",
        "on its held-out rows",
        words=(found["reason"],) if found else (),
        sheet=Sheet(("metric", "value"), rows, frozenset({1})),
    )


def limits_section(config: Config, made: Json, suite: Json | None) -> Section:
    """What one must not expect of it."""
    words = [
        (
            "It is judged on days before its promotion: the world may have changed since. "
            "Drift and performance reports show whether it has."
        ),
        *(f"While it was trained: {warning}" for warning in made["warnings"]),
    ]
    if not config.columns.protected:
        words.append("No protected attribute is declared: nothing is known of its fairness.")
    if suite and suite.get("unscored", {}).get("candidate"):
        words.append(f"It gave no score for {suite['unscored']['candidate']:,} rows.")
    shown = [s for s in (suite or {}).get("segments", []) if s["verdict"] == "shown only"]
    if shown and suite and suite.get("champion"):
        words.append(f"{len(shown)} segments had too few rows to be judged.")
    return Section("Limits", words=tuple(words))


def approvals_section(people: Json) -> Section:
    """Who let it in."""
    words = [
        f"{who(p['actor'])} approved on {moment(p['time'])}: {p['reason']}"
        for p in people["people"]
    ]
    words += [
        f"{who(o['actor'])} overrode the gate {o['gate']} on {moment(o['time'])}: {o['reason']}"
        for o in people["overrides"]
    ]
    if not words and people["alone"]:
        words = [f"No person was needed; decided by the rule, run by {who(people['alone'])}."]
    return Section("Approved by", words=tuple(words))


def trigger_section(trigger: Json) -> Section:
    """Why it was trained."""
    return Section(
        "Why it was trained",
        facts=facts(cause=trigger["cause"], reason=trigger["reason"], by=who(trigger["actor"])),
    )


def plots(model: ModelVersion | None) -> tuple[Picture, ...]:
    """The plots that training left in the version's folder."""
    found = sorted((model.folder / "plots").glob("*.png")) if model else []
    return tuple(Picture(path.stem, path.read_bytes()) for path in found)
