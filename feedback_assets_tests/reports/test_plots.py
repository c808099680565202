"""Plots are small PNGs, for empty and for hostile input as well."""

import base64
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from feedback_assets.config.judgement import Drift
from feedback_assets.drift import WHOLE, build, judge, tally
from feedback_assets.reports import model_plots, plots

DAYS = [f"2013-02-{day:02d}" for day in range(1, 29)]
RNG = np.random.default_rng(3)
SCORE = RNG.beta(2, 4, 5_000)
LABEL = (RNG.random(5_000) < SCORE).astype(float)
NAMES = ["$\\frac{", "<script>", "x" * 90, "carrier"]


def verdicts() -> Any:
    reference = pd.DataFrame({name: RNG.normal(size=500) for name in NAMES})
    profile = build(reference, dict.fromkeys(NAMES, "numeric"), Drift())
    counted = {n: tally(reference[n] + i, profile.columns[n].bins) for i, n in enumerate(NAMES)}
    return judge(profile, {WHOLE: counted}, ["d"], Drift(), [0])["d"].columns


def every_plot(*, empty: bool) -> dict[str, bytes]:
    days, counts = ([], []) if empty else (DAYS, list(range(28)))
    times = pd.Series([], dtype="datetime64[ns, UTC]") if empty else pd.Series(
        pd.date_range("2013-02-01", periods=500, freq="73min", tz="UTC")
    )  # fmt: skip
    gate = [] if empty else [
        {"name": "all", "improvement": 0.01, "low": 0.005, "high": 0.02, "rows": 900},
        {"name": "$x", "improvement": -0.01, "low": -0.02, "high": -0.005, "worse": True},
    ]  # fmt: skip
    label, score = (LABEL[:0], SCORE[:0]) if empty else (LABEL, SCORE)
    return {
        "volume": plots.volume_by_hour(times),
        "drift": plots.drift_bars(() if empty else verdicts()),
        "arrival": plots.label_arrival(days, counts, counts),
        "curve": plots.arrival_curve(counts, np.linspace(0, 1, len(counts)).tolist()),
        "pool": plots.pool_by_day(days, counts, counts),
        "gate": plots.gate_interval(gate),
        "calibration": model_plots.calibration(label, score),
        "roc": model_plots.roc(label, score),
        "confusion": model_plots.confusion(label, (score > 0.4).astype(int)),
        "residuals": model_plots.residuals(label, score),
    }


@pytest.mark.parametrize("empty", [False, True])
def test_every_plot_is_a_small_png(empty: bool) -> None:
    for name, png in every_plot(empty=empty).items():
        assert png.startswith(b"\x89PNG"), name
        assert len(png) < plots.MAX_BYTES, name


def test_the_same_data_gives_the_same_bytes() -> None:
    assert model_plots.roc(LABEL, SCORE) == model_plots.roc(LABEL, SCORE)
    assert model_plots.roc(LABEL, SCORE) != model_plots.roc(LABEL, 1 - SCORE)


def test_one_class_or_unknown_rows_are_no_error() -> None:
    nothing = model_plots.roc(np.array([]), np.array([]))
    assert model_plots.roc(np.ones(5), np.full(5, 0.3)) == nothing
    assert model_plots.roc(np.array([np.nan, 1.0]), np.array([0.2, np.nan])) == nothing


def test_many_classes_are_gathered() -> None:
    classes = np.array([f"class $ {i % 40}" for i in range(400)])
    assert len(model_plots.confusion(classes, np.roll(classes, 1))) < plots.MAX_BYTES


def test_a_hundred_columns_stay_readable() -> None:
    column = verdicts()[0]
    assert len(plots.drift_bars([column] * 100)) < plots.MAX_BYTES


def test_markdown_holds_the_picture_and_a_tame_text() -> None:
    words = plots.markdown_image(b"\x89PNG", "a](javascript:x)\n<b>")
    match = re.fullmatch(r"!\[([^\]]*)\]\(data:image/png;base64,([A-Za-z0-9+/=]+)\)", words)
    assert match is not None
    assert base64.b64decode(match.group(2)) == b"\x89PNG"
    assert not set("<>()\n") & set(match.group(1))


def test_a_picture_too_large_for_metadata_is_refused() -> None:
    with pytest.raises(ValueError, match="limit"):
        plots.markdown_image(b"x" * (plots.MAX_BYTES + 1), "big")
