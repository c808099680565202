"""The page of label quality: what it says, and that nothing of the data becomes markup."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from feedback_assets.config.schema import Config
from feedback_assets.reports.label_plots import agreement_bars
from feedback_assets.reports.label_quality_page import label_quality_page
from feedback_assets.reports.label_quality_words import (
    cards,
    doubt_words,
    habit_words,
    headline,
    outcome,
    owner_name,
)
from feedback_assets_tests.reports.label_examples import HOSTILE, report
from feedback_assets_tests.worlds import LOOP

CONFIG = Config.model_validate({**LOOP, "review": {"words": {"1": "late", "0": "in time"}}})


def page(found: dict[str, Any] | None = None, **links: str) -> str:
    return label_quality_page(found or report(), CONFIG, links)


class Tags(HTMLParser):
    """Every tag of a page, and all its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_what_a_head_of_annotators_looks_for() -> None:
    text = Tags(page()).text
    assert "95.8% of labels are right, by 212 audited rows" in text
    assert "92.1% to 98.0%" in text
    for name in ("ann", "bob", "cy", "dee", "eve"):
        assert name in text
    assert "changed since 2024-01-0" in text
    assert "flight-2024-01-01-00000" in text
    assert "25 more" in text
    assert "eve (person)" in text
    assert "212 labels gave what 760 random ones would" in text
    assert "81.6% to 86.8%" in text


def test_labels_are_shown_in_the_files_own_words() -> None:
    text = re.sub(r"\s+", "", Tags(page()).text)
    assert "late→intime" in text


def test_hostile_names_are_text() -> None:
    parsed = Tags(page(report(hostile=True)))
    assert "script" not in parsed.tags
    assert "alert(1)" in parsed.text
    assert "{{7*7}}" in parsed.text
    assert "\u202e" not in parsed.text
    assert HOSTILE[:8] in parsed.text


def test_nothing_comes_from_outside() -> None:
    html = page()
    assert "http://" not in html
    assert "https://" not in html
    assert "default-src 'none'" in html


def test_links_stay_inside() -> None:
    html = page(Advice="advice.html", Bad="javascript:alert(1)")
    assert 'href="advice.html"' in html
    assert "javascript:" not in html


def test_before_anything_is_known() -> None:
    nothing = {
        "as_of": "2024-01-01T00:00:00+00:00", "confidence": 0.95, "answers": 0, "skips": 0,
        "predictions": 0, "annotators": [], "habits": [], "pairs": [], "disputed_rows": 0,
        "disputed": [], "audit": None, "examined": 0, "errors": None, "conflicts": None,
        "alpha": {"alpha": None, "low": None, "high": None, "items": 0, "answers": 0, "level": "nominal"},
    }  # fmt: skip
    text = Tags(page(nothing)).text
    assert "Nobody audits these labels yet" in text
    assert "What the labels bought" not in text
    assert (
        headline({**nothing, "audit": {"rows": 0}}) == "No label was given again by an auditor yet"
    )


@pytest.mark.parametrize(
    ("low", "high", "asked", "tone"),
    [(0.96, 0.99, 0.95, "better"), (0.93, 0.99, 0.95, "open"), (0.8, 0.94, 0.95, "worse"),
     (0.8, 0.94, None, "open")],
)  # fmt: skip
def test_the_outcome_follows_the_interval(
    low: float, high: float, asked: float | None, tone: str
) -> None:
    audit = {"rows": 200, "right": 190, "share": 0.95, "low": low, "high": high, "asked": asked}
    found = {**report(), "audit": audit}
    assert outcome(found)[1] == tone
    assert cards(found)[0].tone == ("" if tone == "open" else tone)


def test_habits_and_owners_in_words() -> None:
    row = {"habit": "answers", "about": "late", "before": 0.12, "after": 0.41}
    assert habit_words(row) == "says “late” in 41.0% of answers, was 12.0%"
    assert habit_words({**row, "about": ""}) == "answers 0.41 on average, was 0.12"
    agreed = habit_words({**row, "habit": "agreement"})
    assert agreed == "agrees with others and golden rows in 41.0%, was 12.0%"
    assert owner_name("app") == "app"
    assert owner_name("person:") == "person:"


def test_doubt_is_held_against_the_audit() -> None:
    found = report()
    assert doubt_words(found) == (
        "By the audit at most 7.9% of labels are wrong. "
        "The models alone would say 12.0%: the rest is chance, no error."
    )
    found["errors"] |= {"models_say": 0.03}
    assert doubt_words(found) == "By the audit at most 7.9% of labels are wrong."
    found["errors"] |= {"at_most": None}
    assert "only an audit can tell" in doubt_words(found)


def test_coarse_features_are_not_blamed() -> None:
    found = report()
    found["conflicts"] |= {"telling": False, "twin_share": 0.4}
    assert "no fault here" in Tags(page(found)).text
    assert "no fault here" not in Tags(page()).text


def test_the_plot_is_a_picture_with_or_without_people() -> None:
    for people in ([], report()["annotators"], report(hostile=True)["annotators"]):
        assert agreement_bars(people).startswith(b"\x89PNG")
