"""The page of an evaluation: what it says, hostile and missing values."""

import copy
import re
from functools import cache
from typing import Any

import pytest

from feedback_assets.config.schema import Config
from feedback_assets.evaluation.suite import Versions, examine
from feedback_assets.reports.evaluation_page import SHOWN_SEGMENTS, evaluation_page
from feedback_assets_tests.evaluation.examples import config, rows, trained
from feedback_assets_tests.reports.test_timeline import EVIL, Elements
from feedback_assets_tests.reports.test_verdict_pages import HOSTILE, words

KINDS = ("binary", "multiclass", "regression")
LIMITS = {
    "calibration": {"max_error": 0.031},
    "churn": {"max_share": 0.42, "max_negative_flips": 0.043},
    "fairness": {"min_disparate_impact": 0.811, "max_equal_opportunity_difference": 0.121},
    "robustness": {"max_loss": 0.66},
    "latency": {"p95_ms": 177},
    "size": {"max_mb": 155, "max_memory_mb": 166},
}


@cache
def _suite(kind: str, champion: bool, n: int) -> dict[str, Any]:
    before = trained(kind, 60) if champion else None
    named = Versions("12", "9" if champion else None)
    return examine(config(kind), rows(n, kind, 5), before, trained(kind, 400, 2), versions=named)


def suite(kind: str = "binary", champion: bool = True, n: int = 300) -> dict[str, Any]:
    return copy.deepcopy(_suite(kind, champion, n))


def page(
    found: dict[str, Any], kind: str = "binary", made: Config | None = None, **links: str
) -> str:
    html = evaluation_page(found, made or config(kind), links)
    assert not Elements(html).open
    return html


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("champion", [True, False])
@pytest.mark.parametrize("n", [0, 300])
def test_every_suite_has_a_page_that_needs_nothing_from_outside(
    kind: str, champion: bool, n: int
) -> None:
    html = page(suite(kind, champion, n), kind)
    elements = Elements(html)
    assert not elements.all("script")
    assert not re.search(r"https?://(?!www\.w3\.org)", html)
    assert "nan" not in words(html).lower().split()
    assert "None" not in words(html)
    text = words(html)
    assert ("Answers that change" in text) == champion
    assert ("champion" in text.lower()) == (champion or "no champion yet" in text)
    assert ("Calibration" in text) == ("Fairness" in text) == (kind != "regression")
    assert len(html) < 150_000


def test_the_first_screen_says_who_is_better_and_by_how_much() -> None:
    found = suite()
    main = found["overall"]["log_loss"]
    text = words(page(found)).split("All rows")[0]
    assert (
        f"v12 is better than v9: log loss {main['candidate']:.3g} against {main['champion']:.3g}"
        in text
    )
    assert "better beyond chance" in text
    assert f"{main['lower']:.3g} to {main['upper']:.3g}" in text
    assert "Toy · v12 against v9 · 300 rows · 3 days" in text


@pytest.mark.parametrize(
    ("lower", "upper", "gain", "said"),
    [
        (-0.03, -0.01, -0.02, "worse beyond chance"),
        (-0.01, 0.03, 0.01, "not told apart"),
        (None, None, 0.01, "not told apart"),
        (0.0, 0.03, 0.01, "not told apart"),
    ],
)
def test_chance_is_never_sold_as_better(lower: Any, upper: Any, gain: float, said: str) -> None:
    found = suite()
    found["overall"]["log_loss"] |= {"lower": lower, "upper": upper, "improvement": gain}
    text = words(page(found)).split("All rows")[0]
    assert said in text
    assert "v12 is better" not in text
    assert "better beyond" not in text


def test_a_segment_that_is_clearly_worse_is_named_first() -> None:
    found = suite()
    found["segments"][0] |= {"verdict": "clearly worse", "value": "Islands", "improvement": -0.2}
    html = page(found)
    assert "Clearly worse in region Islands." in words(html)
    assert '<td class="tight bad-word">clearly worse</td>' in html
    assert "No segment is clearly worse" not in html
    assert "No segment is clearly worse" in page(suite())


def test_limits_of_the_gates_stand_beside_what_they_limit() -> None:
    text = words(page(suite(), made=config(gate=LIMITS)))
    for asked in (
        "at most 0.031", "at most 42.0%", "at most 4.3%", "at least 0.811", "at most 0.121",
        "at most +66%", "at most 177 ms", "at most 155 MB", "at most 166 MB",
    ):  # fmt: skip
        assert f"the gate asks for {asked}" in text, asked
    none = dict.fromkeys(LIMITS)
    assert "the gate asks for" not in words(page(suite(), made=config(gate=none)))


