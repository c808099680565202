"""Items' classes and people's habits: published figures, an outside implementation, properties."""

import numpy as np
import pandas as pd
import pytest

from feedback_assets.labels.dawid_skene import Skilled, dawid_skene
from feedback_assets.labels.votes import Votes
from feedback_assets_tests.labels.anaesthetists import answers
from feedback_assets_tests.labels.crowds import crowd

PLAIN = {"agree": 0.0, "stray": 0.0, "tolerance": 1e-12, "max_rounds": 5_000}


def of(rows: list[tuple[int, str, str]]) -> Votes:
    return Votes.of(*map(list, zip(*rows, strict=True)))


def slow(votes: Votes, rounds: int) -> np.ndarray:
    """The paper's equations 2.3 to 2.5 word by word, over a cube of counts."""
    cube = np.zeros((len(votes.items), len(votes.annotators), len(votes.classes)))
    np.add.at(cube, (votes.item, votes.annotator, votes.value), 1)
    chance = cube.sum(axis=1) / cube.sum(axis=(1, 2))[:, None]
    for _ in range(rounds):
        prior = chance.mean(axis=0)
        habit = np.einsum("ij,ial->ajl", chance, cube)
        habit /= np.maximum(habit.sum(axis=2, keepdims=True), 1e-300)
        with np.errstate(divide="ignore"):
            logs = np.log(prior) + np.einsum("ial,ajl->ij", cube, np.maximum(np.log(habit), -690))
        chance = np.exp(logs - logs.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
    return chance


def test_the_published_figures_of_the_anaesthetists() -> None:
    """Table 2 of the paper, two digits: the classes' shares and the first one's error rates."""
    found = dawid_skene(of(list(answers())), **PLAIN)
    assert found.converged
    assert found.prior.round(2).tolist() == [0.40, 0.42, 0.11, 0.07]
    assert found.confusion[0].round(2).tolist() == [
        [0.89, 0.11, 0.0, 0.0],
        [0.07, 0.88, 0.05, 0.0],
        [0.0, 0.34, 0.66, 0.0],
        [0.0, 0.0, 0.56, 0.44],
    ]


def test_an_outside_implementation_gives_the_same() -> None:
    """crowd-kit 1.4.2, DawidSkene(n_iter=2000, tol=1e-13), on the first ratings."""
    found = dawid_skene(of(list(answers(repeats=False))), **PLAIN)
    assert found.prior == pytest.approx([0.399963, 0.412612, 0.120759, 0.066667], abs=1e-6)
    by_class = {"1": [1, 0, 0, 0], "2": [0.0539, 0.9461, 0, 0], "3": [0, 0.4479, 0.5521, 0]}
    for place, rates in enumerate(by_class.values()):
        assert found.confusion[0, place] == pytest.approx(rates, abs=5e-5)
    assert found.confusion[1, 1] == pytest.approx([0.0539, 0.6463, 0.2998, 0], abs=5e-5)


@pytest.mark.parametrize("repeats", [True, False])
def test_the_equations_word_by_word_give_the_same(repeats: bool) -> None:
    votes = of(list(answers(repeats)))
    found = dawid_skene(votes, **{**PLAIN, "max_rounds": 7, "tolerance": 0.0})
    assert np.abs(found.posterior - slow(votes, 7)).max() < 1e-9


def test_likelihood_never_falls() -> None:
    votes = of(list(answers()))
    told = [
        dawid_skene(votes, agree=0, stray=0, tolerance=0, max_rounds=n).loglik for n in range(1, 30)
    ]
    assert (np.diff(told) > -1e-9).all()


def crowd_votes(**options: object) -> tuple[Votes, np.ndarray]:
    frame = crowd(**options)  # type: ignore[arg-type]
    frame = frame[frame["said"] == "label"].drop_duplicates(["prediction_id", "annotator"])
    votes = Votes.of(frame["prediction_id"], frame["annotator"], frame["value"])
    truth = frame.drop_duplicates("prediction_id")["truth"].to_numpy()
    return votes, np.array([list(votes.classes).index(t) for t in truth])


def test_it_learns_whom_to_believe() -> None:
    """One who knows outweighs three who guess together; a majority would not see it."""
    right = {"knows": 0.98, "lies": 0.15, "guesses": 0.5, "guesses too": 0.5, "fair": 0.8}
    votes, truth = crowd_votes(rows=6_000, items=1_500, right=right, seed=4)
    found = dawid_skene(votes)
    majority = votes.counts().argmax(axis=1)
    best = (found.posterior.argmax(axis=1) == truth).mean()
    assert best > (majority == truth).mean() + 0.1
    skill = {n: found.confusion[a].diagonal().mean() for a, n in enumerate(votes.annotators)}
    assert skill["knows"] > 0.93 > skill["fair"] > 0.7 > skill["guesses"] > 0.4 > skill["lies"]


def test_golden_items_are_the_truth_and_teach() -> None:
    right = {"a": 0.1, "b": 0.1, "c": 0.9}
    votes, truth = crowd_votes(rows=3_000, items=700, right=right, seed=5)
    known = np.where(np.arange(len(truth)) < 80, truth, -1)
    blind, told = dawid_skene(votes), dawid_skene(votes, known)
    assert (told.posterior[known >= 0].argmax(axis=1) == truth[known >= 0]).all()
    # Two liars look right to each other; the golden items tell.
    assert (blind.posterior.argmax(axis=1) == truth).mean() < 0.3
    assert (told.posterior.argmax(axis=1) == truth).mean() > 0.85


def test_order_and_names_make_no_difference() -> None:
    votes, _ = crowd_votes(rows=800, items=200, seed=6)
    frame = pd.DataFrame({"i": votes.items[votes.item], "a": votes.annotator, "v": votes.value})
    mixed = frame.sample(frac=1, random_state=1)

    def chances(rows: pd.DataFrame, name: str) -> pd.Series:
        coded = Votes.of(rows["i"], name + rows["a"].astype(str), rows["v"])
        return pd.Series(dawid_skene(coded).posterior[:, 1], coded.items).sort_index()

    apart = chances(frame, "x") - chances(mixed, "someone ")
    assert apart.abs().max() < 1e-9


def test_one_answer_is_neither_certain_nor_worthless() -> None:
    found: Skilled = dawid_skene(Votes.of(["r"], ["ann"], ["1"], ["0", "1"]))
    assert 0.7 < found.posterior[0, 1] < 0.99
