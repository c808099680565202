"""What `feedback-assets check` finds: config, the data at the sources, and the definitions."""

import datetime as dt
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb

from feedback_assets.capture.feedback import feedback_partitions, stage_feedback
from feedback_assets.capture.files import FileSource, SourceFile
from feedback_assets.capture.predictions import prediction_partitions, stage_predictions
from feedback_assets.capture.stage import Staged
from feedback_assets.config.env import stray_overrides
from feedback_assets.config.load import load_loops
from feedback_assets.config.schema import Config
from feedback_assets.config.shape import nearest
from feedback_assets.errors import ConfigError
from feedback_assets.settings import Settings
from feedback_assets.sqltext import ident
from feedback_assets.tables.connection import connect

NEWEST_FILES = 20
"""Files looked at for which partitions they hold."""
NEWEST_PARTITIONS = 3
"""Partitions read in full."""
_REASONS = 5

Stage = Callable[
    [duckdb.DuckDBPyConnection, Config, Sequence[SourceFile], Sequence[str], dt.datetime], Staged
]
Partitions = Callable[
    [duckdb.DuckDBPyConnection, Config, Sequence[SourceFile]],
    Mapping[SourceFile, frozenset[str]],
]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; an error makes the check fail."""

    level: Literal["error", "warning", "note"]
    where: str
    text: str


def checkup(settings: Settings, loop: str | None = None) -> Iterator[Finding]:
    """Look at one loop or at all of them.

    Raises:
        ConfigError: There is no loop of that name.
    """
    loops = load_loops(settings)
    if loop is not None and loop not in loops:
        meant = nearest(loop, loops)
        hint = f"; did you mean {meant}?" if meant else ""
        raise ConfigError(
            f"{settings.configs / 'loops'}: no loop {loop}{hint} Loops: {', '.join(loops) or 'none'}"
        )
    if not loops:
        folder = settings.configs / "loops"
        yield Finding("warning", str(folder), "no loop yet; feedback-assets init makes one")
    for stray in stray_overrides(loops, os.environ):
        yield Finding("error", stray.variable, stray.message)
    for name, config in loops.items():
        if loop in (None, name):
            yield from _loop(settings, name, config)
    yield definitions_load(settings)


def _loop(settings: Settings, name: str, config: Config | ConfigError) -> Iterator[Finding]:
    if isinstance(config, ConfigError):
        yield Finding("error", name, str(config))
        return
    yield Finding("note", name, f"config with {len(config.features)} features loads")
    with connect(settings) as con:
        predictions = FileSource(config.source.predictions, settings)
        yield from source_findings(
            con, config, predictions, "predictions", prediction_partitions, stage_predictions
        )
        feedback = FileSource(config.source.feedback, settings)
        yield from source_findings(
            con, config, feedback, "feedback", feedback_partitions, stage_feedback
        )


def source_findings(
    con: duckdb.DuckDBPyConnection,
    config: Config,
    source: FileSource,
    kind: str,
    partitions: Partitions,
    stage: Stage,
) -> Iterator[Finding]:
    """Read the newest partitions of a source as the assets would, without storing anything."""
    where = f"{config.name} {kind}"
    if source.foreign:
        found = f"{len(source.list()):,} {source.format} logs at {source.pattern}"
        yield Finding("note", where, f"{found}; imported by the asset imported_logs")
        return
    if source.nowhere:
        yield Finding("note", where, "come by feedback-assets serve and import alone")
        return
    files = sorted(source.list(), key=lambda file: file.mtime_ns)[-NEWEST_FILES:]
    if not files:
        yield Finding("note", where, f"nothing at {source.pattern} yet")
        return
    held = partitions(con, config, files)
    newest = sorted({key for keys in held.values() for key in keys})[-NEWEST_PARTITIONS:]
    staged = stage(con, config, files, newest, dt.datetime.now(dt.UTC))
    yield _counted(config, where, staged, newest)
    for reason, rows in list(staged.total.reasons.items())[:_REASONS]:
        level: Literal["error", "warning"] = "warning" if staged.total.stored else "error"
        yield Finding(level, where, f"{rows:,} rows: {reason}")
    if kind == "predictions" and staged.total.stored:
        yield from _empty_columns(con, config, where, staged)


def definitions_load(settings: Settings) -> Finding:
    """Build every asset, check, job and sensor of all loops."""
    import dagster as dg

    from feedback_assets.loop import all_loops

    try:
        definitions = all_loops(settings)
        dg.Definitions.validate_loadable(definitions)
    except (dg.DagsterError, ConfigError, ValueError, TypeError, KeyError) as error:
        return Finding("error", "definitions", f"do not load: {error}")
    assets = len(definitions.resolve_asset_graph().get_all_asset_keys())
    return Finding("note", "definitions", f"load with {assets} assets")


def _counted(config: Config, where: str, staged: Staged, partitions: Sequence[str]) -> Finding:
    total = staged.total
    read = f"{partitions[0]} to {partitions[-1]}" if partitions else "no partition"
    text = (
        f"{total.received:,} rows of {read}: {total.stored:,} good, {total.quarantined:,} refused"
    )
    if total.received and not total.stored:
        return Finding("error", where, text)
    allowed = config.contract.max_quarantine_share
    if total.quarantined_share > allowed:
        share = f"{total.quarantined_share:.0%} are refused, contract.max_quarantine_share is"
        return Finding("error", where, f"{text}; {share} {allowed:.0%}")
    return Finding("note", where, text)


def _empty_columns(
    con: duckdb.DuckDBPyConnection, config: Config, where: str, staged: Staged
) -> Iterator[Finding]:
    columns = [*config.columns.features, *config.columns.carried]
    counts = ", ".join(f"count({ident(column)})" for column in columns)
    row = con.execute(f"SELECT {counts} FROM {staged.good}").fetchone() or ()
    empty = [column for column, count in zip(columns, row, strict=True) if count == 0]
    if empty:
        yield Finding("warning", where, f"always empty: {', '.join(empty)}")
