"""The first draft of a loop's YAML: everything that was understood, and each guess marked as one."""

import re
import textwrap
from collections.abc import Iterable, Iterator

from feedback_assets.config.inference.understanding import Understanding
from feedback_assets.config.jsonschema import SCHEMA_LINE
from feedback_assets.config.lines import parse_scalar
from feedback_assets.config.policy import Trigger
from feedback_assets.config.schema import Config

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.+-]*( [A-Za-z0-9_.+-]+)*")
_WIDTH = 96


def draft(u: Understanding) -> str:
    """Return the text of `configs/loops/<loop>.yaml`, which loads as it is."""
    sections = (_head, _source, _columns, _label, _partitions, _policies)
    return "\n".join(line for section in sections for line in section(u)) + "\n"


def yaml_text(value: object) -> str:
    """Write one value as YAML, in quotes where it would be read as something else.

    >>> yaml_text("carrier"), yaml_text("1"), yaml_text("no: wait"), yaml_text(None)
    ('carrier', '"1"', '"no: wait"', 'null')
    """
    if value is None:
        return "null"
    if not isinstance(value, str):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if _PLAIN.fullmatch(value) and parse_scalar(value) == value:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def _head(u: Understanding) -> Iterator[str]:
    title = u.loop.replace("_", " ").capitalize()
    yield SCHEMA_LINE
    yield from _comment(
        f"First draft of the loop {u.loop}, made by `feedback-assets init` from {u.path.name}:"
        f" {u.rows:,} rows, {u.first:%Y-%m-%d} to {u.last:%Y-%m-%d}, {u.labels:,} with a label."
        " A comment says where something was guessed; `feedback-assets check` looks at it again."
    )
    for warning in u.warnings:
        yield from _comment(f"Mind: {warning}.")
    yield ""
    yield f"name: {u.loop}"
    yield f"title: {title}"
    yield f"description: {yaml_text(_one_line(f'Predicts {u.label.column} of {u.path.name}.'))}"
    owner = yaml_text(u.owner or f"team:{u.loop}")
    yield from _said(f"owners: [{owner}]", "" if u.owner else "say who answers for it")
    yield "kpi:"
    yield from _said("  name: share of right answers", "name the figure that the business counts")
    yield ""


def _source(u: Understanding) -> Iterator[str]:
    yield "# Where the files arrive (Parquet, CSV, JSONL). {home} is FEEDBACK_ASSETS_HOME."
    yield "source:"
    yield "  predictions:"
    yield f"    path: '{{home}}/sources/{u.loop}/predictions'"
    yield "  feedback:"
    yield f"    path: '{{home}}/sources/{u.loop}/feedback'"
    yield "    columns:"
    yield f"      prediction_id: {yaml_text(u.id.name)}"
    yield f"      value: {yaml_text(u.label.column)}"
    yield from _said(f"      received_time: {yaml_text(u.label_time.name)}", u.label_time.why)
    yield ""


def _columns(u: Understanding) -> Iterator[str]:
    yield "columns:"
    yield from _said(f"  id: {yaml_text(u.id.name)}", u.id.why)
    yield from _said(f"  event_time: {yaml_text(u.event_time.name)}", u.event_time.why)
    yield f"  model_version: {yaml_text(u.model_version.name)}"
    if u.propensity:
        yield f"  propensity: {yaml_text(u.propensity.name)}"
    for kind in ("numeric", "categorical", "text"):
        yield from _features(u, kind)
    if u.segments:
        if not u.segments_said:
            yield "  # guessed: few values, each with many rows"
        yield from _listed("segments", u.segments)
    if u.protected:
        yield "  # guessed by their names: kept for fairness, never features"
        yield from _listed("protected", u.protected)
    yield f"  score: {yaml_text(u.score.name)}"
    if u.label.kind == "multiclass":
        yield "  class_scores:"
        for each in u.label.classes:
            yield f"    {yaml_text(each)}: {yaml_text(f'score_{each}')}"
    yield f"  prediction: {yaml_text(u.prediction.name)}"
    yield from _reasons("Left out because they leak the label (known only afterwards):", u.leaking)
    yield from _reasons("Left out:", u.left_out)
    yield ""


