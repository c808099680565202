"""The simulation report: its numbers, its size, its accessibility, hostile and missing values."""

import copy
import datetime as dt
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from feedback_assets.reports.timeline import write_simulation_report
from feedback_assets_tests.reports.examples import START, simulation

EVIL = "</script><script>document.title='pwned'</script>\"'><img src=x onerror=alert(1)>"


def written(tmp_path: Path, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    html, numbers = tmp_path / "flights.html", tmp_path / "flights.json"
    write_simulation_report(data, html, numbers)
    return html.read_text("utf-8"), json.loads(numbers.read_text("utf-8"))


class Elements(HTMLParser):
    """Every start tag with its attributes, and tags that were left open."""

    VOID = frozenset({"meta", "link", "br", "img", "hr"})
    OPTIONAL = frozenset({"td", "th", "tr", "li"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID | self.OPTIONAL:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.OPTIONAL:
            assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_json_holds_the_same_numbers(tmp_path: Path) -> None:
    data = simulation()
    _, numbers = written(tmp_path, data)
    assert numbers["name"] == "flights"
    assert numbers["from"] == "2013-02-01T00:00:00Z"
    for name in ("loop", "frozen", "retrains", "promotions", "refusals", "every_days"):
        assert numbers[name] == data[name]
    assert len(numbers["weeks"]) == 48
    assert numbers["weeks"][3]["loop"] == data["weeks"][3]["loop"]
    assert [d["kind"] for d in numbers["decisions"]] == [d["kind"] for d in data["decisions"]]


def test_page_is_whole_small_and_needs_nothing_from_outside(tmp_path: Path) -> None:
    html, _ = written(tmp_path, simulation())
    assert Elements(html).open == []
    assert len(html.encode()) < 300_000
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", html)
    assert "http" not in re.sub(r'http-equiv="', "", html)
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_a_year_of_days_stays_small(tmp_path: Path) -> None:
    data = simulation(365, 1)
    data["decisions"] = data["decisions"][:100]
    html, _ = written(tmp_path, data)
    assert len(html.encode()) < 450_000


def test_every_chart_says_what_it_shows(tmp_path: Path) -> None:
    html, _ = written(tmp_path, simulation())
    elements = Elements(html)
    ids = [a["id"] for _, a in elements.found if "id" in a]
    assert len(ids) == len(set(ids))
    charts = elements.all("svg")
    assert len(charts) == 2 * 5
    for chart in charts:
        names = (chart["aria-labelledby"] or "").split()
        assert len(names) == 2
        assert set(names) <= set(ids)


def test_every_decision_is_a_mark_that_leads_to_its_reason(tmp_path: Path) -> None:
    data = simulation()
    html, _ = written(tmp_path, data)
    elements = Elements(html)
    rows = {a["id"] for a in elements.all("tr") if "id" in a}
    marks = [a["href"] for a in elements.all("a") if "mark" in (a.get("class") or "")]
    assert len(rows) == len(data["decisions"])
    assert sorted(marks) == sorted(2 * [f"#{row}" for row in rows])
    assert all(decision["reason"] in html for decision in data["decisions"])


def test_many_decisions_keep_the_newest_and_say_so(tmp_path: Path) -> None:
    data = simulation()
    data["decisions"] = [
        {"time": START + dt.timedelta(hours=i), "kind": "refuse", "reason": f"reason {i}."}
        for i in range(200)
    ]
    html, numbers = written(tmp_path, data)
    assert "reason 199." in html
    assert "reason 49." not in html
    assert "The newest 150 of 200 decisions" in html
    assert len(numbers["decisions"]) == 200


def test_kinds_of_later_days_get_their_own_lane(tmp_path: Path) -> None:
    data = simulation()
    data["decisions"].append({"time": START, "kind": "roll_back", "reason": "it got worse"})
    html, _ = written(tmp_path, data)
    assert ">Roll back</text>" in html
    assert "it got worse" in html


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    data = simulation(title=EVIL, kpi=EVIL, about=EVIL)
    data["weeks"][0] |= {"drift_columns": [EVIL], "verdict": EVIL, "champion": EVIL}
    data["decisions"][0] |= {
        "reason": EVIL,
        "cause": EVIL,
        "version": EVIL,
        "numbers": {EVIL: EVIL},
    }
    html, _ = written(tmp_path, data)
    elements = Elements(html)
    assert len(elements.all("script")) == 2
    assert elements.all("img") == []
    assert elements.open == []


def test_only_our_script_may_run(tmp_path: Path) -> None:
    import base64
    import hashlib

    html, _ = written(tmp_path, simulation())
    script = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html


@pytest.mark.parametrize("missing", [None, float("nan"), float("inf"), np.float64("nan")])
def test_missing_metrics_are_gaps_not_numbers(tmp_path: Path, missing: Any) -> None:
    data = simulation()
    data["weeks"][5]["loop"] = {"log_loss": missing, "auc": missing}
    data["weeks"][6]["loop"] = {}
    data["frozen"] = {"log_loss": missing}
    html, numbers = written(tmp_path, data)
    assert numbers["weeks"][5]["loop"] == {"log_loss": None, "auc": None}
    assert numbers["frozen"]["log_loss"] is None
    assert not re.search(r"\b(nan|inf|None)\b", html)
    line = re.findall(r'<path d="([^"]*)" class="line loop"', html)[0]
    assert line.count("M") == 2


def test_nothing_replayed_still_gives_a_page(tmp_path: Path) -> None:
    html, numbers = written(tmp_path, simulation(0, loop={}, frozen={}))
    assert "Nothing was replayed" in html
    assert numbers["weeks"] == []


def test_numpy_values_and_gate_names_are_taken(tmp_path: Path) -> None:
    data = simulation(metric="roc_auc", loop={"roc_auc": np.float32(0.75)}, frozen={"roc_auc": 0.7})
    data["weeks"][0]["rows"] = np.int64(7)
    html, numbers = written(tmp_path, data)
    assert numbers["loop"] == {"auc": 0.75}
    assert numbers["weeks"][0]["rows"] == 7
    assert "0.750" in html


def test_regression_shows_its_own_metrics(tmp_path: Path) -> None:
    data = simulation(label_kind="regression", metric="mae", loop={"mae": 8.1, "rmse": 10},
                      frozen={"mae": 9.0, "rmse": 12})  # fmt: skip
    html, _ = written(tmp_path, data)
    assert "Mean absolute error by week" in html
    assert "Log loss" not in html


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        (0.49, 0.52, "kept the log loss at 0.490. Frozen in its first version, it would have been 0.520."),
        (0.55, 0.52, "retraining did harm"),
        (0.52, 0.52, "end level"),
    ],
)  # fmt: skip
def test_the_story_is_honest(tmp_path: Path, ours: float, theirs: float, words: str) -> None:
    data = simulation(loop={"log_loss": ours}, frozen={"log_loss": theirs})
    assert words in written(tmp_path, data)[0]


def test_wrong_data_is_named(tmp_path: Path) -> None:
    data = simulation()
    del data["title"]
    data["decisions"][0]["time"] = "soon"
    with pytest.raises(ValidationError, match=r"title[\s\S]*decisions.0.time"):
        written(tmp_path, data)
    assert list(tmp_path.iterdir()) == []


def test_input_is_left_as_it_was_and_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    data = simulation()
    before = copy.deepcopy(data)
    first = written(tmp_path, data)
    assert data == before
    assert written(tmp_path, data) == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["flights.html", "flights.json"]


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
@pytest.mark.parametrize("width", [1200, 500])
def test_in_a_browser_it_draws_and_its_script_runs(tmp_path: Path, width: int) -> None:
    data = simulation()
    data["decisions"][0]["reason"] = EVIL
    written(tmp_path, data)
    picture = tmp_path / "page.png"
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},1400",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]  # fmt: skip
    page = (tmp_path / "flights.html").as_uri()
    dom = subprocess.run(
        [*command, "--dump-dom", page], capture_output=True, text=True, timeout=120, check=True
    ).stdout
    assert "<title>Late arrivals: simulation report</title>" in dom
    assert 'aria-label="15 Mar 2013: trained v2' in dom
    subprocess.run(
        [*command, f"--screenshot={picture}", page], capture_output=True, timeout=120, check=True
    )
    import matplotlib.image

    pixels = matplotlib.image.imread(picture)
    blue = np.abs(pixels[..., :3] - np.array([0x24, 0x56, 0xD6]) / 255).max(axis=-1) < 0.02
    assert pixels.shape[1] == width
    assert blue.sum() > 1_000
