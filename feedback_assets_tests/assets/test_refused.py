"""Poisoned candidates, trained and exported for real: each is refused by the gate that is for it."""

import shutil
from pathlib import Path

import pytest

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import champion
from feedback_assets_tests.assets.poisons import HONEST, PoisonedWorld, reordered, slowed


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> PoisonedWorld:
    """A world with an honest champion."""
    world = PoisonedWorld(tmp_path_factory.mktemp("honest"))
    world.begin()
    world.promote(world.candidate())
    return world


@pytest.fixture
def world(honest: PoisonedWorld, tmp_path: Path) -> PoisonedWorld:
    """The same world for each test, to be spoilt."""
    shutil.copytree(honest.root, tmp_path, dirs_exist_ok=True)
    copied = PoisonedWorld(tmp_path)
    copied.at(honest.clock.now().isoformat())
    return copied


def test_an_honest_candidate_passes(world: PoisonedWorld) -> None:
    other = world.beside(model={"params": {"C": 0.5}})
    assert other.refused_by(other.candidate()) == {}


def test_a_leaking_feature(world: PoisonedWorld) -> None:
    leaking = world.beside(model={"features": [*HONEST, "stamp"]})
    candidate = leaking.candidate()
    failed = leaking.refused_by(candidate, staged=False)
    # It looks far better than honest ones: its reliance on one column gives it away. Knowing the
    # truth beforehand, it is also as unjust as the truth is.
    assert set(failed) - {"disparate_impact"} == {"reliance"}
    assert failed["reliance"].observed > 0.9
    assert "that stamp has alone" in failed["reliance"].reason


def test_a_refused_candidate_leaves_the_champion(world: PoisonedWorld) -> None:
    leaking = world.beside(model={"features": [*HONEST, "stamp"]})
    candidate = leaking.candidate()
    leaking.materialize(["promoted_model"])
    refusal = decisions(leaking.space, "refuse")[-1]
    assert refusal.version == str(candidate.version)
    assert "reliance" in refusal.rule
    assert "that stamp has alone" in refusal.reason
    serving = champion(leaking.space)
    assert serving is not None
    assert serving.version == 1


def test_a_biased_candidate(world: PoisonedWorld) -> None:
    biased = world.beside(model={"features": [*HONEST, "postcode"]})
    failed = biased.refused_by(biased.candidate(), staged=False)
    assert set(failed) == {"disparate_impact", "equal_opportunity"}
    assert "(people)" in failed["disparate_impact"].reason


def test_a_slow_candidate(world: PoisonedWorld) -> None:
    candidate = world.beside(model={"params": {"C": 0.5}}).candidate()
    assert set(world.refused_by(candidate)) == set()
    slow = world.with_model(candidate, slowed(candidate.load().content), candidate.version + 1)
    failed = world.refused_by(slow)
    assert set(failed) == {"latency"}
    assert failed["latency"].observed > 60


def test_another_feature_order(world: PoisonedWorld) -> None:
    turned = world.beside(model={"features": HONEST[::-1]})
    candidate = turned.candidate()
    assert turned.refused_by(candidate) == {}  # as that file declares them, it is right
    failed = world.beside().refused_by(candidate)
    assert set(failed) == {"parity"}
    assert "declared is size (numeric), speed (numeric), colour" in failed["parity"].reason


def test_a_graph_that_reads_in_another_order_than_it_says(world: PoisonedWorld) -> None:
    candidate = world.beside(model={"params": {"C": 0.5}}).candidate()
    swapped = world.with_model(candidate, reordered(candidate.load().content), 9)
    failed = world.refused_by(swapped)
    assert set(failed) == {"parity"}
    assert "the ONNX graph reads colour" in failed["parity"].reason


def test_flipped_labels(honest: PoisonedWorld, tmp_path: Path) -> None:
    world = PoisonedWorld(tmp_path)
    for part in ("models", "ledger", "mlflow"):
        shutil.copytree(honest.settings.root / part, world.settings.root / part)
    world.begin(wrong=0.45)
    candidate = world.candidate()
    assert "label_quality" in world.refused_by(candidate)
    failed = world.refused_by(candidate, staged=False)
    assert {"label_quality", "better"} <= set(failed)
    assert "audited rows are right" in failed["label_quality"].reason
