"""The Evidently page: hostile values, what it cannot draw, and whose verdict it shows."""

import datetime as dt
import random
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from feedback_assets.config.schema import Config
from feedback_assets.drift import WHOLE, DayVerdict, build, judge, tally
from feedback_assets.reports.evidently_page import harmless, render

SCRIPT = (
    "</script><script>document.title='pwned'</script><img src=x onerror=document.title='pwned'>"
)
EVIL_COLUMN = "<b onclick=alert(1)>"
KINDS = {"a": "numeric", "i": "numeric", "nothing": "numeric", "c": "categorical"}
ROWS = 600


def config(**sections: object) -> Config:
    return Config.model_validate(
        {
            "name": "trial",
            "title": "Trial",
            "owners": ["team:trial"],
            "kpi": {"name": "trust"},
            "source": {"predictions": {"path": "p"}, "feedback": {"path": "f"}},
            "columns": {
                "numeric": ["a", "constant", "nothing", "i"],
                "categorical": ["c", EVIL_COLUMN],
                "text": ["t"],
            },
            "label": {"kind": "binary"},
            "partitions": {"start": dt.date(2024, 1, 1)},
            **sections,
        }
    )


def rows(shift: float, seed: int, count: int = ROWS) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    odd = SCRIPT if shift else "z"
    infinite = np.where(draw.random(count) < 0.1, np.inf, draw.normal(size=count))
    return pd.DataFrame(
        {
            "a": draw.normal(shift, 1, count),
            "constant": 1.0,
            "nothing": np.full(count, np.nan),
            "i": infinite,
            "c": draw.choice(["x", "it's", "{0}${x}\\n`", odd], count),
            EVIL_COLUMN: draw.choice(["p", "q"], count),
            "t": draw.choice(["hello", "good day", None], count),
            "score": draw.random(count),
            "prediction": pd.array(draw.integers(0, 2, count), dtype="Int64"),
        }
    )


def verdict_of(current: pd.DataFrame, reference: pd.DataFrame, loop: Config) -> DayVerdict:
    kinds = {k: v for k, v in KINDS.items() if k in current and k in reference}
    profile = build(reference, kinds, loop.drift)
    counted = {c: tally(current[c], profile.columns[c].bins) for c in kinds}
    return judge(profile, {WHOLE: counted}, ["d"], loop.drift, [0])["d"]


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, DayVerdict, tuple[bool, bool]]:
    out = tmp_path_factory.mktemp("page") / "day.html"
    loop, now, before = config(), rows(1.5, 1), rows(0, 2)
    verdict = verdict_of(now, before, loop)
    np.random.seed(5)
    random.seed(5)
    expected = np.random.RandomState(5).random(), random.Random(5).random()
    page = render(now, before, loop, f"Day {SCRIPT}", verdict, out)
    same = np.random.random() == expected[0], random.random() == expected[1]
    assert page.left_out == {"nothing": "all null in these rows"}
    assert set(page.shown) == {"a", "constant", "i", "c", EVIL_COLUMN, "t", "score", "prediction"}
    return out.read_text(encoding="utf-8"), verdict, same


def test_no_value_and_no_name_becomes_markup(drifted: tuple[str, DayVerdict, object]) -> None:
    html = drifted[0]
    assert "<script>document.title" not in html
    assert "<img src=x" not in html
    assert EVIL_COLUMN not in html
    assert "\\u2039script\\u203adocument.title" in html


def test_our_verdict_stands_first_and_evidently_repeats_it(
    drifted: tuple[str, DayVerdict, object],
) -> None:
    html, verdict, _ = drifted
    assert verdict.status == "drift"
    banner = html.index('<span class="word drift">')
    assert banner < html.index("root_metric")
    assert "nothing (all null in these rows)" in html
    assert "Dataset Drift is detected" in html
    assert "detection threshold" not in html


def test_global_randomness_is_left_as_it_was(
    drifted: tuple[str, DayVerdict, tuple[bool, bool]],
) -> None:
    assert drifted[2] == (True, True)


def test_evidently_stays_silent_where_we_see_no_drift(tmp_path: Path) -> None:
    loop, before = config(drift={"margin_sd": 50.0}), rows(0, 2)
    now = before.assign(a=before["a"] + 3)
    verdict = verdict_of(now, before, loop)
    assert verdict.status == "stable"
    page = render(now, before, loop, "Day", verdict, tmp_path / "day.html")
    html = page.path.read_text(encoding="utf-8")
    assert "Dataset Drift is NOT detected" in html
    assert '<span class="word stable">' in html


def test_only_a_bounded_sample_is_drawn(tmp_path: Path) -> None:
    loop = config(drift={"page_rows": 100})
    now, before = rows(0, 1), rows(0, 2)
    page = render(now, before, loop, "Day", verdict_of(now, before, loop), tmp_path / "day.html")
    assert "a sample of 100 rows against 100 of the reference" in page.path.read_text("utf-8")


def test_an_empty_day_gives_a_page_that_says_so(tmp_path: Path) -> None:
    loop, before = config(), rows(0, 2)
    now = before.iloc[:0]
    page = render(now, before, loop, "Day", verdict_of(now, before, loop), tmp_path / "day.html")
    assert page.shown == ()
    assert page.left_out["a"] == "there are no rows in these rows"
    assert "a sample of 0 rows" in page.path.read_text("utf-8")


def test_a_missing_column_is_left_out_and_said(tmp_path: Path) -> None:
    loop, before = config(), rows(0, 2)
    now = rows(0, 1).drop(columns="c")
    page = render(now, before, loop, "Day", verdict_of(now, before, loop), tmp_path / "day.html")
    assert page.left_out["c"] == "missing in these rows"
    assert "c" not in page.shown


@pytest.mark.parametrize("value", [SCRIPT, "a\u2028b", "x" * 500, "\x00\x1b[31m", 3.5, None])
def test_harmless_values_hold_no_markup(value: object) -> None:
    text = harmless(value)
    assert not set("<>&`\u2028\x00\x1b") & set(text)
    assert len(text) <= 60


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_in_a_browser_no_hostile_value_runs(
    drifted: tuple[str, DayVerdict, object], tmp_path: Path
) -> None:
    page = tmp_path / "day.html"
    page.write_text(drifted[0], encoding="utf-8")
    dom = subprocess.run(
        [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=8000",
            "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    title = re.search(r"<title>(.*?)</title>", dom)
    assert title is not None
    assert title.group(1).startswith("Day ")
    assert "Dataset Drift is detected" in dom
