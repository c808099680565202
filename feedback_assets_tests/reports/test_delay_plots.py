"""The picture of delay curves: small, whatever the names, the number of curves and what is not known."""

import warnings

import numpy as np
import pytest

from feedback_assets.reports.delay_plots import Line, delay_curves
from feedback_assets.reports.plots import MAX_BYTES

AGES = np.linspace(0, 30, 721)


def rising(name: str, to: float = 1.0, low: bool = False) -> Line:
    shares = to * (1 - np.exp(-AGES / 5))
    ends = (shares - 0.02, shares + 0.02) if low else (None, None)
    return Line(name, AGES, shares, *ends)


@pytest.mark.parametrize("name", ["all", "$\\frac{", "_hidden", "<b>", "x" * 300, "a\nb"])
def test_any_name_and_any_number_of_curves_make_a_small_picture(name: str) -> None:
    many = [rising(f"{name}{i}", 0.1 * i + 0.1) for i in range(8)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png = delay_curves([("all rows", [rising(name, low=True)]), (name[:20], many)])
    assert png.startswith(b"\x89PNG")
    assert len(png) < MAX_BYTES


def test_curves_that_are_not_known_are_drawn_as_far_as_they_are() -> None:
    young = Line("young", AGES, np.where(AGES < 4, 0.5, np.nan))
    nothing = Line("nothing", AGES, np.full(AGES.size, np.nan))
    assert delay_curves([("by label", [young, nothing])]) != delay_curves([("by label", [nothing])])
