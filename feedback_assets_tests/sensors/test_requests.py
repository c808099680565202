"""Days gathered into few runs."""

import pytest

from feedback_assets.sensors.requests import contiguous

CALENDAR = list("abcdefgh")


@pytest.mark.parametrize(
    ("keys", "longest", "runs"),
    [
        ("", 3, []),
        ("a", 3, ["a"]),
        ("cab", 3, ["abc"]),
        ("abcd", 3, ["abc", "d"]),
        ("ac", 3, ["a", "c"]),
        ("aabb", 3, ["ab"]),
        ("abz", 3, ["ab"]),
        ("abc", 1, ["a", "b", "c"]),
    ],
)
def test_neighbours_share_a_run(keys: str, longest: int, runs: list[str]) -> None:
    assert ["".join(run) for run in contiguous(keys, CALENDAR, longest)] == runs
