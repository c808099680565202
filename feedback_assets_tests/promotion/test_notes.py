"""Release notes say what happened, in numbers, and pass nothing hostile on."""

import datetime as dt
from typing import Any

from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.notes import release_notes
from feedback_assets_tests.promotion.loops import loop_config

MANIFEST = {
    "table": "toy/labeled_pool",
    "version": 12,
    "fingerprint": "f" * 64,
    "partitions": {
        "2024-01-02": {"digest": "d2", "rows": 1_000},
        "2024-01-01": {"digest": "d1", "rows": 500},
    },
}
HOSTILE = "<script>alert(1)</script>"


def suite(first: bool = False) -> dict[str, Any]:
    both = {
        "champion": None if first else 0.6931,
        "candidate": 0.5012,
        "improvement": None if first else 0.1919,
        "lower": None if first else 0.17,
        "upper": None if first else 0.21,
    }
    return {
        "metric": "log_loss",
        "rows": 1_000,
        "evaluation_digest": "e" * 64,
        "overall": {"log_loss": both, "accuracy": both},
        "segments": [
            {"column": "c", "value": value, "rows": 500, "verdict": "ok", **both}
            for value in (HOSTILE, "a|b")
        ],
    }


def notes(kind: str = "promote", first: bool = False, suite_there: bool = True) -> str:
    gates = [
        {
            "name": "latency",
            "passed": True,
            "observed": 0.2,
            "threshold": 200.0,
            "overridden_by": "",
        },
        {
            "name": "churn",
            "passed": True,
            "observed": 0.3,
            "threshold": 0.2,
            "overridden_by": "ann",
        },
        {"name": "size", "passed": False, "observed": None, "threshold": None, "overridden_by": ""},
    ]
    decision = Decision(
        loop="toy",
        kind=kind,  # type: ignore[arg-type]
        time=dt.datetime(2024, 3, 1, 9, tzinfo=dt.UTC),
        cause="drift",
        rule="safe and worth it",
        reason=f"log loss 0.6931 to 0.5012; {HOSTILE}",
        evidence={"candidate": "new", "champion": None if first else "old"},
        version="3",
        previous_version=None if first else "2",
        actor="sensor:toy_rollout",
        details={
            "gates": gates,
            "rollout": [
                {
                    "stage": "shadow",
                    "from": "2024-02-20T09:00:00+00:00",
                    "to": "2024-02-27T09:00:00+00:00",
                    "labels": 4_321,
                },
                {"stage": "canary", "from": "2024-02-27T09:00:00+00:00", "passed_over": True},
            ],
            "approvals": [
                {"by": "person:ann", "reason": HOSTILE, "statement": {"action": "approve"}}
            ],
            "rollback_target": None if first else "2",
        },
    )
    return release_notes(decision, suite(first) if suite_there else {}, MANIFEST, loop_config())


def test_a_promotion_says_why_in_numbers_and_from_which_rows() -> None:
    text = notes()
    assert text.startswith("# Toy: version 3 is promoted, in place of version 2")
    assert "Log loss 0.69" in text
    assert "| **log\\_loss** | 0.6931 | 0.5012 | 0.1919 | 0.1700 | 0.2100 |" in text
    assert "1,500 rows of 2 partitions, 2024-01-01 to 2024-01-02" in text
    assert "version 12" in text
    assert "Happy toys" in text
    assert "feedback-assets rollback toy" in text


def test_it_names_gates_stages_and_people() -> None:
    text = notes()
    assert "| latency | 0.2000 | 200.0000 | passed |" in text
    assert "| churn | 0.3000 | 0.2000 | overridden by ann |" in text
    assert "| size | - | - | **failed** |" in text
    assert "- shadow: 2024-02-20T09:00 to 2024-02-27T09:00, 4,321 labelled rows" in text
    assert "- canary: passed over" in text
    assert "- person:ann: approve" in text


def test_a_refusal_and_a_first_model_read_well() -> None:
    assert "version 3 is refused; version 2 stays" in notes("refuse")
    assert "## Both models" not in notes("refuse", suite_there=False)
    first = notes(first=True)
    assert "no champion before" in first
    assert "nan" not in first
    assert "rollback" not in first


def test_hostile_values_are_only_text() -> None:
    text = notes()
    assert "<script" not in text
    assert "a\\|b" in text
