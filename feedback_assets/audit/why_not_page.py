"""Why a version does not serve, as people read it."""

from collections.abc import Mapping
from typing import Any

from feedback_assets.audit.document import Document, Reply, Section, Sheet
from feedback_assets.audit.why_page import approvals_section, comparison_section, made_section
from feedback_assets.audit.words import (
    by_how_much,
    decisions_sheet,
    gates_sheet,
    moment,
    version_word,
    way_section,
    who,
)
from feedback_assets.reports.rows import list_words, said

Json = Mapping[str, Any]
_TONES = {"serves": "good", "refused": "bad", "rolled back": "bad"}


def why_not_document(told: Json) -> Document:
    """The answer of `why_not.why_not` as a document."""
    gates = told["gates"]
    return Document(
        eyebrow=f"{told['title']} · {told['kpi']}",
        title=headline(told),
        state=told["standing"],
        tone=_TONES.get(told["standing"], ""),
        replies=(stopped_reply(told), margin_reply(told), decided_reply(told), now_reply(told)),
        sections=(
            Section(
                "Gates",
                f"{sum(not g['passed'] for g in gates)} of {len(gates)} failed",
                sheet=gates_sheet(gates),
            ),
            numbers_section(told),
            comparison_section(told),
            way_section(told["way"]),
            approvals_section(told),
            made_section(told),
            Section("Every decision about it", sheet=decisions_sheet(told["decisions"])),
        ),
        footer=(
            (
                "What a gate may not hide: one that has no threshold or no data fails, and says so. "
                f"Ask further: feedback-assets why {told['loop']}, "
                f"feedback-assets rows {told['loop']} {told['version']}."
            ),
        ),
    )


def headline(told: Json) -> str:
    """The answer in one line."""
    name = version_word(told["version"])
    match told["standing"]:
        case "serves":
            return f"{name} does serve: ask feedback-assets why {told['loop']}"
        case "refused":
            names = list_words([str(stop["name"]).replace("_", " ") for stop in told["stopped_by"]])
            return f"{name} was refused by {names}"
        case "rolled back":
            return f"{name} was promoted and taken back on {moment(told['ended']['time'])}"
        case "replaced":
            return f"{name} served until {version_word(told['ended']['version'])} was better"
        case "on trial":
            return f"{name} is on trial beside {version_word(told['champion'])}"
        case _:
            return f"{name} was trained and not judged yet"


def stopped_reply(told: Json) -> Reply:
    """Which gate or rule."""
    asked = "What stopped it?"
    if told["stopped_by"]:
        lines = [stop["reason"] for stop in told["stopped_by"]]
        names = [str(stop["name"]).replace("_", " ") for stop in told["stopped_by"]]
        return Reply(asked, (list_words(names, 6), *lines), "bad")
    if told["missing"]:
        waits = told["missing"]
        people = "It waits for approvals." if waits["requested"] else ""
        seen = waits["look"]
        evidence = f"{seen['labels']:,} labels: {seen['reason']}" if seen else waits["reason"]
        since = f"in {waits['stage'] or 'the gates'} since {moment(waits['since'])}"
        return Reply(asked, ("Nothing: the decision is open.", since, evidence, people))
    if told["ended"]:
        return Reply(asked, (told["ended"]["reason"],))
    return Reply(asked, ("Nothing.",))


def margin_reply(told: Json) -> Reply:
    """By how much."""
    asked = "By how much?"
    lines = [
        f"{str(stop['name']).replace('_', ' ')}: {said(stop['observed'])} against "
        f"{said(stop['threshold'])}, short by {by_how_much(stop)}"
        for stop in told["stopped_by"]
        if stop["observed"] is not None and stop["by"]
    ]
    if lines:
        return Reply(asked, tuple(lines), "bad")
    if told["stopped_by"]:
        return Reply(asked, ("It has no single number.", "the reason says what was looked at"))
    return Reply(asked, ("Nothing was missed.",))


def decided_reply(told: Json) -> Reply:
    """Who decided, when, by which rule."""
    decision = told["ended"] or told["outcome"]
    if not decision:
        return Reply("Who decided?", ("Nobody yet.",))
    by = {"watch": "by the watch after its promotion", "hand": "by hand"}.get(
        told["ended_by"] or "", ""
    )
    return Reply(
        "Who decided?",
        (f"{who(decision['actor'])} {by}".strip(), f"{moment(decision['time'])}, {decision['rule']}"),
    )  # fmt: skip


def now_reply(told: Json) -> Reply:
    """Who serves instead."""
    return Reply("Who serves?", (version_word(told["champion"]),))


def numbers_section(told: Json) -> Section:
    """The numbers that a rule without gates decided by."""
    numbers = {
        name: value
        for stop in told["stopped_by"]
        for name, value in (stop.get("numbers") or {}).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    rows = tuple((name.replace("_", " "), said(value, 4)) for name, value in numbers.items())
    return Section("Deciding numbers", sheet=Sheet(("number", "value"), rows, frozenset({1})))
