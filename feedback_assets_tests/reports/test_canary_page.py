"""The page and the plots of a trial, from plain values."""

import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from feedback_assets.reports.axes import NARROW, WIDE
from feedback_assets.reports.canary_charts import evidence_chart, gain_chart
from feedback_assets.reports.canary_page import CanaryFacts, Rule, canary_html
from feedback_assets.reports.canary_plots import evidence_path, gain_path
from feedback_assets.reports.plots import MAX_BYTES

EVIL = '<img src=x onerror="alert(1)">'
RULES = [Rule("labels", "200", "60", False), Rule(EVIL, EVIL, EVIL, None)]


def path(points: int, gain: float = 0.01) -> list[dict[str, Any]]:
    """Evidence that grows in favour of the challenger."""
    return [
        {
            "labels": 10 * n,
            "gain": gain,
            "lower": gain - 3 / n,
            "upper": gain + 3 / n,
            "log_better": 0.5 * n,
            "log_safe": 0.7 * n,
            "log_worse": -0.3 * n,
        }
        for n in range(1, points + 1)
    ]


def look(**changes: Any) -> dict[str, Any]:
    last = path(20)[-1]
    paired = {**last, "metric": "log_loss", "champion_loss": 0.4, "candidate_loss": 0.39}
    unknown = {"value": None, "low": None, "high": None}
    known = {"value": 1.0, "low": 0.9, "high": 1.1}
    arm = {"requests": 100, "others": 3, "p50_ms": 1.0, "p95_ms": 2.5, "p99_ms": None,
           "warnings": {EVIL: 3}}  # fmt: skip
    return {
        "trial": "trial-2-against-1", "kind": "trial", "stage": "canary", "champion": "1",
        "challenger": "2", "since": "2024-01-01T00:00:00+00:00", "as_of": "2024-01-09T00:00:00",
        "predictions": 300, "labels": 200, "paired": paired,
        "verdict": {"outcome": "wait", "rule": "r", "reason": EVIL},
        "service": {"champion": arm, "challenger": arm, "error_excess": 0.01,
                    "latency_ratio": 1.2,
                    "shadow": {"scores": 10, "compared": 8, "agreeing": 8,
                               "largest_difference": 1e-7}},
        "kpi": {"name": EVIL, "unit": "EUR", "rows": 300, "labels": 200, "maturity": 0.67,
                "champion": {"estimated": known, "realised": known},
                "challenger": {"estimated": known, "realised": unknown}, "gain": unknown},
        **changes,
    }  # fmt: skip


def facts(**changes: Any) -> CanaryFacts:
    given = {"title": EVIL, "look": look(), "path": path(20), "history": pd.DataFrame(),
             "rules": RULES, "margin": 0.008, "alpha": 0.05}  # fmt: skip
    return CanaryFacts(**{**given, **changes})


def test_hostile_words_stay_words() -> None:
    page = canary_html(facts())
    assert "<img" not in page
    assert page.count("&lt;img") >= 7
    assert "<script" not in page


def test_what_is_missing_is_said_first_and_in_the_table() -> None:
    page = canary_html(facts())
    assert "labels: 60 (200)" in page
    assert '<td class="tight state missed">not met</td>' in page
    assert '<td class="tight state open">not known yet</td>' in page
    done = canary_html(facts(rules=[Rule("labels", "200", "260", True)]))
    assert "every rule of this stage is met" in done


def test_a_page_before_the_first_label_has_no_empty_chart() -> None:
    paired = dict.fromkeys(look()["paired"]) | {"metric": "log_loss", "log_better": 0.0,
                                                "log_safe": 0.0, "log_worse": 0.0}  # fmt: skip
    page = canary_html(facts(path=[], look=look(paired=paired, labels=0, service=None, kpi=None)))
    assert "<svg" not in page
    assert "Nobody asked the service" in page
    assert "nan" not in page.lower()


@pytest.mark.parametrize(
    ("kind", "outcome", "words"),
    [
        ("trial", "promote", "v2 may take the place of v1"),
        ("trial", "wait", "v2 is tried against v1"),
        ("trial", "reject", "v2 should not take the place of v1"),
        ("watch", "wait", "v2 serves; nothing proves it worse than v1"),
        ("watch", "rollback", "v2 is worse than v1, which it replaced"),
    ],
)
def test_the_headline_says_how_it_stands(kind: str, outcome: str, words: str) -> None:
    verdict = {"outcome": outcome, "rule": "r", "reason": "because"}
    page = canary_html(facts(look=look(kind=kind, verdict=verdict)))
    assert f"<h1>{words}</h1>" in page


def coordinates(svg: str) -> list[float]:
    found = re.findall(r'[ "ML](-?\d+(?:\.\d+)?)', " ".join(re.findall(r' d="([^"]*)"', svg)))
    return [float(number) for number in found]


@pytest.mark.parametrize("layout", [WIDE, NARROW])
@pytest.mark.parametrize("points", [1, 2, 200])
def test_nothing_is_drawn_outside_a_chart(layout: Any, points: int) -> None:
    wild = path(points)
    wild[0] |= {"gain": 40.0, "lower": -math.inf, "upper": math.inf, "log_better": 900.0}
    for svg in (gain_chart(wild, 0.01, layout), evidence_chart(wild, 0.05, layout)):
        assert svg is not None
        assert "nan" not in svg
        assert "inf" not in svg
        assert all(0 <= number <= layout.width for number in coordinates(svg))


def test_the_bar_of_a_proof_is_where_the_file_puts_it() -> None:
    assert "1 in 20" in str(evidence_chart(path(20), 0.05, WIDE))
    assert "1 in 100" in str(evidence_chart(path(20), 0.01, WIDE))


def test_plots_fit_into_metadata() -> None:
    rng = np.random.default_rng(1)
    noisy = [{**point, "gain": rng.normal()} for point in path(200)]
    for png in (gain_path(noisy, 0.01), evidence_path(noisy, 0.05), gain_path([], 0.01),
                evidence_path([], 0.05)):  # fmt: skip
        assert png.startswith(b"\x89PNG")
        assert len(png) < MAX_BYTES
