"""How good labels are, from real tables; labels that a sure model gives."""

from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feedback_assets.assets.annotations import ANNOTATION_COLUMNS
from feedback_assets.assets.automatic_labels import automatic_labels
from feedback_assets.assets.label_audit import label_audit
from feedback_assets.assets.label_quality import label_quality
from feedback_assets.assets.models import champion
from feedback_assets.assets.typed import cast_sql
from feedback_assets.capture.importers.layout import landed_schema
from feedback_assets.loop import accepted_betas
from feedback_assets.promotion.gates import LabelAudit
from feedback_assets.tables.connection import connect, registered
from feedback_assets.tables.table import Cause
from feedback_assets_tests.assets.poisons import SECTIONS
from feedback_assets_tests.worlds import START, World, plain

SOURCE = SECTIONS["source"]
pytestmark = pytest.mark.slow
EVIL = "<script>alert('ann')</script>"
DAYS, ROWS = 8, 60
FRESH = "2024-01-09"
"""The first day whose rows the first model never saw."""


def sure(world: World) -> dg.AssetsDefinition:
    """The asset of automatic labels."""
    with accepted_betas():
        return automatic_labels(world.space)


def made(world: World, asset: dg.AssetsDefinition, key: str | None = None) -> dict[str, Any]:
    """Materialize an asset by itself; its metadata."""
    result = dg.materialize(
        [asset], instance=world.instance, resources={"clock": world.clock}, partition_key=key
    )
    (event,) = result.get_asset_materialization_events()
    return {name: plain(value) for name, value in event.materialization.metadata.items()}


def annotate(world: World, frame: pd.DataFrame) -> None:
    """Write the table of answers as the asset would."""
    full = frame.assign(
        annotation_id=[f"n{i}" for i in range(len(frame))], partition_key=FRESH
    ).reindex(columns=list(ANNOTATION_COLUMNS))
    with connect(world.settings) as con, registered(con, "fa_said", full):
        query = cast_sql("fa_said", ANNOTATION_COLUMNS)
        world.space.table("annotations").replace(con, query, [FRESH], Cause("", "", {}, {}))


