"""Who is judged by whom, who teaches, and when nobody can tell who is right."""

import numpy as np
import numpy.typing as npt
import pytest

from feedback_assets.config.trust import Trust
from feedback_assets.labels.trust import TAUGHT_TIMES, judge_principals, most_rows

Ints = npt.NDArray[np.int64]


class World:
    """Rows of ten kinds; of each kind nine of ten are of one class."""

    def __init__(
        self, sizes: dict[str | None, int], wrong: tuple[str, ...] = (), seed: int = 1
    ) -> None:
        rng = np.random.default_rng(seed)
        who = np.array([w for w, n in sizes.items() for _ in range(n)], dtype=object)
        self.who = who[rng.permutation(len(who))]
        n = len(who)
        self.kind = rng.integers(0, 10, n)
        truth = (rng.random(n) < np.where(self.kind % 2, 0.9, 0.1)).astype(np.int64)
        self.false = np.isin(self.who.astype(str), wrong)
        self.said = np.where(self.false, 1 - truth, truth)
        self.at = rng.permutation(n).astype(np.int64)
        self.taught: list[Ints] = []

    def teach(self, taught: Ints, asked: Ints) -> npt.NDArray[np.float64]:
        self.taught.append(taught)
        ones = np.bincount(self.kind[taught], self.said[taught], minlength=10) + 1
        p = (ones / (np.bincount(self.kind[taught], minlength=10) + 2))[self.kind[asked]]
        return np.column_stack([1 - p, p])

    def judged(self, **trust: object) -> dict[str, str]:
        found = judge_principals(self.who, self.said, self.at, self.teach, Trust(**trust))  # type: ignore[arg-type]
        self.words = found.words
        self.frame = found.frame
        assert sorted(found.quarantined) == found.quarantined
        return dict(zip(found.frame["principal"], found.frame["verdict"], strict=True))


def test_the_false_ones_are_found_even_where_they_say_a_third_of_all() -> None:
    sizes = {f"p{i:02d}": 60 for i in range(40)} | {"bad1": 700, "bad2": 500}
    world = World(sizes, ("bad1", "bad2"))
    verdicts = world.judged()
    assert {w for w, v in verdicts.items() if v != "trusted"} == {"bad1", "bad2"}
    assert verdicts["bad1"] == "contradicts"
    worst = world.frame.iloc[0]
    assert (worst["principal"], worst["rows"]) == ("bad1", 700)
    assert worst["agreement"] < 0.2 < 0.8 < worst["expected"]
    # In the second round they teach nobody, in the first no more than their share.
    half = len(world.taught) // 2
    for taught in world.taught[:half]:
        assert np.isin(world.who[taught], ["bad1", "bad2"]).sum() <= 2 * TAUGHT_TIMES * 60
    for taught in world.taught[half:]:
        assert not np.isin(world.who[taught], ["bad1", "bad2"]).any()


def test_nobody_teaches_about_himself() -> None:
    world = World({f"p{i:02d}": 40 for i in range(12)})
    asked: list[tuple[Ints, Ints]] = []

    def teach(taught: Ints, of: Ints) -> npt.NDArray[np.float64]:
        asked.append((taught, of))
        return world.teach(taught, of)

    judge_principals(world.who, world.said, world.at, teach, Trust())
    for taught, of in asked:
        assert not set(world.who[taught]) & set(world.who[of])


def test_few_labels_are_no_verdict_and_who_is_cleared_stays() -> None:
    sizes = {f"p{i}": 100 for i in range(8)} | {"bad": 100, "new": 19}
    verdicts = World(sizes, ("bad", "new")).judged(cleared=["ba*"])
    assert (verdicts["bad"], verdicts["new"]) == ("cleared", "few labels")


def test_labels_that_nobody_signed_teach_too() -> None:
    assert World({None: 2_000, "a": 200, "bad": 200}, ("bad",)).judged() == {
        "bad": "contradicts", "a": "trusted",
    }  # fmt: skip


@pytest.mark.parametrize(
    "sizes", [{"a": 500, "b": 500}, {"a": 500}, {None: 500}, {None: 900, "a": 90}]
)
def test_with_fewer_than_three_nobody_is_judged(sizes: dict[str | None, int]) -> None:
    world = World(sizes, ("a",))
    assert world.judged() == {}
    assert not world.taught


def test_where_half_contradicts_the_other_half_nobody_is_left_out() -> None:
    world = World({"a": 300, "b": 300, "big": 1_000}, ("big",))
    assert set(world.judged().values()) == {"disputed"}
    assert "nobody can say who is right" in world.words


def test_it_can_be_switched_off() -> None:
    world = World({f"p{i}": 100 for i in range(8)}, ("p1",))
    assert world.judged(quarantine=False) == {}
    assert "off" in world.words


def test_the_same_labels_give_the_same_verdicts() -> None:
    world = World({f"p{i}": 100 for i in range(8)} | {"bad": 300}, ("bad",))
    world.judged()
    first = world.frame
    world.judged()
    assert first.equals(world.frame)


@pytest.mark.parametrize(
    ("sizes", "trust", "most"),
    [
        ([10] * 20, {}, 40),
        ([10] * 19, {}, None),
        ([1, 2, 3], {"cap_from": 2, "cap_times": 1.5}, 3),
        ([10] * 30, {"cap_times": None}, None),
    ],
)
def test_the_cap(sizes: list[int], trust: dict[str, object], most: int | None) -> None:
    assert most_rows(np.array(sizes), Trust(**trust)) == most  # type: ignore[arg-type]
