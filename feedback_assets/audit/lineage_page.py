"""Lineage as people read it."""

from collections.abc import Mapping
from typing import Any

from feedback_assets.audit.document import Document, Reply, Section, Sheet
from feedback_assets.audit.words import (
    UNKNOWN,
    code,
    day,
    decisions_sheet,
    facts,
    moment,
    version_word,
    who,
)
from feedback_assets.reports.rows import list_words, said
from feedback_assets.reports.words import amount

Json = Mapping[str, Any]
SHOWN = 60


def back_document(told: Json) -> Document:
    """The answer of `lineage.lineage_back` as a document."""
    row, model = told["prediction"], told["model"]
    return Document(
        eyebrow=f"{told['title']} · lineage, back",
        title=f"Where prediction {told['prediction_id']} comes from",
        state="rows intact" if model and model["intact"] else ("rows changed" if model else ""),
        tone=("good" if model["intact"] else "bad") if model and model["intact"] is not None else "",
        replies=(
            Reply(
                "What was said?",
                (
                    f"{said(row.get('prediction'))} with score {said(row.get('score'))}"
                    if row.get("score") is not None
                    else "Nothing: no model answered it.",
                    f"on {moment(row.get('event_time'))}, role {row.get('role') or UNKNOWN}",
                ),
            ),
            answered_reply(model),
            learned_reply(model),
            truth_reply(told),
        ),
        sections=(
            Section(
                "Where it is kept",
                facts=facts(
                    came_in=code(row.get("source_file")), received=moment(row.get("received_time"))
                ),
                sheet=Sheet(
                    ("table", "partition", "rows", "digest", "made from"),
                    tuple(
                        (
                            f"{told['loop']}.{table}", c["partition"], f"{c['rows']:,}",
                            code(c["digest"][:16]),
                            list_words([f"{k} {v}" for k, v in c["made_from"].items()], 6),
                        )
                        for table, c in told["tables"].items()
                    ),
                    frozenset({2}),
                ),
            ),
            feedback_section(told),
            *people_sections(told),
            manifest_section(told),
        ),
        footer=(rows_hint(told),) if model else (),
    )  # fmt: skip


def answered_reply(model: Json | None) -> Reply:
    """Which model, and what let it answer."""
    if not model:
        return Reply("Which model answered?", ("None: the row is history.",))
    if not model["known"]:
        name = version_word(model["version"])
        return Reply(
            "Which model answered?", (name, "It is not one of this loop's versions."), "bad"
        )
    let_in = model["let_in_by"]
    role = model["role_then"] or "not in production then, by the ledger"
    since = f"since {moment(let_in['time'])}: {let_in['reason']}" if let_in else ""
    return Reply("Which model answered?", (f"{version_word(model['version'])}, {role}", since))


def learned_reply(model: Json | None) -> Reply:
    """What that model learned from."""
    asked = "What had it learned from?"
    if model and model["unreadable"]:
        return Reply(asked, ("Its rows cannot be read.", model["unreadable"]), "bad")
    if not model or not model["partitions"]:
        return Reply(asked, (UNKNOWN if model else "Nothing.",))
    made = model["trained"]
    days = [p["partition"] for p in model["partitions"] if p["trained"]]
    state = "their digests are as recorded" if model["intact"] else "THEIR DIGESTS DIFFER NOW"
    return Reply(
        asked,
        (
            f"{amount(made['rows'], 'row')} of {days[0]} to {days[-1]}",
            f"{made['table'].replace('/', '.')} version {made['version']}; {state}",
            f"trained on {day(made['trained_at'])}: {model['trigger']['reason']}",
        ),
        "" if model["intact"] else "bad",
    )


def truth_reply(told: Json) -> Reply:
    """What is known of the truth."""
    label = told["label"]
    if label.get("label") is None:
        return Reply("What was true?", (label.get("label_status") or "Nothing is known yet.",))
    when = f"learned on {moment(label.get('label_received_time'))}"
    said_by = label.get("label_principal") or label.get("label_source")
    by = f", said by {who(said_by)}" if said_by else ""
    return Reply("What was true?", (str(label["label"]), when + by))


def people_sections(told: Json) -> list[Section]:
    """What people were asked of it and what each of them answered; none where nobody was."""
    queue, answers = told["people"]["review_queue"], told["people"]["annotations"]
    if not queue and not answers:
        return []
    asked = Sheet(
        ("asked", "why", "chance", "question"),
        tuple(
            (
                moment(q["asked_at"]), f"{q['strategy']}: {q['reason']}", f"{q['probability']:.3g}",
                code(q["task_id"]),
            )
            for q in queue
        ),
    )  # fmt: skip
    given = Sheet(
        ("answered", "who", "answer", "seconds", "by", "the model's answer"),
        tuple(
            (
                moment(a["annotated_at"]), a["annotator"], a["value"] or a["said"],
                said(a["duration_seconds"]), a["route"], "seen" if a["saw_opinion"] else "hidden",
            )
            for a in answers
        ),
        frozenset({3}),
    )  # fmt: skip
    pool = told["pool"]
    where = {"split": pool["split"], "weight": said(pool.get("weight"))} if pool else {}
    return [
        Section("What people were asked", sheet=asked),
        Section("What they answered", sheet=given, facts=facts(**where)),
    ]


