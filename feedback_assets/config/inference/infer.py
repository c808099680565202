"""Working out what the columns of a labelled history mean."""

import datetime as dt
import math
from pathlib import Path

import duckdb
import pandas as pd

from feedback_assets.config.inference.datafile import DataFile, open_data, quoted
from feedback_assets.config.inference.kinds import Verdict, good_segments, kind_of, numbers_in
from feedback_assets.config.inference.label import LabelGuess, describe_label, find_label
from feedback_assets.config.inference.leaks import leaks, moves_with_clock
from feedback_assets.config.inference.moments import Moments, find_label_time, read_moments
from feedback_assets.config.inference.names import (
    IDS,
    PREDICTIONS,
    SCORES,
    SEGMENTS,
    first_named,
    is_protected,
    rank,
    snake,
    words,
)
from feedback_assets.config.inference.policies import policies
from feedback_assets.config.inference.times import is_integer, is_number
from feedback_assets.config.inference.understanding import Told, Understanding, Wishes
from feedback_assets.config.schema import FeatureKind
from feedback_assets.config.shape import nearest
from feedback_assets.errors import ConfigError

DERIVED_ID = "prediction_id"
"""The id's name where the history has none: its rows are numbered."""
DERIVED_LABEL_TIME = "label_time"
"""The label time's name where the history has none: some time after the event."""
CALENDAR = "moves with the calendar: its late values were never seen early"


def understand(
    con: duckdb.DuckDBPyConnection, path: Path, loop: str, wishes: Wishes | None = None
) -> Understanding:
    """Work out what a labelled history holds.

    Args:
        con: A connection in UTC.
        path: A Parquet, CSV or JSONL file, or a folder of such.
        loop: The loop's name.
        wishes: What the user said.

    Raises:
        SourceError: The file cannot be read.
        ConfigError: No time or no label can be found, or the user named a column that is not there.
    """
    wishes = wishes or Wishes()
    data = open_data(con, path)
    _columns_exist(data, wishes)
    moments = read_moments(con, data, wishes.time, wishes.label_time)
    frame = moments.frame
    row_id, warnings = _id(con, data, frame, moments, wishes)
    label = _label(con, data, moments, row_id, wishes)
    label_time = _label_time(moments, label.column, wishes)
    answers = _answers(data, frame, label)
    roles = _Roles(data, moments, label, label_time, row_id, answers, wishes)
    roles.sort_out()
    first, last, labels = _extent(con, data, moments, label)
    rare = min(label.positive_share, 1 - label.positive_share) if label.kind == "binary" else 0.5
    delay, delay_why = _max_delay(moments, label_time)
    return Understanding(
        loop=loop, path=path, rows=data.rows, first=first, last=last, labels=labels,
        id=row_id, event_time=_event_told(moments, wishes), label=label, label_time=label_time,
        max_delay_days=delay, max_delay_why=delay_why,
        features=roles.features, notes=roles.notes, segments=roles.segments(),
        segments_said=bool(wishes.segments), protected=tuple(roles.protected),
        left_out=roles.left_out, leaking=roles.leaking,
        score=Told(answers.get("score") or "score"),
        prediction=Told(answers.get("prediction") or "prediction"),
        propensity=Told(answers["propensity"]) if "propensity" in answers else None,
        model_version=Told(answers.get("model_version") or "model_version"),
        policies=policies(data.rows, labels, first, last, rare),
        warnings=(*warnings, *_cautions(moments, label, label_time, data)),
        owner=wishes.owner,
    )  # fmt: skip


