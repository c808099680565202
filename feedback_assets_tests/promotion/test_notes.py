"""Release notes say what happened, in numbers, and pass nothing hostile on."""

import datetime as dt

import numpy as np

from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.gate import compare
from feedback_assets.promotion.notes import release_notes
from feedback_assets.promotion.scores import ModelScores
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


def notes(kind: str = "promote", first: bool = False) -> str:
    rng = np.random.default_rng(0)
    p = rng.random(1_000)
    y = (rng.random(1_000) < p).astype(float)
    names = np.array(["<script>alert(1)</script>", "a|b"] * 500, dtype=object)
    config = loop_config(gate={"resamples": 200})
    champion = None if first else ModelScores("old", "rows", np.full(1_000, 0.5), version="2")
    gate = compare(champion, ModelScores("new", "rows", p, version="3"), y, config, {"c": names})
    decision = Decision(
        loop="toy",
        kind=kind,  # type: ignore[arg-type]
        time=dt.datetime(2024, 3, 1, 9, tzinfo=dt.UTC),
        cause="drift",
        rule=gate.rule,
        reason=gate.reason,
        evidence={"candidate": "new"},
        version="3",
        previous_version=None if first else "2",
        numbers=gate.numbers,
    )
    return release_notes(decision, gate, MANIFEST, config)


def test_a_promotion_says_why_in_numbers_and_from_which_rows() -> None:
    text = notes()
    assert text.startswith("# Toy: version 3 is promoted, in place of version 2")
    assert "Log loss 0.69" in text
    assert "| **log\\_loss** | 0.6931 |" in text
    assert "1,500 rows of 2 partitions, 2024-01-01 to 2024-01-02" in text
    assert "version 12" in text
    assert "Happy toys" in text


def test_a_refusal_and_a_first_model_read_well() -> None:
    assert "version 3 is refused; version 2 stays" in notes("refuse")
    first = notes(first=True)
    assert "no champion before" in first
    assert "nan" not in first


def test_hostile_values_are_only_text() -> None:
    text = notes()
    assert "<script" not in text
    assert "a\\|b" in text