def answers(rows: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Three people answer every row; one of them, with a hostile name, is often wrong."""
    rng = np.random.default_rng(seed)
    right = {"bob": 0.95, "cy": 0.95, EVIL: 0.6}
    parts = []
    for name, share in right.items():
        said = np.where(rng.random(len(rows)) < share, rows["truth"], 1 - rows["truth"])
        golden = np.arange(len(rows)) < 10
        parts.append(
            pd.DataFrame(
                {
                    "prediction_id": rows["prediction_id"],
                    "annotator": name,
                    "said": "label",
                    "value": said.astype(str),
                    "annotated_at": rows["event_time"] + pd.Timedelta(hours=1),
                    "received_at": rows["event_time"] + pd.Timedelta(hours=1),
                    "duration_seconds": 12.0,
                    "saw_opinion": False,
                    "right": np.where(golden, said == rows["truth"], None),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def audit(world: World, rows: pd.DataFrame, name: str) -> None:
    """Land what people answered to questions that the audit drew, as `annotations` does."""
    schema = landed_schema(world.config, "feedback")
    moment = pd.Timestamp("2024-01-12T06:00:00Z")
    frame = pd.DataFrame(
        {
            "event_id": [f"review:{name}-{id_}" for id_ in rows["prediction_id"]],
            "prediction_id": rows["prediction_id"].to_numpy(), "kind": "label",
            "value": rows["truth"].astype(str).to_numpy(), "source": "audit",
            "principal": "person:ann", "event_time": moment, "received_time": moment,
            "confidence": 1.0,
        }
    ).reindex(columns=schema.names)  # fmt: skip
    folder = world.settings.landing / world.config.name / "feedback"
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    pq.write_table(table, folder / f"review-{name}.parquet")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A first model; then fresh rows, half of them labelled by an app, and all of them audited."""
    review = {"per_day": 50, "words": {"1": "good", "0": "bad"},
              "automatic": {"precision": 0.8, "min_audited": 20}}  # fmt: skip
    world = World(tmp_path_factory.mktemp("quality"), source=SOURCE, review=review)
    world.ready_mlflow()
    taught = []
    for day in world.days(START, DAYS):
        rows = world.rows(day, n=ROWS)
        world.predict(rows, f"p-{day}")
        # Some labels are plainly wrong: what the model finds later.
        wrong = (np.arange(ROWS) % 20 == 0) & (rows["size"].abs() > 0.8)
        world.feed(
            rows.assign(truth=np.where(wrong, 1 - rows["truth"], rows["truth"])),
            f"f-{day}",
            source="app",
        )
        taught.append(rows[wrong])
    world.at("2024-01-12")
    world.materialize(
        ["prediction_log", "feedback_events", "feedback_table"], world.days(START, DAYS + 3)
    )
    world.materialize(["labeled_pool", "candidate_model", "promoted_model"])
    # The gate would rightly refuse a first model whose labels nobody had audited.
    gate = {"label_quality": {"min_share": 0.9}}
    world = World(world.root, instance=world.instance, source=SOURCE, review=review, gate=gate)
    fresh = pd.concat([world.rows(day, n=200) for day in world.days(FRESH, 3)], ignore_index=True)
    world.predict(fresh, "fresh")
    old = world.rows(START, n=ROWS)[1:11]
    audit(world, old, "old")
    audited = fresh[::2]
    audit(world, audited, "fresh")
    some = audited[:100].assign(
        truth=lambda f: np.where(np.arange(100) < 4, 1 - f["truth"], f["truth"])
    )
    world.feed(some, "app", source="app", received_time="2024-01-11T06:00:00")
    world.at("2024-01-13")
    world.materialize(["prediction_log"], world.days(FRESH, 3))
    world.materialize(["feedback_events"], world.days("2024-01-11", 2))
    world.materialize(["feedback_table"], world.days(FRESH, 3))
    annotate(world, answers(fresh))
    world.wrong = pd.concat(taught)  # type: ignore[attr-defined]
    world.fresh = fresh  # type: ignore[attr-defined]
    return world


def test_the_page_and_its_figures(world: World) -> None:
    told = made(world, label_quality(world.space))
    assert told["answers"] == 3 * 600
    assert told["people"] == 3
    assert 0.3 < told["alpha"] < 0.7
    assert told["answered_twice"] == 600
    by_name = {row["annotator"]: row for row in told["annotators"]}
    assert by_name[EVIL]["agreement"] < by_name["bob"]["agreement"]
    assert by_name["bob"]["golden"] == 10
    page = (world.space.reports / "labels" / "quality.html").read_text()
    assert told["page"].endswith("/labels/quality.html")
    assert "<script" not in page
    assert "&lt;script&gt;alert" in page
    assert "96.4% of labels are right" in page
    assert "data:image/png" in told["agreement"]


def test_reviews_own_audit_judges_labels(world: World) -> None:
    """No auditor is named in the file: rows of review's audit share are the sample."""
    with connect(world.settings) as con:
        assert label_audit(world.space, con, world.clock.now()) == LabelAudit(rows=110, right=106)
    told = made(world, label_quality(world.space))
    assert (told["audited"], told["right"]) == (110, 106 / 110)
    assert told["right_from"] == pytest.approx(0.9095, abs=1e-3)
    page = (world.space.reports / "labels" / "quality.html").read_text()
    wrong = world.fresh[::2].head(4)  # type: ignore[attr-defined]
    for name in wrong["prediction_id"]:
        assert name in page
    silent = World(world.root / "silent", source=SOURCE, gate={"label_quality": {"min_share": 0.9}})
    with connect(silent.settings) as con:
        assert label_audit(silent.space, con, world.clock.now()) is None


def test_wrong_labels_of_the_pool_are_found(world: World) -> None:
    told = made(world, label_quality(world.space))
    assert told["examined"] == DAYS * ROWS
    wrong = set(world.wrong["prediction_id"])  # type: ignore[attr-defined]
    listed = [row["prediction_id"] for row in told["label_errors"]]
    # No more are called doubtful than the audit leaves open.
    assert 0 < told["in_doubt"] <= np.ceil((1 - told["right_from"]) * DAYS * ROWS)
    assert len(wrong & set(listed)) >= 0.4 * len(wrong)


def test_numbers_have_a_page_too(tmp_path: Any) -> None:
    world = World(tmp_path, "regression", source=SOURCE)
    frames = [world.rows(day, n=ROWS) for day in world.days(START, 4)]
    rows = pd.concat(frames, ignore_index=True)
    slipped = rows.index[::40]
    world.predict(rows, "p")
    told = rows.assign(truth=np.where(rows.index.isin(slipped), rows["truth"] + 90, rows["truth"]))
    world.feed(told, "f", source="app")
    world.at("2024-01-09")
    world.materialize(["prediction_log", "feedback_events", "feedback_table"], world.days(START, 7))
    world.materialize(["labeled_pool"])
    once = answers(rows.assign(truth=0)).drop_duplicates("prediction_id").assign(right=None)
    said = [
        once.assign(annotator=name, value=(rows["truth"] + shift).astype(str))
        for name, shift in {"ann": 0.0, "bob": 0.1}.items()
    ]
    annotate(world, pd.concat(said))
    found = made(world, label_quality(world.space))
    assert found["alpha"] > 0.99
    assert found["people"] == 2
    listed = {row["prediction_id"] for row in found["label_errors"]}
    assert listed == set(rows["prediction_id"][slipped])
    page = (world.space.reports / "labels" / "quality.html").read_text()
    assert "Kappa" not in page


def test_the_same_tables_give_the_same_version(world: World) -> None:
    versions = []
    for _ in range(2):
        result = dg.materialize(
            [label_quality(world.space)], instance=world.instance, resources={"clock": world.clock}
        )
        (event,) = result.get_asset_materialization_events()
        versions.append(event.materialization.tags["dagster/data_version"])
    assert versions[0] == versions[1]


def test_a_loop_without_anything_has_a_page(tmp_path: Any) -> None:
    world = World(tmp_path)
    told = made(world, label_quality(world.space))
    assert told["answers"] == 0
    assert "Nobody audits" in (world.space.reports / "labels" / "quality.html").read_text()


def test_the_sure_model_labels_what_nobody_did(world: World) -> None:
    told = made(world, sure(world), FRESH)
    model = champion(world.space)
    assert model is not None
    assert told["thresholds"]
    # The ten audited rows that it was trained on prove nothing.
    assert told["why"].startswith("300 audited rows")
    frame = world.frame("automatic_labels")
    assert 0 < len(frame) < 100
    table = world.frame("feedback_table")
    pending = table[(table["label_status"] == "pending") & (table["partition_key"] == FRESH)]
    assert set(frame["prediction_id"]) <= set(pending["prediction_id"])
    assert set(frame["model_version"]) == {str(model.version)}
    assert (frame["precision_lower"] >= 0.8).all()
    chance = np.where(frame["label"] == "1", frame["score"], 1 - frame["score"])
    assert (chance >= frame["threshold"]).all()
    truth = frame["prediction_id"].map(
        world.fresh.set_index("prediction_id")["truth"]  # type: ignore[attr-defined]
    )
    assert (frame["label"].astype(int) == truth).mean() > 0.75
    assert told["dagster/row_count"] == len(frame)


def test_audits_of_training_rows_prove_nothing(world: World) -> None:
    """Before the first audit of a fresh row was received, nothing is sure."""
    early = World(
        world.root, source=SOURCE, review={"automatic": {"precision": 0.8, "min_audited": 20}}
    )
    early.at("2024-01-12T05:00")
    told = made(early, sure(early), "2024-01-10")
    assert told["thresholds"] == []
    assert "0 audited rows" in told["why"]


def test_without_a_model_nothing_is_labelled(tmp_path: Any) -> None:
    world = World(tmp_path, review={"automatic": {}})
    world.predict(world.rows(START), "p")
    world.at("2024-01-02")
    world.materialize(["prediction_log", "feedback_events", "feedback_table"], [START])
    told = made(world, sure(world), START)
    assert "no model" in told["why"]
    assert world.frame("automatic_labels").empty


def test_only_where_the_file_asks(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match=r"review\.automatic"):
        automatic_labels(World(tmp_path).space)
