"""What is found out about days through real runs: a shift, a new segment, labels that turn round."""

import pandas as pd
import pytest

from feedback_assets.assets.space import DATAFLOW
from feedback_assets_tests.worlds import World

GOOD = [f"2024-01-{day:02d}" for day in range(12, 24)]
BAD = [f"2024-01-{day:02d}" for day in range(24, 31)]


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Twelve good days of a champion, then a week in which every third label is turned round."""
    world = World(tmp_path_factory.mktemp("turned"))
    world.first_model()
    world.at("2024-02-06")
    for position, day in enumerate([*GOOD, *BAD]):
        rows = world.rows(day, n=120, version="1", seed=position)
        if day in BAD:
            flipped = rows.index % 3 == 0
            rows["truth"] = rows["truth"].where(~flipped, 1 - rows["truth"])
        world.predict(rows, f"answers {day}")
        world.feed(rows, f"labels {day}")
    world.dataflow(GOOD[0], 24)
    return world


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A clean day, then one on which a column moved and a region is new."""
    world = World(tmp_path_factory.mktemp("shifted"))
    world.first_model()
    world.at("2024-01-16")
    world.predict(world.rows(GOOD[0], n=200, version="1"), "clean")
    moved = world.rows(GOOD[1], n=200, shift=2.0, version="1")
    moved.loc[moved.index % 2 == 0, "region"] = "east <b>"
    world.predict(moved, "moved")
    world.materialize(DATAFLOW, GOOD[:2])
    return world


def found(world: World, kind: str) -> pd.DataFrame:
    """Findings of one kind, by day."""
    frame = world.frame("findings")
    return frame[frame["kind"] == kind].set_index("partition_key").sort_index()


def test_turned_labels_are_called_concept_change(turned: World) -> None:
    split = found(turned, "drop_split")
    assert len(set(split.index)) == 1, "a drop is split once, when it begins"
    parts = split.set_index("subject")["value"]
    assert parts["total"] > 0
    assert parts["concept change"] > 0.5 * parts["total"]
    concept = found(turned, "concept")
    assert len(concept), "the loss is more than the scores promised"
    assert concept.index[0] >= BAD[0]
    assert "ADWIN" in concept["text"].iloc[0]


def test_an_incident_has_a_page_that_its_days_link_to(turned: World, shifted: World) -> None:
    told = shifted.metadata("findings", GOOD[1])
    assert told["incident"].endswith(f"/incidents/{GOOD[1]}.html")
    page = shifted.space.reports / "incidents" / f"{GOOD[1]}.html"
    assert "size" in page.read_text("utf-8")
    quiet = turned.metadata("findings", GOOD[1])
    assert "incident" not in quiet
    assert (turned.space.reports / "days" / f"{GOOD[1]}.html").is_file()


def test_a_new_segment_value_is_news_and_never_markup(shifted: World) -> None:
    news = found(shifted, "new_segment")
    assert list(news.index) == [GOOD[1]]
    assert "east <b>" in news["subject"].iloc[0] + news["text"].iloc[0]
    page = (shifted.space.reports / "days" / f"{GOOD[1]}.html").read_text("utf-8")
    assert "east &lt;b&gt;" in page
    assert "east <b>" not in page


def test_a_drift_is_told_with_its_cost_its_columns_and_what_changed_upstream(
    shifted: World,
) -> None:
    assert "size" in found(shifted, "domain").loc[GOOD[1], "subject"]
    assert found(shifted, "harm").loc[GOOD[1], "subject"] == "log_loss"
    told = shifted.metadata("findings", GOOD[1])["told"]
    assert "size" in told
    assert "<b>" not in told


def test_looking_twice_finds_the_same(shifted: World) -> None:
    before = shifted.versions()
    shifted.materialize(["findings"], GOOD[:2])
    assert shifted.versions() == before