class _Roles:
    """Sorts the columns into features, protected attributes, leaks and what is left out."""

    def __init__(
        self,
        data: DataFile,
        moments: Moments,
        label: LabelGuess,
        label_time: Told,
        row_id: Told,
        answers: dict[str, str],
        wishes: Wishes,
    ) -> None:
        self.data, self.moments, self.label, self.wishes = data, moments, label, wishes
        event = moments.event.name
        self.used = {event, label.column, label_time.name, row_id.name, *answers.values()}
        self.features: dict[str, FeatureKind] = {}
        self.notes: dict[str, str] = {}
        self.protected: list[str] = []
        self.left_out: dict[str, str] = {}
        self.leaking: dict[str, str] = {}

    def sort_out(self) -> None:
        frame = self.moments.frame
        for column in [c for c in self.data.columns if c not in self.used]:
            reason = self._no_feature(column)
            if reason is not None:
                self.left_out[column] = reason
            elif is_protected(column):
                self.protected.append(column)
            else:
                self._by_kind(column)
        found = leaks(frame, [*self.features, *self.protected], self.label.column, self.label.kind)
        self.leaking = found
        self.protected = [c for c in self.protected if c not in found]
        self.features = {c: kind for c, kind in self.features.items() if c not in found}
        if not self.features:
            raise ConfigError(f"{self.data.path}: no column is left that could be a feature")

    def segments(self) -> tuple[str, ...]:
        if self.wishes.segments:
            return self.wishes.segments
        categorical = [c for c, kind in self.features.items() if kind == "categorical"]
        named = sorted(
            (c for c in categorical if rank(c, SEGMENTS)), key=lambda c: -rank(c, SEGMENTS)
        )
        return tuple(good_segments(self.moments.frame, categorical, named))

    def _no_feature(self, column: str) -> str | None:
        if column in self.wishes.drop:
            return "said with --drop"
        if column in self.moments.others:
            return "is a time"
        if column in self.moments.event.columns and words(column)[-1:] == ["year"]:
            return CALENDAR
        if rank(column, (*SCORES, *PREDICTIONS)) or {"predicted", "prediction"} & set(
            words(column)
        ):
            return "is named like the answer of a model"
        return None

    def _by_kind(self, column: str) -> None:
        values = self.moments.frame[column]
        verdict = kind_of(values, self.data.columns[column])
        numbers = numbers_in(values) if self.data.columns[column] == "VARCHAR" else None
        if verdict.kind is None and numbers is not None:
            wrong = f"{(values.notna() & numbers.isna()).mean():.1%}"
            self.moments.frame[column] = values = numbers
            verdict = kind_of(values, "DOUBLE")
            verdict = Verdict(verdict.kind, verdict.note or f"texts, {wrong} are no numbers")
        if verdict.kind is None:
            self.left_out[column] = verdict.note
        elif verdict.kind != "text" and moves_with_clock(values):
            self.left_out[column] = CALENDAR
        else:
            self.features[column] = verdict.kind
            if verdict.note:
                self.notes[column] = verdict.note


def _columns_exist(data: DataFile, wishes: Wishes) -> None:
    said = [wishes.id, wishes.time, wishes.label, wishes.label_time, *wishes.segments, *wishes.drop]
    for name in said:
        if name is not None and name not in data.columns:
            meant = nearest(name, data.columns)
            hint = f"; did you mean {meant}?" if meant else ""
            raise ConfigError(
                f"{data.path}: has no column {name}{hint} Columns: {', '.join(data.columns)}"
            )


def _id(
    con: duckdb.DuckDBPyConnection,
    data: DataFile,
    frame: pd.DataFrame,
    moments: Moments,
    wishes: Wishes,
) -> tuple[Told, list[str]]:
    if wishes.id is not None:
        distinct = _distinct(con, data, wishes.id)
        twice = data.rows - distinct
        told = [f"{twice:,} rows repeat an id or have none: quarantined"] if twice else []
        return Told(wishes.id), told
    free = [c for c in data.columns if c not in moments.others and c != moments.event.name]
    likely = [c for c in free if frame[c].notna().all() and _unique_in(frame[c])]
    likely = [
        c for c in likely if rank(c, IDS) or words(c)[-1:] == ["id"] or _looks_id(data, frame, c)
    ]
    likely.sort(key=lambda c: (-rank(c, IDS), words(c)[-1:] != ["id"]))
    for column in likely[:5]:
        if _distinct(con, data, column) == data.rows:
            return Told(column, "different in every row"), []
    why = "no column is different in every row; the history's rows are numbered: row-0, row-1, ..."
    return Told(DERIVED_ID, why), []


def _distinct(con: duckdb.DuckDBPyConnection, data: DataFile, column: str) -> int:
    row = con.execute(f"SELECT count(DISTINCT {quoted(column)}) FROM {data.relation}").fetchone()
    return 0 if row is None else int(row[0])


def _unique_in(values: pd.Series) -> bool:
    try:
        return bool(values.is_unique)
    except TypeError:
        return False


def _looks_id(data: DataFile, frame: pd.DataFrame, column: str) -> bool:
    if is_integer(data.columns[column]):
        span = float(frame[column].max()) - float(frame[column].min()) + 1
        return span <= 1.05 * data.rows or frame[column].abs().max() > 2**53
    if data.columns[column] == "UUID":
        return True
    return data.columns[column] == "VARCHAR" and not frame[column].str.contains(r"\s").any()


