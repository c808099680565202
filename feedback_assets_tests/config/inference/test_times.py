import numpy as np
import pandas as pd
import pytest

from feedback_assets.errors import ConfigError, SourceError


def seconds(times):
    return pd.to_datetime(times, utc=True).dt.as_unit("s").astype("int64")


@pytest.mark.parametrize(
    "form",
    [
        lambda t: t, lambda t: t.dt.tz_localize("UTC"), lambda t: t.dt.tz_localize("UTC").dt.as_unit("us"),
        lambda t: t.dt.strftime("%Y-%m-%dT%H:%M:%SZ"), lambda t: t.dt.strftime("%Y-%m-%d %H:%M:%S"),
        lambda t: t.dt.strftime("%d.%m.%Y %H:%M"), lambda t: t.dt.strftime("%m/%d/%Y %H:%M:%S"),
        lambda t: t.astype("int64") // 10**9, lambda t: t.astype("int64") // 10**6,
        lambda t: t.astype("int64") / 10**9, lambda t: t.astype("int64"),
    ],
)  # fmt: skip
def test_times_in_many_forms_are_read_alike(drafted, events, form):
    expected = seconds(events["event_time"])
    events["event_time"] = form(events["event_time"])
    _, config, rows = drafted(events)
    assert config.columns.event_time == "event_time"
    assert seconds(rows["event_time"]).tolist() == expected.tolist()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M"])
def test_times_in_csv(drafted, events, tmp_path, form, separator):
    expected = seconds(events["event_time"])
    events["event_time"] = events["event_time"].dt.strftime(form)
    events.to_csv(tmp_path / "data.csv", index=False, sep=separator)
    _, _, rows = drafted(tmp_path / "data.csv")
    assert sorted(seconds(rows["event_time"])) == sorted(expected)


def test_a_date_and_an_hour_make_a_time(drafted, events):
    time = events.pop("event_time")
    events["dteday"], events["hr"] = time.dt.date, time.dt.hour
    found, config, rows = drafted(events)
    assert config.columns.event_time == "event_time"
    assert "made of dteday and hr" in found.event_time.why
    assert seconds(rows["event_time"]).tolist() == seconds(time.dt.floor("h")).tolist()
    assert "hr" in config.features


def test_year_month_name_and_day_make_a_time(drafted, events):
    time = events.pop("event_time")
    events["arrival_date_year"], events["arrival_date_month"] = time.dt.year, time.dt.month_name()
    events["arrival_date_day_of_month"] = time.dt.day
    _, config, rows = drafted(events)
    assert config.columns.event_time == "event_time"
    assert seconds(rows["event_time"]).tolist() == seconds(time.dt.floor("D")).tolist()


def test_a_booking_happens_its_lead_time_before_the_stay(drafted, events):
    rng = np.random.default_rng(0)
    booked = events.pop("event_time").dt.floor("D")
    events["lead_time"] = rng.integers(0, 100, len(events))
    stay = booked + pd.to_timedelta(events["lead_time"], unit="D")
    events["arrival_date_year"], events["arrival_date_month"] = stay.dt.year, stay.dt.month_name()
    events["arrival_date_day_of_month"] = stay.dt.day
    wait = (
        events["lead_time"] * np.where(events["label"] == 1, rng.random(len(events)), 1)
    ).astype(int)
    events["reservation_status_date"] = (booked + pd.to_timedelta(wait, unit="D")).dt.strftime(
        "%Y-%m-%d"
    )
    found, config, rows = drafted(events)
    assert seconds(rows["event_time"]).tolist() == seconds(booked).tolist()
    assert "less lead_time in days" in found.event_time.why
    assert config.source.feedback.columns.received_time == "reservation_status_date"
    assert "lead_time" in config.features


def test_seconds_from_an_unknown_beginning(drafted, events):
    time = events.pop("event_time")
    events.insert(0, "Time", (time - time.iloc[0]).dt.total_seconds())
    found, _, rows = drafted(events.drop(columns="event_id"))
    assert "unknown beginning" in found.event_time.why
    assert rows["Time"].min() == pd.Timestamp("2024-01-01", tz="UTC")


def test_the_event_is_not_the_birthday_nor_the_label_time(drafted, events):
    events.insert(0, "birth_date", pd.Timestamp("1990-01-01"))
    events.insert(0, "resolved_at", events["event_time"] + pd.Timedelta(days=3))
    found, config, _ = drafted(events.rename(columns={"event_time": "opened"}))
    assert config.columns.event_time == "opened"
    assert found.label_time.name == "resolved_at"
    assert config.label.max_delay_days == 4


def test_a_label_time_may_be_known_by_its_nulls_alone(drafted, events):
    unknown = np.arange(len(events)) % 10 == 0
    events["label"] = events["label"].where(~unknown)
    events["seen"] = (events["event_time"] + pd.Timedelta(hours=5)).where(~unknown)
    found, _, _ = drafted(events)
    assert found.label_time.name == "seen"


def test_without_a_label_time_labels_are_read_as_a_day_late(drafted, events):
    events["label"] = events["label"].where(np.arange(len(events)) % 10 > 0)
    _, config, rows = drafted(events)
    assert config.source.feedback.columns.received_time == "label_time"
    late = (rows["label_time"] - rows["event_time"].dt.tz_convert("UTC")).dropna()
    assert set(late) == {pd.Timedelta(days=1)}
    assert (rows["label_time"].isna() == rows["label"].isna()).all()


def test_no_time_at_all_is_an_error_that_lists_the_columns(drafted, events):
    with pytest.raises(ConfigError, match=r"--time\. Columns: event_id, signal, colour, label"):
        drafted(events.drop(columns="event_time"))


def test_a_named_time_that_holds_none_is_an_error(drafted, events):
    with pytest.raises(ConfigError, match=r"column colour \(VARCHAR\) holds no times"):
        drafted(events, time="colour")


def test_the_history_must_have_what_the_loop_names(con, drafted, events, tmp_path):
    from feedback_assets.config.inference.history import history_relation

    _, config, _ = drafted(events)
    other = tmp_path / "other.parquet"
    events.rename(columns={"signal": "signals"}).to_parquet(other)
    with pytest.raises(SourceError, match="has no column signal; did you mean signals"):
        history_relation(con, other, config)
