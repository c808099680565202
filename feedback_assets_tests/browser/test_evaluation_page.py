"""The page of an evaluation in Chromium: nothing runs, nothing hangs over, dark and light."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feedback_assets.reports.evaluation_page import evaluation_page
from feedback_assets_tests.browser.test_pages import ARGUMENTS, CHROMIUM, EVIL
from feedback_assets_tests.evaluation.examples import config
from feedback_assets_tests.reports.test_evaluation_page import suite

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install playwright"
    )
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


def hostile() -> dict[str, Any]:
    found = copy.deepcopy(suite())
    for row in found["segments"]:
        row["value"] = EVIL + "w" * 400
    found["robustness"][0]["name"] = EVIL
    found["fairness"][0]["groups"][0]["group"] = EVIL
    found["importance"][0]["group"] = found["ablation"][0]["group"] = EVIL
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1180])
@pytest.mark.parametrize("evil", [False, True])
def test_it_fits_the_window_and_runs_nothing(
    chromium: Any, tmp_path: Path, evil: bool, width: int, scheme: str
) -> None:
    html = evaluation_page(hostile() if evil else suite(), config())
    file = tmp_path / "page.html"
    file.write_text(html, "utf-8")
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.goto(file.as_uri())
    assert page.title() == "Toy: evaluation of v12"
    assert errors == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("script, img, iframe").count() == 0
    small = page.evaluate(
        "[...document.querySelectorAll('main svg.bar')].filter(b => b.getBoundingClientRect().width < 20).length"
    )
    assert small == 0
    page.close()
