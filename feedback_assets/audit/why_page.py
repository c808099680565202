"""Why a version serves, as people read it."""

from collections.abc import Mapping
from typing import Any

from feedback_assets.audit.document import Document, Reply, Section, Sheet
from feedback_assets.audit.words import (
    UNKNOWN,
    code,
    day,
    decisions_sheet,
    facts,
    gates_sheet,
    metrics_picture,
    metrics_sheet,
    moment,
    version_word,
    way_section,
    who,
)
from feedback_assets.reports.rows import interval, list_words, metric_word, said
from feedback_assets.reports.words import amount

Json = Mapping[str, Any]


def why_document(told: Json) -> Document:
    """The answer of `why.why` as a document."""
    state, tone = state_of(told)
    return Document(
        eyebrow=f"{told['title']} · {told['kpi']}",
        title=headline(told),
        state=state,
        tone=tone,
        replies=(
            begun_reply(told),
            trained_reply(told),
            trigger_reply(told),
            beaten_reply(told),
            let_in_reply(told),
            refused_reply(told),
            back_reply(told),
        ),
        sections=(
            comparison_section(told),
            Section(
                "Gates",
                f"{sum(g['passed'] for g in told['gates'])} of {len(told['gates'])} passed",
                sheet=gates_sheet(told["gates"]),
            ),
            way_section(told["way"]),
            approvals_section(told),
            refused_section(told),
            made_section(told),
            notes_section(told),
            Section("Every decision about it", sheet=decisions_sheet(told["decisions"])),
        ),
        footer=(
            (
                f"Ask further: feedback-assets why-not {told['loop']} VERSION, "
                f"feedback-assets rows {told['loop']} {told['version']} (its training rows), "
                f"feedback-assets reproduce {told['loop']} {told['version']}."
            ),
        ),
    )


def headline(told: Json) -> str:
    """The answer in one line."""
    name, ended = version_word(told["version"]), told["ended"]
    if told["serves"]:
        return f"{name} has served since {day(told['begun']['time'])}"
    if told["reigns"]:
        last = told["reigns"][-1]
        took = "was rolled back to" if ended["kind"] == "rollback" else "was replaced by"
        successor = version_word(ended["version"])
        return f"{name} served until {day(last['until'])}, then {took} {successor}"
    outcome = told["outcome"]
    return f"{name} was refused" if outcome else f"{name} has not served yet"


def state_of(told: Json) -> tuple[str, str]:
    """The mark of the page and its tone."""
    if told["serves"]:
        return "in production", "good"
    if told["reigns"]:
        return ("rolled back", "bad") if told["ended"]["kind"] == "rollback" else ("retired", "")
    return ("refused", "bad") if told["outcome"] else ("candidate", "")


def begun_reply(told: Json) -> Reply:
    """What brought it into production."""
    begun = told["begun"]
    asked = "Why does it serve?" if told["serves"] else "Why did it serve?"
    if not begun:
        outcome = told["outcome"] or (told["decisions"] or [None])[-1]
        return Reply(asked, ("It never did.", outcome["reason"] if outcome else UNKNOWN), "bad")
    verb = "It was promoted" if begun["kind"] == "promote" else "A rollback returned to it"
    lines = [f"{verb} on {moment(begun['time'])}: {begun['rule']}.", begun["reason"]]
    if begun["kind"] == "rollback" and told["promotion"]:
        first = told["promotion"]
        lines.append(f"It was promoted first on {moment(first['time'])}: {first['reason']}")
    if told["ended"]:
        lines.append(f"It ended on {moment(told['ended']['time'])}: {told['ended']['reason']}")
    return Reply(asked, tuple(lines))


def trained_reply(told: Json) -> Reply:
    """Which rows made it."""
    made = told["trained"]
    if not made["table"]:
        return Reply("What was it trained on?", (made["missing"] or UNKNOWN,))
    count = amount(made["rows"], "row") if made["rows"] else "rows"
    span = f" of {made['first']} to {made['last']}" if made["first"] else ""
    return Reply(
        "What was it trained on?",
        (
            f"{count}{span}",
            (
                f"{made['table'].replace('/', '.')} version {made['version']}, "
                f"labels known by {moment(made['as_of'])}"
            ),
        ),
    )


def trigger_reply(told: Json) -> Reply:
    """What asked for its training."""
    trigger = told["trigger"]
    asked = f"asked by {who(trigger['actor'])}" if trigger.get("actor") else ""
    when = f"on {moment(trigger['time'])}" if trigger.get("time") else ""
    return Reply(
        "What triggered it?",
        tuple(filter(None, (trigger["cause"], trigger["reason"], f"{asked} {when}".strip()))),
    )


def beaten_reply(told: Json) -> Reply:
    """What it beat, and by how much."""
    found = told["comparison"]
    if not found:
        return Reply("What did it beat?", ("It has not been compared yet.",))
    if not found["against"]:
        return Reply("What did it beat?", ("Nothing served before it.", found["reason"]))
    held = (found["metrics"] or {}).get(found["metric"]) or {}
    beaten = f"{version_word(found['against'])}"
    if held.get("improvement") is None:
        return Reply("What did it beat?", (beaten, found["reason"]))
    way = "better" if held["improvement"] >= 0 else "worse"
    by = f"{metric_word(found['metric'])} {way} by {said(abs(held['improvement']))}"
    ends = interval(held.get("lower"), held.get("upper"))
    values = f"from {said(held.get('champion'), 4)} to {said(held.get('candidate'), 4)}"
    rows = amount(found["rows"], "row") if found["rows"] else "the same rows"
    return Reply(
        "What did it beat?",
        (
            f"{beaten}, {by}" + (f" ({ends})" if ends else ""),
            f"{values} on {rows} that neither was trained on",
            (found["verdict"] or {}).get("reason", ""),
        ),
        "good" if (held.get("lower") or 0) > 0 else "",
    )


