"""The page of a replay: which way of asking would have brought most, and how many labels it takes."""

import base64
import math
from typing import Any

from feedback_assets.querying.advice import NOISE, Advice
from feedback_assets.querying.needed import Needed
from feedback_assets.querying.replay import RANDOM
from feedback_assets.reports.advice_plots import learning_curves
from feedback_assets.reports.day_page import page_css
from feedback_assets.reports.pages import render_page


def advice_picture(advice: Advice) -> bytes:
    """The learning curves, the best way first, as a PNG."""
    order = [RANDOM, *(way.name for way in advice.needed)]
    return learning_curves(
        advice.budgets, {name: advice.curves[name] for name in order}, advice.errors, advice.loss
    )


def advice_page(advice: Advice, picture: bytes) -> str:
    """The page, in itself complete."""
    return render_page(
        "advice.html.j2",
        title=f"{advice.loop}: what labels would have brought",
        css=page_css(),
        loop=advice.loop,
        words=advice.words,
        loss=advice.loss,
        seeds=advice.seeds,
        rows=f"{advice.rows:,}",
        most=f"{advice.budgets[-1]:,}",
        picture=base64.b64encode(picture).decode(),
        ways=[way_in_words(way) for way in advice.needed],
    )


def way_in_words(way: Needed) -> dict[str, Any]:
    """One way's figures as they are shown."""
    return {
        "name": way.name,
        "labels": count(way.labels, way.random),
        "range": f"{count(way.low, way.random)} to {count(way.high, way.random)}",
        "share": f"{way.share:.0%}" if math.isfinite(way.share) else "more than all",
        "verdict": verdict(way),
    }


def count(labels: float, most: int) -> str:
    """Labels, or that they were not enough."""
    return f"{round(labels):,}" if math.isfinite(labels) else f"over {most:,}"


def verdict(way: Needed) -> str:
    """Whether it differs from random rows by more than chance."""
    if way.worse >= NOISE:
        return f"worse ({way.worse:+.1f} standard errors of loss)"
    if way.worse <= -NOISE:
        return f"better ({way.worse:+.1f} standard errors of loss)"
    return "no clear difference"
