"""Pages of loops whose truth is known of some rows only say so."""

from feedback_assets.reports.day_page import day_html
from feedback_assets_tests.reports.examples import day_facts
from feedback_assets_tests.reports.test_evaluation_page import page, suite
from feedback_assets_tests.reports.test_timeline import EVIL, Elements
from feedback_assets_tests.reports.test_verdict_pages import words

SAID = "truth becomes known only where prediction = 1; nothing is known of the others"


def test_the_day_says_what_cannot_be_known() -> None:
    assert f"Selective labels: {SAID}." in words(day_html(day_facts(selective=SAID)))
    assert "Selective labels" not in day_html(day_facts())
    hostile = day_html(day_facts(selective=EVIL))
    assert EVIL not in hostile
    assert not Elements(hostile).open


def test_the_evaluation_says_what_cannot_be_known() -> None:
    assert f"T{SAID[1:]}." in words(page({**suite(), "selective": SAID}))
    assert "ruth becomes known" not in page(suite())
    assert EVIL not in page({**suite(), "selective": EVIL})
