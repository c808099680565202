"""Release notes: what a promotion or a refusal means, for people who did not see it happen."""

import math
from collections.abc import Mapping
from typing import Any

from feedback_assets.config.schema import Config
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.gate import GateResult
from feedback_assets.promotion.segments import SegmentResult

_SEGMENTS_SHOWN = 20
_MARKUP = str.maketrans(
    {"<": "&lt;", ">": "&gt;", "&": "&amp;", "\n": " ", "\r": " "}
    | {c: f"\\{c}" for c in "\\`*_[]|#!"}
)


def release_notes(
    decision: Decision, gate: GateResult, manifest: Mapping[str, Any], config: Config
) -> str:
    """Markdown that says what was decided and why, in numbers, and from which rows.

    Args:
        decision: the promotion or refusal.
        gate: the comparison that led to it.
        manifest: the pool's: `table`, `version`, `partitions` {key: {digest, rows}}, and optionally
            `fingerprint`.
        config: the loop's.

    Returns:
        Markdown; every value from data is escaped.
    """
    parts = [
        _headline(decision, config),
        _safe(_sentence(decision.reason)),
        f"Rule: {_safe(decision.rule)}. Cause: {_safe(decision.cause)}.",
        f"The model serves **{_safe(config.kpi.name)}**. {_safe(config.kpi.description)}".strip(),
        _metrics_table(gate),
        _segments_table(gate.segments),
        _data(manifest),
        _evidence(decision, gate),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _headline(decision: Decision, config: Config) -> str:
    version = _safe(decision.version or "?")
    verb = {"promote": "is promoted", "refuse": "is refused"}.get(decision.kind, decision.kind)
    line = f"# {_safe(config.title)}: version {version} {verb}"
    before = decision.previous_version
    if decision.kind == "promote" and before:
        line += f", in place of version {_safe(before)}"
    if decision.kind == "refuse" and before:
        line += f"; version {_safe(before)} stays"
    return f"{line}\n\n{decision.time:%Y-%m-%d %H:%M} UTC"


def _metrics_table(gate: GateResult) -> str:
    names = [n for n in gate.candidate if n not in {"rows", "positive_share"}]
    lines = [
        f"## Both models on the same {gate.rows:,} held-out rows",
        "",
        "| metric | champion | candidate |",
        "| --- | ---: | ---: |",
    ]
    for name in names:
        mark = f"**{_safe(name)}**" if name == gate.metric else _safe(name)
        before, after = gate.champion.get(name, math.nan), gate.candidate[name]
        lines.append(f"| {mark} | {_number(before)} | {_number(after)} |")
    if math.isfinite(gate.lower):
        bounds = f"{_number(gate.lower)} to {_number(gate.upper)}"
        sentence = (
            f"Improvement in {_safe(gate.metric)}: {_number(gate.improvement)}, {gate.confidence:.0%} "
            f"one-sided bounds {bounds} (paired bootstrap; above 0 is better)."
        )
        lines += ["", sentence]
    return "\n".join(lines)


def _segments_table(segments: tuple[SegmentResult, ...]) -> str:
    if not segments:
        return ""
    lines = [
        "## Segments",
        "",
        "| segment | rows | champion | candidate | verdict |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for s in segments[:_SEGMENTS_SHOWN]:
        name = f"{_safe(s.column)} {_safe(s.value)}"
        lines.append(
            f"| {name} | {s.rows:,} | {_number(s.champion)} | {_number(s.candidate)} | {s.verdict} |"
        )
    if len(segments) > _SEGMENTS_SHOWN:
        lines += ["", f"{len(segments) - _SEGMENTS_SHOWN} smaller segments are not listed."]
    return "\n".join(lines)


def _data(manifest: Mapping[str, Any]) -> str:
    partitions: Mapping[str, Mapping[str, Any]] = manifest.get("partitions", {})
    if not partitions:
        return ""
    rows = sum(int(p["rows"]) for p in partitions.values())
    lines = [
        "## Data",
        "",
        f"- {rows:,} rows of {len(partitions):,} partitions, {min(partitions)} to {max(partitions)}",
        f"- table {_safe(manifest.get('table', '?'))}, version {_safe(manifest.get('version', '?'))}",
    ]
    if "fingerprint" in manifest:
        lines.append(f"- fingerprint `{manifest['fingerprint']}`")
    return "\n".join(lines)


def _evidence(decision: Decision, gate: GateResult) -> str:
    lines = [
        "## Evidence",
        "",
        f"- decision `{decision.decision_id}`",
        f"- candidate `{gate.candidate_digest}`",
        f"- champion `{gate.champion_digest}`" if gate.champion_digest else "- no champion before",
        f"- evaluation rows `{gate.evaluation_digest}`",
    ]
    return "\n".join(lines)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def _number(value: float) -> str:
    return "-" if not math.isfinite(value) else f"{value:,.4f}"


def _safe(value: object) -> str:
    return str(value).translate(_MARKUP)
