"""A committee disagrees where labels are missing, not where the truth is uncertain."""

import numpy as np
import pytest

from feedback_assets.querying.committee import Committee, kl_to_mean, vote_entropy


def test_disagreement_is_the_divergence_of_its_definition():
    answers = np.array([[[0.9, 0.1]], [[0.5, 0.5]]])
    mean = [0.7, 0.3]
    plain = np.mean(
        [sum(p * np.log(p / m) for p, m in zip(a[0], mean, strict=True)) for a in answers]
    )
    assert kl_to_mean(answers) == pytest.approx([plain])
    assert kl_to_mean(np.array([[[1.0, 0.0]], [[0.0, 1.0]]])) == pytest.approx([np.log(2)])
    assert kl_to_mean(np.array([[[0.3, 0.7]]] * 4)) == pytest.approx([0], abs=1e-12)


def test_votes_that_are_split_evenly_have_the_most_entropy():
    split = np.array([[[0.9, 0.1]], [[0.2, 0.8]]])
    assert vote_entropy(split) == pytest.approx([np.log(2)])
    assert vote_entropy(split[:1]) == pytest.approx([0])


def test_it_disagrees_where_the_border_is_not_known_and_not_where_the_truth_is_a_coin_toss():
    """What entropy cannot tell: both places have even odds, but only one of them is worth asking."""
    rng = np.random.default_rng(0)
    tosses = np.stack([rng.normal(-4, 0.4, 1_500), rng.normal(size=1_500)], axis=1)
    few = np.stack([rng.normal(4, 0.4, 30), 2 * rng.normal(size=30)], axis=1)
    space = np.concatenate([tosses, few]).astype(np.float32)
    labels = np.r_[rng.integers(0, 2, 1_500), few[:, 1] > 0].astype(int)
    committee = Committee.fit(space, labels, "binary")
    toss = np.stack([np.full(200, -4.0), rng.normal(size=200)], axis=1).astype(np.float32)
    border = np.stack([np.full(200, 4.0), 0.5 * rng.normal(size=200)], axis=1).astype(np.float32)
    assert committee.disagreement(border).mean() > 2 * committee.disagreement(toss).mean()


def test_usual_rows_have_a_disagreement_of_1():
    rng = np.random.default_rng(0)
    space = rng.normal(size=(300, 3)).astype(np.float32)
    labels = (space[:, 0] + rng.normal(size=300) > 0).astype(int)
    found = Committee.fit(space, labels, "binary").disagreement(space)
    assert found.mean() == pytest.approx(1)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_the_same_labels_give_the_same_disagreement(kind):
    rng = np.random.default_rng(0)
    space = rng.normal(size=(80, 3)).astype(np.float32)
    labels = {
        "binary": (space[:, 0] > 0).astype(int),
        "multiclass": np.array(["a", "b", "c"])[np.digitize(space[:, 0], [-0.5, 0.5])],
        "regression": space[:, 0] * 10.0,
    }[kind]
    one, other = (Committee.fit(space, labels, kind).disagreement(space) for _ in range(2))
    assert np.array_equal(one, other)
    assert one.shape == (80,)
    assert (one >= 0).all()
    assert one.max() > 0


def test_the_unit_of_numbers_changes_nothing():
    rng = np.random.default_rng(0)
    space = rng.normal(size=(300, 2)).astype(np.float32)
    labels = space[:, 0] + rng.normal(size=300)
    small = Committee.fit(space, labels, "regression").disagreement(space)
    large = Committee.fit(space, 1024 * labels, "regression").disagreement(space)
    assert np.allclose(small, large, rtol=1e-3)


def test_too_few_labels_or_one_class_make_no_committee():
    space = np.zeros((20, 2), np.float32)
    assert Committee.fit(space[:5], np.arange(5) % 2, "binary") is None
    assert Committee.fit(space, np.ones(20), "binary") is None
    assert Committee.fit(space, np.full(20, 3.0), "regression") is None
    assert Committee.fit(space, np.full(20, np.nan), "regression") is None
    assert Committee.fit(np.zeros((20, 0), np.float32), np.arange(20) % 2, "binary") is None


def test_unknown_labels_and_rare_classes_are_borne():
    rng = np.random.default_rng(0)
    space = rng.normal(size=(60, 2)).astype(np.float32)
    labels = np.array(["a"] * 58 + ["b", None], dtype=object)
    committee = Committee.fit(space, labels, "multiclass")
    assert committee.classes.tolist() == ["a", "b"]
    assert np.isfinite(committee.disagreement(space)).all()
    assert committee.disagreement(space[:0]).shape == (0,)


def test_labels_without_weight_do_not_count():
    rng = np.random.default_rng(0)
    space = rng.normal(size=(200, 2)).astype(np.float32)
    labels = (space[:, 0] > 0).astype(int)
    labels[100:] = rng.integers(0, 2, 100)
    weights = np.r_[np.ones(100), np.zeros(100)]
    kept = Committee.fit(space, labels, "binary", weights=weights)
    far = np.array([[2.0, 0.0], [-2.0, 0.0]], np.float32)
    sure = Committee.fit(space, labels, "binary").families[0].members
    assert all((m.predict(far) == [1, 0]).all() for m in kept.families[0].members)
    confident = [m.predict_proba(far)[0, 1] for m in kept.families[0].members]
    assert np.mean(confident) > np.mean([m.predict_proba(far)[0, 1] for m in sure]) + 0.1
