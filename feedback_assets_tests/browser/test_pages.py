"""What a person sees first: the lineage page of the UI and the demo's report, in Chromium."""

import io
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from feedback_assets.reports.day_page import day_page
from feedback_assets.reports.incident_page import incident_page
from feedback_assets.reports.server import reports_server
from feedback_assets.reports.timeline import write_simulation_report
from feedback_assets_tests.live import Live
from feedback_assets_tests.reports.examples import day_facts, incident_facts, simulation
from feedback_assets_tests.reports.test_verdict_pages import hostile_day, hostile_incident

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ASSETS = (
    "prediction_log",
    "feedback_events",
    "feedback_table",
    "drift_report",
    "labeled_pool",
    "candidate_model",
    "promoted_model",
)
PATIENCE_MS = 60_000
EVIL = "</title></style><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">"
PAGES = ("days/2013-02-20", "days/evil", "incidents/2013-02-13", "incidents/evil")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install playwright"
    )
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that keeps what went wrong in it in `page.problems`."""
    opened = browser.new_page(viewport={"width": 1500, "height": 1000})
    opened.problems = []
    opened.on("pageerror", lambda error: opened.problems.append(str(error)))
    opened.set_default_timeout(PATIENCE_MS)
    yield opened
    opened.close()


def colours(png: bytes) -> int:
    """How many colours a screenshot has; an empty page has one or two."""
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)
    return len(np.unique(pixels @ np.array([1 << 16, 1 << 8, 1])))


def test_lineage_shows_the_loop_from_source_to_promoted_model(page: Any, live: Live) -> None:
    page.goto(f"{live.url}/locations/feedback_assets/asset-groups/tiny/lineage")
    for asset in ASSETS:
        page.get_by_text(asset, exact=True).first.wait_for()
    assert colours(page.screenshot()) > 50
    assert not page.problems


def test_no_invitation_hides_the_first_page(page: Any, live: Live) -> None:
    page.goto(f"{live.url}/overview")
    page.get_by_text("Lineage").first.wait_for()
    page.wait_for_timeout(2_000)
    assert "Join the Dagster community" not in page.inner_text("body")


def test_an_asset_page_tells_what_it_holds(page: Any, live: Live) -> None:
    page.goto(f"{live.url}/assets/tiny/prediction_log?view=overview")
    page.get_by_text("Unique id of the prediction.").wait_for()
    text = page.inner_text("body")
    for word in ("Says whether a thing is good.", "Delta Lake", "DuckDB", "tiny_arrivals"):
        assert word in text


def test_the_automation_page_lists_every_sensor(page: Any, live: Live) -> None:
    page.goto(f"{live.url}/automation")
    page.get_by_text("tiny_promotion").wait_for()
    text = page.inner_text("body")
    for name in ("arrivals", "dataflow", "late_feedback", "promotion", "retrain"):
        assert f"tiny_{name}" in text


@pytest.fixture
def reports(tmp_path: Path) -> Iterator[str]:
    """The reports server on a folder with a simulation's report and pages of a day."""
    write_simulation_report(simulation(), tmp_path / "flights.html", tmp_path / "flights.json")
    day_page(day_facts(), tmp_path / "flights/days/2013-02-20.html")
    day_page(hostile_day(EVIL), tmp_path / "flights/days/evil.html")
    incident_page(incident_facts(), tmp_path / "flights/incidents/2013-02-13.html")
    incident_page(hostile_incident(EVIL), tmp_path / "flights/incidents/evil.html")
    server = reports_server(tmp_path)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_report_tells_who_did_better_and_every_decision(page: Any, reports: str) -> None:
    page.goto(f"{reports}/flights.html")
    text = page.inner_text("body")
    for word in ("Late arrivals", "0.494", "0.527", "Passengers warned in time"):
        assert word in text
    for decision in simulation()["decisions"]:
        assert decision["reason"] in text
    assert page.locator("svg").count() >= 3
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert colours(page.screenshot(full_page=True)) > 50
    assert not page.problems


def test_the_reports_index_leads_to_the_report(page: Any, reports: str) -> None:
    page.goto(f"{reports}/")
    page.get_by_text("Late arrivals").first.click()
    page.wait_for_url("**/flights.html")
    assert "0.494" in page.inner_text("body")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("width", "scheme"), [(1240, "light"), (1240, "dark"), (390, "light")])
def test_verdict_pages_fit_the_screen_in_either_light(
    page: Any, reports: str, name: str, width: int, scheme: str
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{reports}/flights/{name}.html")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.title() != "pwned"
    assert asked == [f"{reports}/flights/{name}.html"]
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 384) == (scheme == "dark")
    assert colours(page.screenshot(full_page=True)) > 50
    assert not page.problems


def test_hostile_values_are_seen_as_they_are(page: Any, reports: str) -> None:
    for name in ("days/evil", "incidents/evil"):
        page.goto(f"{reports}/flights/{name}.html")
        assert page.locator("main script, main img").count() == 0
        assert "<script>document.title" in page.inner_text("main")


def test_a_day_answers_within_the_first_screen(page: Any, reports: str) -> None:
    page.set_viewport_size({"width": 1240, "height": 900})
    page.goto(f"{reports}/flights/days/2013-02-20.html")
    box = page.locator(".answers").bounding_box()
    assert box["y"] + box["height"] < 900
    assert "have moved since about 2013-02-13" in page.inner_text("h1")


def test_a_day_can_be_read_by_keyboard_and_leads_to_its_incident(page: Any, reports: str) -> None:
    page.goto(f"{reports}/flights/days/2013-02-20.html")
    assert not page.get_by_text("wind_gust").first.is_visible()
    page.get_by_text("16 other columns").focus()
    page.keyboard.press("Enter")
    page.get_by_text("wind_gust").first.wait_for()
    page.get_by_role("link", name="Incident").click()
    page.wait_for_url("**/incidents/2013-02-13.html")
    page.locator("svg.wide a").first.click()
    page.wait_for_url("**/days/2013-02-*.html")
