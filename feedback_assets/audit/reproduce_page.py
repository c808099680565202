"""Whether a version came out the same again, as people read it."""

from collections.abc import Mapping
from typing import Any

from feedback_assets.audit.document import Document, Reply, Section, Sheet
from feedback_assets.audit.words import code, facts, version_word
from feedback_assets.reports.rows import said
from feedback_assets.reports.words import MISSING, amount

Json = Mapping[str, Any]
_OUTCOMES = {True: "passed", False: "failed", None: MISSING}


def reproduce_document(told: Json) -> Document:
    """The answer of `reproduce.reproduce` as a document."""
    good = told["same_model"] and told["same_gate"] is not False
    name = version_word(told["version"])
    return Document(
        eyebrow=f"{told['title']} · reproduced",
        title=f"{name} comes out the same" if good else f"{name} does not come out the same",
        state="reproduced" if good else "differs",
        tone="good" if good else "bad",
        replies=(model_reply(told), gate_reply(told)),
        sections=(
            Section("What differs", words=tuple(told["differences"])),
            Section(
                "Digests",
                facts=facts(
                    model_then=code(told["model"]["recorded"]),
                    model_now=code(told["model"]["digest"]),
                    evaluation_then=code(((told["gate"] or {}).get("suite_digest") or {}).get("then")),
                    evaluation_now=code(((told["gate"] or {}).get("suite_digest") or {}).get("now")),
                ),
            ),
            gates_section(told),
        ),
        footer=(
            ("Differences of the code, the lock file or the libraries are named also where the "
            "outcome is the same."),
        ),
    )  # fmt: skip


def model_reply(told: Json) -> Reply:
    """Whether the file is the same."""
    asked, model = "Is it the same model?", told["model"]
    if told["same_model"]:
        lines = ("Yes, byte for byte.", f"trained again on {amount(model['rows'], 'row')}")
        return Reply(asked, lines, "good")
    if model["problem"]:
        return Reply(asked, ("It cannot be trained again.", model["problem"]), "bad")
    return Reply(asked, ("No.", *model["unlike"]), "bad")


def gate_reply(told: Json) -> Reply:
    """Whether the judgement is the same."""
    asked, gate = "Is it the same verdict?", told["gate"]
    if gate is None:
        return Reply(asked, ("No verdict is recorded.",))
    if gate["same"]:
        words = f"{len(gate['gates'])} gates asked again" if gate["gates"] else "compared again"
        evidence = gate["verdict"]
        said_so = f"the paired evidence says {evidence['now']} again" if evidence else ""
        return Reply(asked, (f"Yes: {gate['outcome']['now']}.", words, said_so), "good")
    return Reply(asked, ("No.", *gate["differences"]), "bad")


def gates_section(told: Json) -> Section:
    """Each gate then and now."""
    gates = (told["gate"] or {}).get("gates", [])
    rows = tuple(
        (
            gate["name"].replace("_", " "), _OUTCOMES[gate["then"]], _OUTCOMES[gate["now"]],
            said(gate["observed_then"], 6), said(gate["observed_now"], 6),
        )
        for gate in gates
    )  # fmt: skip
    names = ("gate", "then", "now", "observed then", "observed now")
    return Section("Gates", sheet=Sheet(names, rows, frozenset({3, 4})))
