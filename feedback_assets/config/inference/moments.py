"""Choosing the time of the prediction and the time at which its label was known."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from feedback_assets.config.inference.datafile import DataFile, quoted, sample
from feedback_assets.config.inference.names import EVENT_TIME, LABEL_TIME, LEAD, rank, snake, words
from feedback_assets.config.inference.times import (
    DERIVED_EVENT_TIME,
    TimeGuess,
    find_times,
    is_number,
    time_of,
)
from feedback_assets.config.shape import nearest
from feedback_assets.errors import ConfigError

_NEVER = {"birth", "dob", "birthday", "expiry", "expires", "due", "updated", "modified", "until"}
_DAY = 86_400.0


@dataclass(frozen=True)
class Moments:
    """A sample of the data in the order of event time, and how its times are read."""

    frame: pd.DataFrame
    """The file's columns in a sample."""
    event: TimeGuess
    seconds: pd.Series
    """Event time of each row of the sample, in seconds since 1970."""
    others: dict[str, TimeGuess]
    """Every other column that holds times."""
    other_seconds: pd.DataFrame


def read_moments(
    con: duckdb.DuckDBPyConnection, data: DataFile, said: str | None, label_time: str | None = None
) -> Moments:
    """Find the event time and draw a sample.

    Args:
        con: A connection in UTC.
        data: The file.
        said: The event time's column where the user named it.
        label_time: The label time's column where the user named it.

    Raises:
        ConfigError: Nothing says when a row happened, or the named column holds no times.
    """
    guesses = find_times(con, data)
    for name in (said, label_time):
        if name is not None and name not in [guess.name for guess in guesses]:
            guesses.append(_named(con, data, name))
    columns = {f"__time_{i}__": f"epoch({guess.sql})" for i, guess in enumerate(guesses)}
    frame = sample(con, data, columns)
    seconds = frame[list(columns)].astype(float)
    seconds = seconds.set_axis(range(len(guesses)), axis=1)
    frame = frame.drop(columns=list(columns))
    chosen = _choose(data, guesses, seconds, said, label_time)
    chosen, when = _before_lead(data, frame, guesses, seconds, chosen, label_time)
    order = np.argsort(when.to_numpy(), kind="stable")
    others = {
        g.name: i for i, g in enumerate(guesses) if len(g.columns) == 1 and g.name != chosen.name
    }
    other_seconds = seconds[list(others.values())].set_axis(list(others), axis=1)
    return Moments(
        frame=frame.iloc[order].reset_index(drop=True),
        event=chosen,
        seconds=when.iloc[order].reset_index(drop=True),
        others={name: guesses[i] for name, i in others.items()},
        other_seconds=other_seconds.iloc[order].reset_index(drop=True),
    )


def find_label_time(moments: Moments, label: str) -> tuple[str, str] | None:
    """Return the column that says when the label was known, and why; None if none does."""
    missing = moments.frame[label].isna().to_numpy()
    best: tuple[int, str, str] | None = None
    for name, guess in moments.others.items():
        when = moments.other_seconds[name]
        slack = _DAY if guess.whole_days else 0.0
        delay = (when - moments.seconds).dropna()
        if len(delay) < 20 or (delay >= -slack).mean() < 0.95 or (delay == 0).all():
            continue
        same_nulls = missing.any() and (when.isna().to_numpy() == missing).all()
        points = rank(name, LABEL_TIME) + (50 if same_nulls else 0)
        why = "by its name" if rank(name, LABEL_TIME) else "empty exactly where the label is"
        if points and (best is None or points > best[0]):
            best = (points, name, why)
    return None if best is None else best[1:]


def _named(con: duckdb.DuckDBPyConnection, data: DataFile, name: str) -> TimeGuess:
    if name not in data.columns:
        meant = nearest(name, data.columns)
        raise ConfigError(
            f"{data.path}: has no column {name}" + (f"; did you mean {meant}?" if meant else "")
        )
    guess = time_of(con, data, name)
    if guess is None:
        raise ConfigError(f"{data.path}: the column {name} ({data.columns[name]}) holds no times")
    return guess


def _choose(
    data: DataFile,
    guesses: Sequence[TimeGuess],
    seconds: pd.DataFrame,
    said: str | None,
    label_time: str | None,
) -> TimeGuess:
    if said is not None:
        return next(guess for guess in guesses if guess.name == said)
    points = {}
    for i, guess in enumerate(guesses):
        whole = seconds[i].notna().mean() >= 0.98 and seconds[i].nunique() > 1
        if whole and guess.name != label_time and not _NEVER & set(words(guess.name)):
            points[i] = (_points(guess), -float(seconds[i].median()), -i)
    if not points:
        raise ConfigError(
            f"{data.path}: no column says when a row happened; name one with --time."
            f" Columns: {', '.join(data.columns)}"
        )
    return guesses[max(points, key=lambda i: points[i])]


def _points(guess: TimeGuess) -> float:
    if guess.relative:
        return 20
    if len(guess.columns) > 1:
        return 150 if not guess.whole_days else 50
    if guess.name == DERIVED_EVENT_TIME and guess.how.startswith("made of"):
        return 5
    base = 60 if guess.whole_days else 100
    return base + 2 * rank(guess.name, EVENT_TIME) - (300 if rank(guess.name, LABEL_TIME) else 0)


def _before_lead(
    data: DataFile,
    frame: pd.DataFrame,
    guesses: Sequence[TimeGuess],
    seconds: pd.DataFrame,
    chosen: TimeGuess,
    label_time: str | None,
) -> tuple[TimeGuess, pd.Series]:
    """Step back by a lead time where labels would otherwise be known before the event.

    A booking is predicted when it is made, not on the day of the stay; data often hold the day of
    the stay and the lead time.
    """
    when = seconds[list(guesses).index(chosen)]
    leads = [c for c in data.columns if snake(c) in LEAD and is_number(data.columns[c])]
    known = label_time or max(
        (g.name for g in guesses if rank(g.name, LABEL_TIME)),
        key=lambda name: rank(name, LABEL_TIME),
        default=None,
    )
    if not leads or known is None or DERIVED_EVENT_TIME in data.columns:
        return chosen, when
    outcome = seconds[[g.name for g in guesses].index(known)]
    earlier = when - frame[leads[0]].astype(float) * _DAY
    late_share = ((outcome - when).dropna() < -_DAY).mean()
    if late_share < 0.02 or ((outcome - earlier).dropna() < -_DAY).mean() > late_share / 4:
        return chosen, when
    sql = f"({chosen.sql} - to_days(CAST({quoted(leads[0])} AS INTEGER)))"
    told = chosen.how or f"made of {chosen.name}"
    how = f"{told}, less {leads[0]} in days: labels are known before the day itself"
    columns = (*chosen.columns, leads[0])
    return TimeGuess(DERIVED_EVENT_TIME, sql, how, columns, chosen.whole_days), earlier
