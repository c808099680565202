"""What the verdict says of real data day by day, and what naive rules would have said: a table.

    python -m benchmarks.real_data flights
    python -m benchmarks.real_data elec2 --data FOLDER    # a folder with elec2.parquet

Prints the Markdown of docs/verdicts.md. A naive alarm is a column whose two-sample KS test (or
chi-square, for categories) on the raw values of one day has p < 0.05.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from feedback_assets.config.judgement import Drift
from feedback_assets.drift import ColumnVerdict, build, judge, tally
from feedback_assets.drift.profile import WHOLE
from feedback_assets.settings import Settings

FLIGHTS = {
    "hour": "numeric", "distance": "numeric", "traffic": "numeric", "temp": "numeric",
    "dewp": "numeric", "humid": "numeric", "wind_speed": "numeric", "wind_gust": "numeric",
    "precip": "numeric", "pressure": "numeric", "visib": "numeric", "plane_age": "numeric",
    "seats": "numeric", "carrier": "categorical", "origin": "categorical", "dest": "categorical",
    "label": "categorical",
}  # fmt: skip
ELEC2 = dict.fromkeys(["nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"], "numeric")
NAIVE = 0.05


def load(name: str, folder: Path) -> tuple[pd.DataFrame, dict[str, str], str]:
    """Rows with a `day`, the kinds of the columns, and where the reference ends."""
    if name == "flights":
        from feedback_assets.simulation.flights import flights_history

        path = flights_history(Settings().root / "demo" / "flights.parquet")
        rows = pd.read_parquet(path)
        time, kinds, until = rows["event_time"], dict(FLIGHTS), "2013-03-01"
    else:
        rows = pd.read_parquet(folder / "elec2.parquet")
        time, kinds, until = rows["event_time"], {**ELEC2, "label": "categorical"}, "1996-09-01"
    rows = rows.assign(day=pd.to_datetime(time, utc=True).dt.strftime("%Y-%m-%d"))
    return rows.sort_values("day", kind="stable"), kinds, until


def verdicts(
    rows: pd.DataFrame, kinds: Mapping[str, str], until: str
) -> tuple[list[str], dict[str, dict[str, ColumnVerdict]]]:
    """The days after the reference, and day → column → verdict."""
    before, after = rows[rows["day"] < until], rows[rows["day"] >= until]
    policy = Drift(min_rows=40)
    profile = build({c: before[c] for c in kinds}, kinds, policy, days=before["day"])
    days, numbers = np.unique(after["day"], return_inverse=True)
    counted = {
        c: tally(after[c], column.bins, numbers, len(days)) for c, column in profile.columns.items()
    }
    found = judge(profile, {WHOLE: counted}, list(days), policy, range(len(days)))
    return list(days), {d: {c.name: c for c in found[d].columns} for d in days}


def naive(rows: pd.DataFrame, kinds: Mapping[str, str], until: str) -> dict[str, int]:
    """Column to the number of days on which its own test says p < 0.05."""
    from scipy.stats import chi2_contingency, ks_2samp

    before, after = rows[rows["day"] < until], rows[rows["day"] >= until]
    alarms = dict.fromkeys(kinds, 0)
    for _, day in after.groupby("day"):
        for name, kind in kinds.items():
            if kind == "numeric":
                a, b = before[name].dropna(), day[name].dropna()
                alarms[name] += bool(len(b) and ks_2samp(a, b, method="asymp").pvalue < NAIVE)
            else:
                both = pd.concat([before[name], day[name]]).astype(str)
                side = np.repeat([0, 1], [len(before), len(day)])
                alarms[name] += bool(chi2_contingency(pd.crosstab(both, side)).pvalue < NAIVE)
    return alarms


def table(
    days: Sequence[str], said: Mapping[str, Mapping[str, ColumnVerdict]], alarms: Mapping[str, int]
) -> str:
    """Markdown: one row a column."""
    lines = [
        "| column | naive alarms | days of drift | first said | in words, then (or on the last day) |",
        "| --- | --: | --: | --- | --- |",
    ]
    for name, count in alarms.items():
        drifted = [d for d in days if said[d][name].status in ("drift", "broken")]
        first = drifted[0] if drifted else ""
        told = said[first or days[-1]][name]
        lines.append(
            f"| {name} | {count} of {len(days)} | {len(drifted)} | {first} | {told.status}: {told.reason} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table of one data set."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_data", description=__doc__)
    parser.add_argument("name", choices=("flights", "elec2"))
    parser.add_argument("--data", type=Path, default=Path(), help="folder with elec2.parquet")
    options = parser.parse_args()
    rows, kinds, until = load(options.name, options.data)
    days, said = verdicts(rows, kinds, until)
    quiet = sum(all(c.status != "drift" for c in said[d].values()) for d in days)
    print(table(days, said, naive(rows, kinds, until)))
    print(f"\n{len(days)} days after {until}; on {quiet} of them no column is said to drift.")


if __name__ == "__main__":
    main()