def test_every_number_of_the_suite_is_on_the_page() -> None:
    found = suite()
    found["churn"] = {"changed_share": 0.123, "negative_flips": 0.045, "positive_flips": 0.067, "mean_score_change": 0.0789}  # fmt: skip
    found["robustness"][0] |= {"candidate_increase": 0.37, "champion_increase": 0.38}
    found["importance"][0] |= {"candidate": 0.391, "champion": 0.392}
    found["ablation"][0] |= {"candidate": 0.393, "champion": 0.394}
    found["latency"]["candidate"] |= {"p50_ms": 1.11, "p95_ms": 2.22, "p99_ms": 3.33}
    found["size"]["candidate"] = {"file_mb": 4.44, "memory_mb": 5.55}
    found["fairness"][0]["disparate_impact"]["candidate"] = {
        "value": 0.611,
        "lower": 0.5,
        "upper": 0.7,
    }
    found["fairness"][0]["groups"][0]["true_positive_rate"]["candidate"] = 0.717
    text = words(page(found))
    for shown in (
        "12.3%", "4.5%", "6.7%", "0.0789", "+37%", "+38%", "0.391", "0.392", "0.393", "0.394",
        "1.11 ms", "2.22 ms", "3.33 ms", "4.44 MB", "5.55 MB", "0.611 0.5 to 0.7", "71.7%",
        found["evaluation_digest"], found["candidate"]["digest"], "2024-01-01", "2024-01-03",
    ):  # fmt: skip
        assert shown in text, shown


def test_small_groups_are_shown_as_not_judged() -> None:
    found = suite()
    found["fairness"][0]["groups"][1]["judged"] = False
    assert words(page(found)).count("too few rows to judge") == 1
    assert "too few rows to judge" not in words(page(suite()))


def test_what_is_not_known_is_a_dash_and_says_why() -> None:
    found = suite()

    def unknown(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: unknown(v) for k, v in value.items()}
        if isinstance(value, list):
            return [unknown(v) for v in value]
        return None if isinstance(value, float) else value

    blank = {**unknown(found), "confidence": 0.95}
    blank["unscored"]["candidate"] = 7
    text = words(page(blank))
    assert "Log loss can not be said: v12 gives no score for 7 rows" in text
    assert "better" not in text.split("Segments")[0].replace("Better by", "")


@pytest.mark.parametrize("evil", HOSTILE)
def test_hostile_values_stay_text(evil: str) -> None:
    found = suite("multiclass")
    calm = len(Elements(page(suite("multiclass"), "multiclass")).found)
    found["segments"][0] |= {"column": evil, "value": evil, "verdict": "clearly worse"}
    found["fairness"][0] |= {"attribute": evil, "answer": evil}
    found["fairness"][0]["groups"][0]["group"] = evil
    found["robustness"][0] |= {"name": evil, "columns": [evil] * 7}
    for part in ("importance", "ablation"):
        found[part][0] |= {"group": evil, "features": [evil, evil]}
    found["days"] = {evil: {"rows": 3}, **found["days"]}
    found["candidate"]["version"] = found["as_of"] = evil
    found["champion"]["digest"] = evil
    made = config("multiclass").model_copy(update={"title": evil})
    html = page(found, "multiclass", made, **{evil: "../ok.html"})
    elements = Elements(html)
    assert {tag for tag, _ in elements.found} <= {
        tag for tag, _ in Elements(page(suite())).found
    } | {"nav", "a", "h3"}
    assert not [a for _, attributes in elements.found for a in attributes if a.startswith("on")]
    assert "\u202e" not in html
    assert "<script" not in html
    if evil.startswith("{{"):
        assert words(html).count(evil) >= 8
    assert abs(len(elements.found) - calm) < 15


def test_links_lead_to_pages_of_this_site_only() -> None:
    links = {
        "Canary": "../canary/12.html",
        "Elsewhere": "https://evil.example/x",
        "Bad": "javascript:alert(1)",
    }
    html = evaluation_page(suite(), config(), links)
    assert [a["href"] for a in Elements(html).all("a")] == ["../canary/12.html"]
    assert EVIL not in html


def test_many_segments_are_folded_away_not_lost() -> None:
    found = suite()
    one = found["segments"][0]
    found["segments"] = [{**one, "value": f"value-{i}"} for i in range(SHOWN_SEGMENTS + 25)]
    html = page(found)
    assert "25 smaller segments" in html
    assert all(f"value-{i}<" in html for i in range(SHOWN_SEGMENTS + 25))
    assert html.index("<details>") < html.index(f"value-{SHOWN_SEGMENTS}<")
