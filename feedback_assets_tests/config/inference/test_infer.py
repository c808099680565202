import json

import numpy as np
import pandas as pd
import pytest

from feedback_assets.config.inference.datafile import open_data, sample
from feedback_assets.config.inference.draft import draft
from feedback_assets.config.inference.infer import understand
from feedback_assets.errors import ConfigError, SourceError


def test_what_the_user_says_holds(drafted, events):
    events["other_id"], events["truth"] = events["event_id"] + 7, 1 - events["label"]
    events["when"] = events["event_time"] + pd.Timedelta(days=1)
    events["known"] = events["when"] + pd.Timedelta(days=2)
    found, config, _ = drafted(
        events, id="other_id", time="when", label="truth", label_time="known",
        segments=("colour",), drop=("signal", "label"), owner="a@b.org",
    )  # fmt: skip
    assert config.columns.id == config.source.feedback.columns.prediction_id == "other_id"
    assert config.columns.event_time == "when"
    assert config.source.feedback.columns.value == "truth"
    assert config.source.feedback.columns.received_time == "known"
    assert config.columns.segments == ["colour"]
    assert config.owners == ["a@b.org"]
    assert found.left_out["signal"] == "said with --drop"
    assert "guessed" not in "".join(
        line for line in draft(found).splitlines() if "other_id" in line or "when" in line
    )


def test_a_named_column_that_is_not_there_is_an_error(drafted, events):
    with pytest.raises(ConfigError, match="has no column lable; did you mean label"):
        drafted(events, label="lable")


@pytest.mark.parametrize(
    ("values", "kind", "positive"),
    [
        ([0, 1], "binary", "1"), ([0.0, 1.0], "binary", "1"), ([-1, 1], "binary", "1"),
        ([1, 2], "binary", "1"), ([False, True], "binary", "true"), (["ham", "spam"], "binary", "spam"),
        (["no", "yes"], "binary", "yes"), (["<=50K", ">50K"], "binary", ">50K"),
        (["not_done", "done"], "binary", "done"), ([1, 2, 3], "multiclass", "1"),
        (["a", "b", "c"], "multiclass", "1"),
    ],
)  # fmt: skip
def test_kinds_of_labels(drafted, events, values, kind, positive):
    events["label"] = np.resize(np.array(values, dtype=object), len(events))
    events["label"] = events["label"].infer_objects()
    found, config, _ = drafted(events)
    assert (found.label.kind, config.label.positive) == (kind, positive)
    if kind == "multiclass":
        assert config.label.classes == [str(value) for value in values]
        assert set(config.columns.class_scores) == {str(value) for value in values}


def test_numbers_with_many_values_are_a_regression(drafted, events):
    events["label"] = events["signal"] * 3 + np.random.default_rng(0).normal(size=len(events))
    _, config, _ = drafted(events)
    assert config.label.kind == "regression"
    assert config.metric == "mae"


def test_a_label_with_one_value_is_refused(drafted, events):
    events["label"] = 1
    with pytest.raises(ConfigError, match="the label label holds only 1"):
        drafted(events, label="label")


def test_an_id_is_made_where_no_column_is_unique(drafted, events):
    found, config, rows = drafted(events.drop(columns="event_id"))
    assert config.columns.id == "prediction_id"
    assert rows["prediction_id"].tolist() == [f"row-{i}" for i in range(len(events))]
    assert "rows are numbered" in found.id.why


def test_repeated_ids_are_told(drafted, events):
    events.loc[5:9, "event_id"] = events["event_id"][4]
    found, config, _ = drafted(events, id="event_id")
    assert config.columns.id == "event_id"
    assert found.warnings == ("5 rows repeat an id or have none: quarantined",)


def test_columns_that_no_model_should_read_are_left_out_with_a_reason(drafted, events):
    rng = np.random.default_rng(0)
    events["constant"], events["empty"] = 7, None
    events["big"] = rng.integers(2**60, 2**62, len(events))
    events["hash"] = [f"{x:016x}" for x in rng.permutation(len(events))]
    events["user_id"] = rng.integers(0, 1900, len(events))
    events["list"] = [[1, 2]] * len(events)
    events["value"] = rng.normal(size=len(events))
    events["Score"] = rng.normal(size=len(events))
    found, config, _ = drafted(events)
    assert set(found.left_out) == {
        "constant", "empty", "big", "hash", "user_id", "list", "value", "Score",
    }  # fmt: skip
    assert config.features == ["signal", "colour"]
    assert "rename it" in found.left_out["value"]


def test_kinds_of_features(drafted, events):
    rng = np.random.default_rng(0)
    n = len(events)
    events["flag"], events["weekday"] = rng.random(n) < 0.5, rng.integers(0, 7, n)
    events["store_code"], events["children"] = rng.integers(100, 160, n), rng.integers(0, 5, n)
    events["note"] = [
        f"a longer text that says {x} in its own words" for x in rng.integers(0, 999, n)
    ]
    events["age"], events["vehicle_age"] = rng.integers(18, 90, n), rng.integers(0, 40, n)
    _, config, _ = drafted(events)
    columns = config.columns
    assert set(columns.categorical) == {"colour", "flag", "weekday", "store_code"}
    assert set(columns.numeric) == {"signal", "children", "vehicle_age"}
    assert (columns.text, columns.protected) == (["note"], ["age"])


def test_text_for_null_in_csv_is_null(drafted, events, tmp_path):
    numbers = [str(i % 40 + 0.5) for i in range(len(events))]
    events["amount"] = np.where(np.arange(len(events)) % 9 == 0, "NULL", numbers)
    events.to_csv(tmp_path / "data.csv", index=False)
    _, config, _ = drafted(tmp_path / "data.csv")
    assert "amount" in config.columns.numeric