def _label(
    con: duckdb.DuckDBPyConnection, data: DataFile, moments: Moments, row_id: Told, wishes: Wishes
) -> LabelGuess:
    if wishes.label is not None:
        return describe_label(con, data, wishes.label, "")
    answers = {c for c in data.columns if rank(c, (*SCORES, *PREDICTIONS, "propensity"))}
    single = moments.event.columns if len(moments.event.columns) == 1 else ()
    taken = {row_id.name, *moments.others, *single, *answers, *wishes.drop, *wishes.segments}
    column, why = find_label(data, moments.frame, taken)
    return describe_label(con, data, column, why)


def _label_time(moments: Moments, label: str, wishes: Wishes) -> Told:
    if wishes.label_time is not None:
        return Told(wishes.label_time)
    found = find_label_time(moments, label)
    if found is not None:
        return Told(*found)
    why = "the data do not say when a label was known; the history is read as if some time later"
    return Told(DERIVED_LABEL_TIME, why)


def _event_told(moments: Moments, wishes: Wishes) -> Told:
    if wishes.time is not None:
        return Told(moments.event.name, moments.event.how)
    return Told(moments.event.name, moments.event.how or "by its name and type")


def _answers(data: DataFile, frame: pd.DataFrame, label: LabelGuess) -> dict[str, str]:
    """Find the columns that hold what a model answered."""
    found: dict[str, str] = {}
    numeric = [c for c in data.columns if is_number(data.columns[c]) and c != label.column]
    shares = [c for c in numeric if frame[c].dropna().between(0, 1).all()]
    score = first_named(shares if label.kind == "binary" else [], SCORES)
    if score:
        found["score"] = score
    prediction = first_named([c for c in data.columns if c != label.column], PREDICTIONS)
    if prediction:
        key = "score" if label.kind == "regression" else "prediction"
        found[key] = prediction
    for name in ("propensity", "model_version"):
        column = next((c for c in data.columns if snake(c) == name), None)
        if column and (name != "propensity" or column in shares):
            found[name] = column
    return found


def _extent(
    con: duckdb.DuckDBPyConnection, data: DataFile, moments: Moments, label: LabelGuess
) -> tuple[dt.datetime, dt.datetime, int]:
    sql = moments.event.sql
    row = con.execute(
        f"SELECT epoch(min({sql})), epoch(max({sql})), count({quoted(label.column)})"
        f" FROM {data.relation}"
    ).fetchone()
    first, last, labels = row or (0, 0, 0)
    return _utc(first), _utc(last), int(labels)


def _utc(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, tz=dt.UTC)


def _max_delay(moments: Moments, label_time: Told) -> tuple[int, str]:
    if label_time.name not in moments.others:
        return 30, ""
    delay = ((moments.other_seconds[label_time.name] - moments.seconds) / 86_400).dropna()
    longest, usual = float(delay.max()), float(delay.quantile(0.99))
    middle = f"half within {_span(float(delay.median()))}"
    # A loop waits this long before it trusts a day, so a long tail is not waited for.
    if longest > 30 or longest > 3 * usual + 1:
        told = f"{middle}, 99% within {_span(usual)}, the longest {_span(longest)}"
        return max(1, math.ceil(usual)), told
    return max(1, math.ceil(longest * 1.1)), f"{middle}, the longest {_span(longest)}"


def _span(days: float) -> str:
    if days < 1 / 24:
        return f"{max(days, 0) * 1440:.0f} minutes"
    return f"{days * 24:.1f} hours" if days < 2 else f"{days:,.0f} days"


def _cautions(moments: Moments, label: LabelGuess, label_time: Told, data: DataFile) -> list[str]:
    told = ["rows that cannot be read were skipped"] if data.lenient else []
    if label_time.name in moments.others:
        slack = 86_400 if moments.others[label_time.name].whole_days else 0
        delay = (moments.other_seconds[label_time.name] - moments.seconds).dropna()
        early = float((delay < -slack).mean())
        if early > 0:
            told.append(f"{early:.1%} of the labels were known before the event: look at the times")
    known = moments.frame[label.column].dropna()
    if label.kind != "regression" and len(moments.frame) == data.rows and len(known) > 1:
        same = float((known.to_numpy()[1:] == known.to_numpy()[:-1]).mean())
        usual = float((known.value_counts(normalize=True) ** 2).sum())
        if same - usual > 0.15:
            told.append(
                f"labels follow each other: {same:.0%} equal the one before ({usual:.0%} by chance),"
                " so compare any accuracy with that"
            )
    return told