def let_in_reply(told: Json) -> Reply:
    """Who approved."""
    people = told["let_in_by"]
    lines = [f"{who(p['actor'])}: {p['reason']} ({moment(p['time'])})" for p in people["people"]]
    unsigned = [p for p in [*people["people"], *people["overrides"]] if p["signature"] != "genuine"]
    against = [f"{who(p['actor'])} was against it: {p['reason']}" for p in people["against"]]
    if people["overrides"]:
        gates = list_words([str(o["gate"]) for o in people["overrides"]])
        against.append(f"Overridden: {gates}")
    if lines:
        names = list_words([who(p["actor"]) for p in people["people"]])
        doubt = f"{len(unsigned)} signatures are not genuine" if unsigned else ""
        return Reply("Who approved?", (names, *lines, *against, doubt), "bad" if doubt else "")
    if not told["promotion"]:
        return Reply("Who approved?", ("Nobody.", *against))
    risk = f" at risk {people['risk']}" if people["risk"] else ""
    return Reply(
        "Who approved?",
        (f"No person was needed{risk}", f"decided by the rule, run by {who(people['alone'])}", *against),
    )  # fmt: skip


def refused_reply(told: Json) -> Reply:
    """What was refused before it."""
    before = told["refused_before"]
    if not before:
        return Reply("What was refused before it?", ("Nothing since the promotion before.",))
    newest = before[-1]
    names = list_words([version_word(d["version"]) for d in before], 6)
    return Reply(
        "What was refused before it?",
        (names, f"the last, {version_word(newest['version'])}: {newest['reason']}"),
    )


def back_reply(told: Json) -> Reply:
    """What a rollback would return to, and whether the services follow."""
    target = told["rollback_target"]
    line = f"to {version_word(target)}" if target else "Nothing served before it."
    heard = told["acknowledged"]
    followed = ""
    if heard:
        took = f" within {said(heard['seconds'])} s" if heard["seconds"] is not None else ""
        followed = f"{amount(len(heard['services']), 'service')} followed{took}"
    watch = told["watch"]
    watched = f"on watch, {watch['labels']:,} labels so far: {watch['reason']}" if watch else ""
    return Reply("What would a rollback return to?", (line, followed, watched))


def comparison_section(told: Json) -> Section:
    """Both models on the same rows."""
    found = told["comparison"]
    if not found:
        return Section("Compared")
    days = found["days"]
    return Section(
        f"Compared with {version_word(found['against'])}" if found["against"] else "Measured",
        "* decides",
        words=(found["reason"],),
        pictures=metrics_picture(found),
        sheet=metrics_sheet(found),
        facts=facts(
            rows=found["rows"],
            days=f"{days[0]} to {days[1]}" if days else None,
            known_as_of=moment(found["as_of"]) if found["as_of"] else None,
            digest_of_the_rows=code(found["evaluation_digest"]),
        ),
    )


def approvals_section(told: Json) -> Section:
    """Signatures of people."""
    people = told["let_in_by"]
    signed = [*people["people"], *people["against"], *people["overrides"]]
    rows = tuple(
        (who(p["actor"]), p["kind"], moment(p["time"]), p["reason"], p["signature"], code(p["key"]))
        for p in signed
    )
    asked = people["requested"]
    words = (f"Asked on {moment(asked['time'])}: {asked['reason']}",) if asked else ()
    return Section(
        "Approvals",
        words=words,
        sheet=Sheet(("who", "what", "when", "why", "signature", "key"), rows),
    )


def refused_section(told: Json) -> Section:
    """The refusals since the promotion before."""
    rows = tuple(
        (
            version_word(d["version"]),
            moment(d["time"]),
            ", ".join(d["failed_gates"]) or d["rule"],
            d["reason"],
        )
        for d in told["refused_before"]
    )
    return Section(
        "Refused before it",
        amount(len(rows), "candidate"),
        sheet=Sheet(("version", "when", "by", "reason"), rows),
    )


def made_section(told: Json) -> Section:
    """Everything that pins it."""
    made = told["trained"]
    dirty = ", with changes that were not committed" if made["code"]["dirty"] else ""
    commit = made["code"]["git_commit"]
    return Section(
        "Made from",
        words=(made["missing"],) if made["missing"] else (),
        facts=facts(
            model=code(made["onnx_digest"]),
            estimator=code(made["estimator"]),
            pool_fingerprint=code(made["fingerprint"]),
            held_out_rows=made["holdout_rows"],
            configuration=code(made["config_digest"]),
            code=f"{made['code']['version'] or UNKNOWN}, commit {commit or UNKNOWN}{dirty}",
            lock_file=code(made["code"]["lock_digest"]),
            libraries=", ".join(f"{k} {v}" for k, v in (made["libraries"] or {}).items()),
            parity=f"ONNX and estimator differ by at most {said(made['parity'])}"
            if made["parity"] is not None
            else None,
            warnings="; ".join(made["warnings"]),
        ),
    )


def notes_section(told: Json) -> Section:
    """The release notes, as they were written."""
    notes = told["release_notes"] or ""
    lines = [line.strip("# ") for line in notes.splitlines() if line.strip() and line[0] != "|"]
    return Section("Release notes", words=tuple(lines[:12]))