def feedback_section(told: Json) -> Section:
    """All that was said of it."""
    rows = tuple(
        (
            moment(event.get("received_time")), str(event.get("kind")), str(event.get("value")),
            ", ".join(filter(None, (event.get("source"), event.get("principal")))),
            code(event.get("source_file")), code(event.get("event_id")),
        )
        for event in told["feedback"]
    )  # fmt: skip
    names = ("received", "kind", "value", "said by", "came in", "event")
    return Section("Feedback", amount(len(rows), "event"), sheet=Sheet(names, rows))


def manifest_section(told: Json) -> Section:
    """The manifest of the training rows."""
    model = told["model"]
    if not model or not model["partitions"]:
        return Section("Training rows")
    parts = [p for p in model["partitions"] if p["trained"]]
    made = model["trained"]
    rows = tuple(
        (p["partition"], f"{p['trained']:,}", f"{p['rows']:,}", code(p["digest"]))
        for p in parts[-SHOWN:]
    )
    rest = f"; the newest {SHOWN} are listed, --json has all" if len(parts) > SHOWN else ""
    return Section(
        "Training rows",
        f"{amount(len(parts), 'partition')}{rest}",
        facts=facts(fingerprint=code(made["fingerprint"]), model=code(made["onnx_digest"])),
        sheet=Sheet(("partition", "trained on", "in the pool", "digest"), rows, frozenset({1, 2})),
    )


def rows_hint(told: Json) -> str:
    """How to see the rows themselves."""
    version = told["model"]["version"]
    return (
        f"The rows themselves: feedback-assets rows {told['loop']} {version} --to rows.parquet; "
        f"with --verify every digest is computed again."
    )


def forward_document(told: Json) -> Document:
    """The answer of `touched.lineage_forward` as a document."""
    start = told["from"]
    name = f"row {start['row']}" if start["row"] is not None else f"source {start['source']}"
    learned = [m for m in told["models"] if m.get("trained")]
    served = [version_word(m["version"]) for m in learned if m["served"]]
    return Document(
        eyebrow=f"{told['title']} · lineage, forward",
        title=f"What {name} touched",
        replies=(
            Reply(
                "Which rows?",
                (
                    amount(told["rows"], "prediction"),
                    "; ".join(f"{rows:,} in {table}" for table, rows in told["found_as"].items()),
                ),
            ),
            Reply(
                "Which models learned from it?",
                (
                    list_words([version_word(m["version"]) for m in learned], 8) or "None.",
                    f"{list_words(served, 8)} served" if served else "none of them served",
                ),
                "",
            ),
            Reply(
                "How many answers depend on it?",
                (
                    f"{sum(told['answers'].values()):,}",
                    "; ".join(f"{v:,} by {version_word(k)}" for k, v in told["answers"].items()),
                ),
            ),
            Reply("Which decisions?", (f"{len(told['decisions'])}",)),
        ),
        sections=(
            models_section(told),
            Section("Decisions", sheet=decisions_sheet(told["decisions"])),
            tables_section(told),
            judged_section(told),
            Section(
                "Pages",
                amount(len(told["pages"]), "page"),
                sheet=Sheet(("page",), tuple((code(page),) for page in told["pages"][:SHOWN])),
            ),
        ),
    )


def models_section(told: Json) -> Section:
    """What each version did with the rows."""
    rows = tuple(
        (
            version_word(m["version"]), f"{m.get('trained', 0):,}", f"{m.get('held out', 0):,}",
            f"{m.get('left over', 0):,}", "yes" if m["served"] else "no",
            f"{told['answers'].get(m['version'], 0):,}",
        )
        for m in told["models"]
    )  # fmt: skip
    names = ("version", "trained on", "held out", "not drawn", "served", "answers given")
    return Section("Models", "rows of these", sheet=Sheet(names, rows, frozenset({1, 2, 3, 5})))


def tables_section(told: Json) -> Section:
    """The partitions that hold the rows."""
    rows = tuple(
        (f"{told['loop']}.{table}", f"{len(keys)}", f"{sum(keys.values()):,}", span(list(keys)))
        for table, keys in told["tables"].items()
    )
    names = ("table", "partitions", "rows", "which")
    return Section("Tables that hold them", sheet=Sheet(names, rows, frozenset({1, 2})))


def judged_section(told: Json) -> Section:
    """The days whose verdicts read the rows."""
    rows = tuple(
        (f"{told['loop']}.{table}", f"{len(keys)}", span(keys))
        for table, keys in told["judged"].items()
    )
    return Section(
        "Verdicts that read them",
        "windows that reach back included",
        sheet=Sheet(("table", "partitions", "which"), rows, frozenset({1})),
    )


def span(keys: list[str]) -> str:
    """Partitions in short."""
    return keys[0] if len(keys) == 1 else f"{min(keys)} to {max(keys)}"