def test_jsonl_and_latin_csv_and_folders_are_read(drafted, events, tmp_path):
    events["event_time"] = events["event_time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    events["colour"] = events["colour"].replace("red", "rosé")
    events.to_json(tmp_path / "data.jsonl", orient="records", lines=True)
    events.to_csv(tmp_path / "latin.csv", index=False, encoding="latin-1")
    (tmp_path / "parts").mkdir()
    for part in range(2):
        events.iloc[part::2].to_csv(tmp_path / "parts" / f"{part}.csv.gz", index=False)
    for name in ("data.jsonl", "latin.csv", "parts"):
        _, config, rows = drafted(tmp_path / name)
        assert config.features == ["signal", "colour"], name
        assert len(rows) == len(events)
        assert set(rows["colour"]) == {"rosé", "green", "blue"}


def test_hostile_names_of_columns_load_and_stay_in_their_lines(con, drafted, events):
    names = [
        "a: b",
        "# c",
        "{d}",
        'e "f"',
        "g\nh: [",
        "null",
        "1",
        "é\u2028x",
        "[red]i[/red]",
        "yes",
    ]
    rng = np.random.default_rng(0)
    for name in names:
        events[name] = rng.normal(size=len(events))
    events["x\ny"] = 1
    _, config, rows = drafted(events)
    assert set(config.columns.numeric) == {"signal", *names}
    assert set(names) <= set(rows.columns)


def test_policies_fit_small_data(drafted, events):
    _, config, _ = drafted(events.iloc[::10])
    assert config.partitions.grain == "weekly"
    assert config.pool.min_rows <= 100
    assert config.trigger.label_quota <= 50
    assert config.pool.holdout_days <= 30


def test_dense_data_of_two_days_are_cut_by_hours(drafted, events):
    start = pd.Timestamp("2024-01-01")
    events["event_time"] = start + pd.to_timedelta(np.arange(len(events)) * 15, unit="s")
    _, config, _ = drafted(pd.concat([events, events.assign(event_id=events["event_id"] + 2000)]))
    assert config.partitions.grain == "hourly"
    assert config.trigger.cooldown_days < 1


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("no.parquet", None, "there is no such file"),
        ("bad.parquet", b"PAR1 nothing", "cannot be read as parquet"),
        ("empty.csv", b"", "cannot be read|has no rows"),
        ("bad.jsonl", b"{not json\n", "cannot be read|no column"),
        ("odd.xlsx", b"PK\x03\x04", "rename it by what it holds"),
    ],
)
def test_files_that_cannot_be_read_are_told(con, tmp_path, name, content, told):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises((SourceError, ConfigError), match=told):
        understand(con, tmp_path / name, "small")


def test_a_sample_is_bounded_repeatable_and_in_order(con, tmp_path):
    frame = pd.DataFrame({"n": np.arange(10_000)})
    frame.to_parquet(tmp_path / "n.parquet")
    data = open_data(con, tmp_path / "n.parquet")
    first, again = (sample(con, data, {"twice": "n * 2"}, rows=1000) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert 800 < len(first) < 1200
    assert first["n"].is_monotonic_increasing
    assert (first["twice"] == 2 * first["n"]).all()
    assert set(first["n"] % 24) == set(range(24))


def test_a_multiclass_text_history_of_json(drafted, tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        {
            "commentId": f"c{i}", "createdAt": 1_700_000_000_000 + i * 3_600_000,
            "body": f"some words about thing {rng.integers(0, 99)} and another one {i}",
            "language": ["en", "de"][i % 2], "target": ["ok", "spam", "abuse"][int(rng.integers(0, 3))],
        }
        for i in range(600)
    ]  # fmt: skip
    path = tmp_path / "moderation.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    found, config, history = drafted(path)
    assert config.columns.text == ["body"]
    assert config.label.classes == ["abuse", "ok", "spam"]
    assert found.event_time.why == "milliseconds since 1970"
    assert history["createdAt"].iloc[0] == pd.Timestamp(1_700_000_000, unit="s", tz="UTC")


def test_lines_that_cannot_be_read_are_skipped_and_told(drafted, events, tmp_path):
    path = tmp_path / "data.csv"
    events.to_csv(path, index=False)
    with path.open("a") as file:
        file.write("one,two,three,four,five,six,seven,eight\n")
    found, config, rows = drafted(path)
    assert config.features == ["signal", "colour"]
    assert len(rows) == len(events)
    assert "rows that cannot be read were skipped" in found.warnings


def test_a_text_after_many_numbers_is_read(drafted, events, tmp_path):
    events["code"] = [str(i % 40) for i in range(len(events) - 1)] + ["forty-one"]
    events.to_csv(tmp_path / "data.csv", index=False)
    _, config, rows = drafted(tmp_path / "data.csv")
    assert "code" in config.columns.categorical
    assert len(rows) == len(events)


def test_a_few_texts_do_not_spoil_a_column_of_numbers(drafted, events, tmp_path):
    amounts = np.random.default_rng(0).gamma(2, 50, len(events)).round(2)
    events["amount"] = [str(amount) for amount in amounts]
    events.loc[5, "amount"] = "lots"
    events["zip"] = [f"0{code}" for code in np.random.default_rng(0).permutation(len(events))]
    events.to_csv(tmp_path / "data.csv", index=False)
    events.to_parquet(tmp_path / "data.parquet", index=False)
    for name in ("data.csv", "data.parquet"):
        found, config, rows = drafted(tmp_path / name)
        assert "amount" in config.columns.numeric
        assert found.notes["amount"] == "texts, 0.1% are no numbers"
        assert rows["amount"].isna().sum() == 1
        assert "zip" in found.left_out
