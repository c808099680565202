import pytest


def test_flights_from_newark(drafted, shared):
    found, config, rows = drafted(shared / "flights_ewr_2013_jan_apr.parquet")
    assert (found.id.name, found.event_time.name, found.label.column) == (
        "event_id", "event_time", "label",
    )  # fmt: skip
    assert found.label_time.name == "label_time"
    assert set(found.leaking) == {"dep_delay", "arr_delay", "air_time", "cancelled"}
    assert {"tailnum", "origin", "month", "sched_dep_local"} <= set(found.left_out)
    assert {"carrier", "dest", "dow", "manufacturer"} == set(config.columns.categorical)
    assert {"distance", "temp", "wind_gust", "seats"} <= set(config.columns.numeric)
    assert config.label.kind == "binary"
    assert config.label.max_delay_days == 1
    assert config.partitions.grain == "daily"
    assert "carrier" in config.columns.segments
    assert len(rows) == 39_951


def test_bikes(drafted, shared):
    found, config, _ = drafted(shared / "bike_sharing_hourly.parquet")
    assert set(found.leaking) == {"casual", "registered", "cnt"}
    assert config.label.kind == "regression"
    assert config.columns.id == "instant"
    assert "yr" in found.left_out
    assert {"temp", "hum", "windspeed", "hr"} <= set(config.columns.numeric)


def test_electricity(drafted, shared):
    found, config, rows = drafted(shared / "elec2.parquet")
    assert found.leaking == {}
    assert config.columns.id == "prediction_id"
    assert rows["prediction_id"].is_unique
    assert "date" in found.left_out
    assert any("labels follow each other: 85%" in warning for warning in found.warnings)


def test_employment_with_the_answers_of_a_model(drafted, shared):
    found, config, _ = drafted(shared / "acs_employment_ma_small.parquet")
    assert config.columns.score == "predicted_probability"
    assert config.columns.prediction == "prediction"
    assert set(config.columns.protected) == {"SEX", "RAC1P", "AGEP"}
    assert not {"prediction", "predicted_probability", "year", "partition"} & set(config.features)
    assert len(config.features) == 13
    assert found.leaking == {}


def test_comments(drafted, shared):
    _, config, _ = drafted(shared / "youtube_spam_3_videos.parquet")
    assert config.columns.text == ["text"]
    assert config.columns.segments == ["artist"]
    assert config.partitions.grain == "weekly"
    assert config.trigger.label_quota < 200


def test_recommendations(drafted, shared):
    _, config, _ = drafted(shared / "obd_women.parquet")
    assert config.columns.propensity == "propensity"
    assert "propensity" not in config.features
    assert "item_id" in config.columns.categorical


def test_items_have_no_time(drafted, shared):
    with pytest.raises(Exception, match="no column says when a row happened; name one with --time"):
        drafted(shared / "obd_women_items.parquet")