def _features(u: Understanding, kind: str) -> Iterator[str]:
    named = [column for column, its in u.features.items() if its == kind]
    if not named:
        return
    for note in dict.fromkeys(u.notes[c] for c in named if c in u.notes):
        which = [c for c in named if u.notes.get(c) == note]
        yield from _comment(f"guessed: {', '.join(which)}: {note}", "  ")
    yield from _listed(kind, named)


def _label(u: Understanding) -> Iterator[str]:
    label = u.label
    yield "label:"
    found = f"{label.column} was found {label.why}" if label.why else ""
    yield from _said(f"  kind: {label.kind}", found)
    if label.kind == "binary":
        share = f"{label.positive_share:.1%} of the labels"
        yield from _said(f"  positive: {yaml_text(label.positive)}", share)
    if label.kind == "multiclass":
        yield from _listed("classes", label.classes)
    yield from _said(
        f"  max_delay_days: {u.max_delay_days}", u.max_delay_why or "the data do not tell"
    )
    yield ""


def _partitions(u: Understanding) -> Iterator[str]:
    yield "partitions:"
    yield from _said(f"  grain: {u.policies.grain}", u.policies.grain_why)
    yield f"  start: {u.policies.start}"
    yield ""


def _policies(u: Understanding) -> Iterator[str]:
    """Write what is sized to the data, and leave out what equals the default."""
    p = u.policies
    sized: dict[str, dict[str, float]] = {
        "drift": {"min_rows": p.drift_min_rows},
        "trigger": {
            "min_new_labels": p.min_new_labels,
            "cooldown_days": round(p.cooldown_days, 2),
        },
        "pool": {"holdout_days": round(p.holdout_days, 2), "min_rows": p.pool_min_rows},
        "gate": {"min_rows": p.gate_min_rows, "segment_min_rows": p.segment_min_rows},
        "contract": {"freshness_hours": p.freshness_hours},
    }
    yield from _comment(
        f"Policies, sized to {u.labels:,} labels. What is not said has its default:"
        " see configs/schema/loop.schema.json."
    )
    yield "model:"
    yield "  estimator: auto  # or an import path, as sklearn.ensemble.RandomForestClassifier"
    waits = p.new_labels != Trigger().label_quota
    for section, fields in sized.items():
        defaults = Config.model_fields[section].default
        own = {k: v for k, v in fields.items() if v != getattr(defaults, k)}
        if own or (section == "trigger" and waits):
            yield f"{section}:"
            if section == "trigger" and waits:
                yield from _when(p.new_labels)
            for name, value in own.items():
                yield f"  {name}: {yaml_text(value)}"


def _when(new_labels: int) -> Iterator[str]:
    yield "  when:"
    yield "    any:  # or all, or at_least; feedback-assets explain-trigger tells what is missing"
    yield "      - drift: {}"
    yield f"      - new_labels: {new_labels}"


def _listed(name: str, values: Iterable[str]) -> Iterator[str]:
    """Write a list in one line if it fits, else one value a line."""
    texts = [yaml_text(value) for value in values]
    line = f"  {name}: [{', '.join(texts)}]"
    if len(line) <= _WIDTH:
        yield line
        return
    yield f"  {name}:"
    yield from (f"    - {text}" for text in texts)


def _said(line: str, guess: str) -> Iterator[str]:
    """Write a line with the reason of its guess behind it, or above it where it is long."""
    if not guess:
        yield line
        return
    behind = f"{line}  # guessed: {_one_line(guess)}"
    if len(behind) <= _WIDTH:
        yield behind
    else:
        yield from _comment(f"guessed: {guess}", line[: len(line) - len(line.lstrip())])
        yield line


def _reasons(title: str, reasons: dict[str, str]) -> Iterator[str]:
    if reasons:
        yield f"  # {title}"
        yield from (f"  #   {_one_line(c)}: {_one_line(why)}" for c, why in reasons.items())


def _comment(text: str, indent: str = "") -> Iterator[str]:
    lines = textwrap.wrap(_one_line(text), _WIDTH - len(indent) - 2)
    yield from (f"{indent}# {line}" for line in lines)


def _one_line(text: str) -> str:
    """Keep a comment in its line whatever a column is called."""
    return "".join(c if c.isprintable() else " " for c in text)
