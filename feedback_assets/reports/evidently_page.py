"""One period's rows beside the reference's, drawn by Evidently under the verdict that we decided.

Evidently only renders: its methods are fixed, and its thresholds are set so that it repeats the
verdict. It puts values into the page as they are, so every value is made harmless before.
"""

import os
import random
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from markupsafe import Markup

from feedback_assets.config.schema import Config
from feedback_assets.reports.files import replace_text
from feedback_assets.reports.pages import render_page, template_text

if TYPE_CHECKING:
    from feedback_assets.drift import ColumnVerdict, DayVerdict

Kind = Literal["numeric", "categorical"]
METHODS: Mapping[Kind, str] = {"numeric": "wasserstein", "categorical": "jensenshannon"}
MAX_VALUE = 60
MAX_CATEGORIES = 40
HARMLESS = str.maketrans(
    {"<": "\u2039", ">": "\u203a", "&": "\uff06", "`": "\u02cb", "\u2028": " ", "\u2029": " "}
)
DECIDED = {"drift": -1.0, "broken": -1.0}
NEVER = 1e9
POLICY = r" Dataset drift detection threshold is [0-9.e+-]+"


@dataclass(frozen=True)
class Page:
    """What a rendered page holds.

    Attributes:
        path: the HTML file.
        shown: the columns that Evidently drew.
        left_out: column to the reason why it could not be drawn.
    """

    path: Path
    shown: tuple[str, ...]
    left_out: Mapping[str, str]


def render(
    current: pd.DataFrame,
    reference: pd.DataFrame,
    config: Config,
    title: str,
    verdict: "DayVerdict",
    out: Path,
) -> Page:
    """Render a page from at most `drift.page_rows` rows of each side and write it atomically.

    Args:
        current: rows of the period, with the loop's columns; it may be empty.
        reference: rows that the champion was trained on, with the same columns.
        config: the loop.
        title: what the page is about.
        verdict: our verdict, shown on top and repeated by Evidently.
        out: where the HTML goes; serve it sandboxed (see `reports.server`).

    Returns:
        The page with the columns that it shows and those left out.
    """
    now, before = (
        _sample(f, config.drift.page_rows, config.model.seed) for f in (current, reference)
    )
    kinds, left_out = _drawable(now, before, config)
    names = _safe_names(list(kinds))
    body = _evidently(
        _prepared(now, kinds, names, before), _prepared(before, kinds, names, before),
        {names[c]: kind for c, kind in kinds.items()}, names, verdict,
    ) if kinds else render_page("blank.html.j2")  # fmt: skip
    replace_text(out, _with_banner(body, title, verdict, left_out, (len(now), len(before))))
    return Page(out, tuple(kinds), left_out)


def harmless(value: object) -> str:
    """A value as short text that no page takes for markup."""
    text = "".join(c if c.isprintable() else " " for c in str(value).translate(HARMLESS))
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "\u2026"


def _sample(frame: pd.DataFrame, rows: int, seed: int) -> pd.DataFrame:
    return frame if len(frame) <= rows else frame.sample(n=rows, random_state=seed)


def _drawable(
    now: pd.DataFrame, before: pd.DataFrame, config: Config
) -> tuple[dict[str, Kind], dict[str, str]]:
    """Columns that Evidently survives, and why it would not survive the others."""
    kinds: dict[str, Kind] = {}
    left_out: dict[str, str] = {}
    for column in [*config.features, "score", "prediction"]:
        kind = _kind(column, config)
        reasons = [
            _fault(frame, column, kind, side)
            for frame, side in ((now, "these rows"), (before, "the reference"))
        ]
        fault = next((reason for reason in reasons if reason), "")
        if not fault:
            kinds[column] = kind
        elif column in config.features or column in now:
            left_out[column] = fault
    return kinds, left_out


def _kind(column: str, config: Config) -> Kind:
    if column == "score":
        return "numeric"
    if column == "prediction":
        return "numeric" if config.label.kind == "regression" else "categorical"
    return "categorical" if config.columns.kind_of(column) == "categorical" else "numeric"


