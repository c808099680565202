"""What is to be said of the labels' quality: headline, figures that come first, changed habits."""

from typing import Any

from feedback_assets.reports.evaluation_words import Card
from feedback_assets.reports.plain import plain_text
from feedback_assets.reports.rows import Row, count, interval, number, percent, said
from feedback_assets.reports.words import MISSING, amount

RELIABLE, TENTATIVE = 0.8, 0.667
"""From which alpha on conclusions may be drawn, and may be tried (Krippendorff 2004)."""


def outcome(report: Row) -> tuple[str, str]:
    """Whether the labels are good enough, in a word with its tone: better, worse or open."""
    audit = report["audit"]
    if not audit or not audit["rows"]:
        return "not audited", "open"
    asked = audit["asked"]
    if asked is None:
        return "audited", "open"
    if audit["low"] >= asked:
        return f"at least {percent(asked)} right", "better"
    if audit["high"] < asked:
        return f"fewer than {percent(asked)} right", "worse"
    return f"{percent(asked)} not proven yet", "open"


def headline(report: Row) -> str:
    """The share of right labels in one sentence."""
    audit = report["audit"]
    if not audit:
        return "Nobody audits these labels yet"
    if not audit["rows"]:
        return "No label was given again by an auditor yet"
    return (
        f"{percent(audit['share'])} of labels are right, by {amount(audit['rows'], 'audited row')}"
    )


def story(report: Row) -> str:
    """What stands out, in a few sentences."""
    parts = []
    alpha = report["alpha"]
    if alpha["alpha"] is not None:
        parts.append(
            f"People agree {alpha_word(alpha['alpha'])} (alpha {said(alpha['alpha'], 2)})."
        )
    changed = sorted({plain_text(row["annotator"], 40) for row in report["habits"]})
    if changed:
        names = ", ".join(changed[:3]) + (
            f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        )
        parts.append(f"The answers of {names} changed: look at them first.")
    if report["disputed_rows"]:
        parts.append(f"{amount(report['disputed_rows'], 'row')} need one more answer.")
    return " ".join(parts)


def alpha_word(alpha: float) -> str:
    """What an alpha means.

    >>> alpha_word(0.9), alpha_word(0.7), alpha_word(0.2)
    ('well', 'passably', 'badly')
    """
    if alpha >= RELIABLE:
        return "well"
    return "passably" if alpha >= TENTATIVE else "badly"


def cards(report: Row) -> list[Card]:
    """The figures that come first."""
    audit, alpha, errors = report["audit"], report["alpha"], report["errors"]
    made = [_right(audit), _agreement(alpha)]
    people = amount(len(report["annotators"]), "person").replace("persons", "people")
    skips = f", {count(report['skips'])} skipped" if report["skips"] else ""
    made.append(Card("Answers", count(report["answers"]), f"by {people}{skips}"))
    if errors:
        note = f"of {count(report['examined'])} examined, to be looked at"
        made.append(Card("Labels in doubt", count(errors["rows"]), note))
    conflicts = report["conflicts"]
    if conflicts:
        note = (
            "equal features, other label" if conflicts["telling"] else "normal here: few features"
        )
        made.append(Card("Conflicts", count(conflicts["groups"]), note))
    if report["disputed_rows"]:
        made.append(Card("Open disputes", count(report["disputed_rows"]), "ask one more person"))
    return made


def _right(audit: Row | None) -> Card:
    if not audit or not audit["rows"]:
        return Card("Labels right", MISSING, "no label was audited yet")
    tone = {"better": "better", "worse": "worse"}.get(outcome({"audit": audit})[1], "")
    ends = f"{percent(audit['low'])} to {percent(audit['high'])}"
    return Card(
        "Labels right", percent(audit["share"]), f"{ends} by {count(audit['rows'])} rows", tone
    )


def _agreement(alpha: Row) -> Card:
    if alpha["alpha"] is None:
        return Card("Agreement (alpha)", MISSING, "nothing was answered twice yet")
    ends = interval(alpha["low"], alpha["high"], 2)
    note = f"{ends + ', ' if ends else ''}{amount(alpha['items'], 'row')} answered twice"
    value = alpha["alpha"]
    tone = "better" if value >= RELIABLE else "" if value >= TENTATIVE else "worse"
    return Card("Agreement (alpha)", said(value, 2), note, tone)


def doubt_words(report: Row) -> str:
    """What a list of doubtful labels is worth, by the audit."""
    errors = report["errors"]
    if errors["at_most"] is None:
        return (
            "How many of them are wrong only an audit can tell: a model also doubts what is rare."
        )
    examined = report["examined"]
    open_ = f"By the audit at most {percent(errors['at_most'] / examined)} of labels are wrong"
    models = number(errors["models_say"])
    if models * examined > errors["at_most"]:
        return (
            f"{open_}. The models alone would say {percent(models)}: the rest is chance, no error."
        )
    return f"{open_}."


def habit_words(row: Row) -> str:
    """One changed habit as a sentence without its subject.

    >>> habit_words({"habit": "minutes", "about": "", "before": 1.2, "after": 0.1})
    'takes 0.1 minutes for an answer, was 1.2'
    """
    before, after = row["before"], row["after"]
    if row["habit"] == "minutes":
        return f"takes {said(after, 2)} minutes for an answer, was {said(before, 2)}"
    if row["habit"] == "agreement":
        return f"agrees with others and golden rows in {percent(after)}, was {percent(before)}"
    if not row["about"]:
        return f"answers {said(after)} on average, was {said(before)}"
    about = plain_text(row["about"], 40)
    return f"says “{about}” in {percent(after)} of answers, was {percent(before)}"


def owner_name(name: Any) -> str:
    """Whose a label is, for people.

    >>> owner_name("person:ann"), owner_name("token:app"), owner_name("unnamed")
    ('ann (person)', 'app (service)', 'nobody named')
    """
    words = plain_text(name, 60)
    kind, _, rest = words.partition(":")
    known = {"person": "person", "token": "service"}
    if rest and kind in known:
        return f"{rest} ({known[kind]})"
    return "nobody named" if words == "unnamed" else words
