"""Release notes: what a promotion or a refusal means, for people who did not see it happen."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from feedback_assets.config.schema import Config
from feedback_assets.promotion.decisions import Decision

_SEGMENTS_SHOWN = 20
_MARKUP = str.maketrans(
    {"<": "&lt;", ">": "&gt;", "&": "&amp;", "\n": " ", "\r": " "}
    | {c: f"\\{c}" for c in "\\`*_[]|#!"}
)


def release_notes(
    decision: Decision, suite: Mapping[str, Any], manifest: Mapping[str, Any], config: Config
) -> str:
    """Markdown that says what was decided and why, in numbers, and from which rows.

    Args:
        decision: the promotion or refusal, with `gates`, `rollout` and `approvals` in its details.
        suite: what was found on the evaluation rows; empty where nothing had to be examined.
        manifest: the pool's: `table`, `version`, `partitions` {key: {digest, rows}}, and optionally
            `fingerprint`.
        config: the loop's.

    Returns:
        Markdown; every value from data is escaped.
    """
    parts = [
        _headline(decision, config),
        _safe(_sentence(decision.reason)),
        f"Rule: {_safe(decision.rule)}. Cause: {_safe(decision.cause)}. By: {_safe(decision.actor)}.",
        f"The model serves **{_safe(config.kpi.name)}**. {_safe(config.kpi.description)}".strip(),
        _gates_table(decision.details.get("gates", ())),
        _stages(decision.details.get("rollout", ())),
        _approvals(decision.details.get("approvals", ())),
        _metrics_table(suite) if suite else "",
        _segments_table(suite["segments"]) if suite else "",
        _data(manifest),
        _way_back(decision),
        _evidence(decision, suite),
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


def _gates_table(gates: Sequence[Mapping[str, Any]]) -> str:
    if not gates:
        return ""
    lines = ["## Gates", "", "| gate | observed | limit | outcome |", "| --- | ---: | ---: | --- |"]
    for gate in gates:
        outcome = "passed" if gate["passed"] else "**failed**"
        if gate.get("overridden_by"):
            outcome = f"overridden by {_safe(gate['overridden_by'])}"
        observed, limit = _known(gate["observed"]), _known(gate["threshold"])
        lines.append(f"| {_safe(gate['name'])} | {observed} | {limit} | {outcome} |")
    return "\n".join(lines)


def _stages(stages: Sequence[Mapping[str, Any]]) -> str:
    if not stages:
        return ""
    lines = ["## Rollout", ""]
    for stage in stages:
        end = f" to {stage['to'][:16]}" if stage.get("to") else ""
        what = "passed over" if stage.get("passed_over") else f"{stage['from'][:16]}{end}"
        labels = f", {stage['labels']:,} labelled rows by its end" if stage.get("labels") else ""
        lines.append(f"- {_safe(stage['stage'])}: {_safe(what)}{labels}")
    return "\n".join(lines)


def _approvals(approvals: Sequence[Mapping[str, Any]]) -> str:
    if not approvals:
        return ""
    lines = ["## People", ""]
    for given in approvals:
        action = given.get("statement", {}).get("action", "approve")
        lines.append(f"- {_safe(given['by'])}: {_safe(action)}: {_safe(given['reason'])}")
    return "\n".join(lines)


def _metrics_table(suite: Mapping[str, Any]) -> str:
    lines = [
        f"## Both models on the same {suite['rows']:,} held-out rows",
        "",
        "| metric | champion | candidate | improvement | from | to |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, found in suite["overall"].items():
        mark = f"**{_safe(name)}**" if name == suite["metric"] else _safe(name)
        told = (found.get(k) for k in ("champion", "candidate", "improvement", "lower", "upper"))
        lines.append(f"| {mark} | {' | '.join(_known(value) for value in told)} |")
    lines += ["", "An improvement above 0 is better; from and to are its one-sided bounds."]
    return "\n".join(lines)


def _segments_table(segments: Sequence[Mapping[str, Any]]) -> str:
    if not segments:
        return ""
    lines = [
        "## Segments",
        "",
        "| segment | rows | champion | candidate | verdict |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for s in segments[:_SEGMENTS_SHOWN]:
        name = f"{_safe(s['column'])} {_safe(s['value'])}"
        both = f"{_known(s['champion'])} | {_known(s['candidate'])}"
        lines.append(f"| {name} | {s['rows']:,} | {both} | {s['verdict']} |")
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


def _way_back(decision: Decision) -> str:
    target = decision.details.get("rollback_target")
    if decision.kind != "promote" or not target:
        return ""
    return (
        f"## The way back\n\n`feedback-assets rollback {_safe(decision.loop)} --reason TEXT` "
        f"returns to version {_safe(target)}."
    )


def _evidence(decision: Decision, suite: Mapping[str, Any]) -> str:
    evidence = decision.evidence
    before = evidence.get("champion")
    lines = [
        "## Evidence",
        "",
        f"- decision `{decision.decision_id}`",
        f"- candidate `{evidence.get('candidate')}`",
        f"- champion `{before}`" if before else "- no champion before",
    ]
    if suite:
        lines.append(f"- evaluation rows `{suite['evaluation_digest']}`")
    return "\n".join(lines)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def _known(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:,.4f}"


def _safe(value: object) -> str:
    return str(value).translate(_MARKUP)