def _fault(frame: pd.DataFrame, column: str, kind: Kind, side: str) -> str:
    if column not in frame:
        return f"missing in {side}"
    if not len(frame):
        return f"there are no rows in {side}"
    if frame[column].isna().all():
        return f"all null in {side}"
    if kind == "numeric" and not np.isfinite(_numbers(frame[column])).any():
        return f"no finite number in {side}"
    return ""


def _numbers(values: "pd.Series[Any]") -> "pd.Series[float]":
    """Numbers as they are; text as its length in characters."""
    if pd.api.types.is_object_dtype(values) or pd.api.types.is_string_dtype(values):
        read = pd.to_numeric(values, errors="coerce")
        values = read if read.notna().any() else values.str.len()
    return values.astype("float64").replace([np.inf, -np.inf], np.nan)


def _prepared(
    frame: pd.DataFrame,
    kinds: Mapping[str, Kind],
    names: Mapping[str, str],
    reference: pd.DataFrame,
) -> pd.DataFrame:
    columns: dict[str, pd.Series[Any]] = {}
    for column, kind in kinds.items():
        values = frame[column]
        if kind == "numeric":
            columns[names[column]] = _numbers(values)
            continue
        kept = reference[column].value_counts().index[:MAX_CATEGORIES]
        known = set(reference[column].dropna().unique())
        rare = values.isin(known) & ~values.isin(kept)
        columns[names[column]] = values.map(harmless, na_action="ignore").mask(rare, "(rare)")
    return pd.DataFrame(columns).reset_index(drop=True)


def _safe_names(columns: list[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for column in columns:
        name, count = harmless(column), 1
        while name in names.values():
            count += 1
            name = f"{harmless(column)} ({count})"
        names[column] = name
    return names


def _evidently(
    current: pd.DataFrame,
    reference: pd.DataFrame,
    kinds: Mapping[str, Kind],
    names: Mapping[str, str],
    verdict: "DayVerdict",
) -> str:
    os.environ["DO_NOT_TRACK"] = "true"
    with _same_randomness(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _import_evidently()
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        definition = DataDefinition(
            numerical_columns=[c for c, kind in kinds.items() if kind == "numeric"],
            categorical_columns=[c for c, kind in kinds.items() if kind == "categorical"],
        )
        status = {names[c.name]: c.status for c in verdict.judged if c.name in names}
        preset = DataDriftPreset(
            columns=list(kinds),
            drift_share=1e-9 if verdict.status in DECIDED else NEVER,
            per_column_method={c: METHODS[kind] for c, kind in kinds.items()},
            per_column_threshold={c: DECIDED.get(status.get(c, ""), NEVER) for c in kinds},
        )
        data = [Dataset.from_pandas(f, data_definition=definition) for f in (current, reference)]
        html = Report([preset], include_tests=False).run(*data).get_html_str(as_iframe=False)
    return re.sub(POLICY, "", str(html))


def _import_evidently() -> None:
    # Its import keeps the callers' frames for good: imported from within a run, it makes DuckDB
    # complain of leaks when the process ends. A thread of its own has no callers.
    thread = Thread(target=import_module, args=("evidently.presets",))
    thread.start()
    thread.join()


@contextmanager
def _same_randomness() -> Iterator[None]:
    """Evidently reseeds the global generators; nobody else shall notice."""
    numbers, others = np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        np.random.set_state(numbers)
        random.setstate(others)


def _with_banner(
    html: str,
    title: str,
    verdict: "DayVerdict",
    left_out: Mapping[str, str],
    rows: tuple[int, int],
) -> str:
    order = {"broken": 0, "drift": 1, "immaterial": 2, "insufficient": 3, "stable": 4}
    columns = sorted(verdict.columns, key=_rank(order))
    head = render_page("page_head.html.j2", title=title)
    banner = render_page(
        "verdict.html.j2",
        title=title,
        verdict=verdict,
        columns=columns,
        left_out=left_out,
        rows=rows,
        css=Markup(template_text("verdict.css")),  # noqa: S704 - our own file,
    )
    return html.replace("<head>", f"<head>{head}", 1).replace("<body>", f"<body>{banner}", 1)


def _rank(order: Mapping[str, int]) -> Any:
    def rank(column: "ColumnVerdict") -> tuple[int, float, str]:
        psi = column.statistics.psi
        return order[column.status], -psi if psi == psi else 0.0, column.name

    return rank
