"""From files to two relations, the good rows and the quarantine, whose counts add up.

Each file's rows are typed, checked against the contract and given their partition in one pass
into a temporary table of the connection, which spills to disk: no row is held in Python.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from feedback_assets.capture.arrivals import may_hold, partitions_in
from feedback_assets.capture.convert import Fault, Kind, convert, family_of, first_fault
from feedback_assets.capture.counts import Counts, Staged, add_up
from feedback_assets.capture.files import SourceFile
from feedback_assets.capture.plan import Kept, OwnRows, Plan
from feedback_assets.capture.readers import (
    BROKEN,
    FILE,
    LINE,
    ROW,
    STREAM,
    Opened,
    first_line,
    open_file,
    open_parquet,
    open_text,
)
from feedback_assets.config.grain import partition_end, partition_key_sql, partition_start
from feedback_assets.errors import SourceError
from feedback_assets.sqltext import ident, idents, literal, literals

_ROWS = '"#staged"'
_GOOD, _BAD, _FUTURE, _BLANK = range(4)
_CUT = 500


def stage(
    con: duckdb.DuckDBPyConnection,
    plan: Plan,
    files: Sequence[SourceFile],
    partitions: Sequence[str],
    as_of: dt.datetime,
    own: OwnRows | None = None,
) -> Staged:
    """Fill the views `staged_good` and `staged_bad` of `con`, replacing earlier ones.

    Args:
        con: A connection in UTC.
        plan: How rows of the source become rows of the table.
        files: The source's files.
        partitions: Keys of the partitions to stage.
        as_of: Rows received later are left out.
        own: Rows that come in the table's own columns, beside the files.

    Raises:
        ValueError: if `as_of` has no time zone.
    """
    if as_of.tzinfo is None:
        raise ValueError("as_of has no time zone")
    work = _Staging(con, plan, frozenset(partitions), as_of)
    work.create()
    used = work.holding(files, plan)
    work.load(used, plan)
    columns = tuple(sorted(work.columns))
    if own:
        imported = work.holding(own.files, own.plan)
        work.load(imported, own.plan)
        work.load_waiting(own)
        work.keep(own.kept)
        used += imported
    work.place(used)
    work.date_refused(used)
    work.refuse_duplicates()
    work.create_views()
    return Staged(work.counts(sorted(partitions)), used, columns)


class _Staging:
    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        plan: Plan,
        partitions: frozenset[str],
        as_of: dt.datetime,
    ) -> None:
        self.con = con
        self.plan = plan
        self.partitions = partitions
        self.as_of = as_of
        self.names = [name for name, _, _ in plan.columns]
        self.columns: set[str] = set()

    def create(self) -> None:
        """Create the empty table of all rows."""
        columns = [f"{ident(name)} {dtype}" for name, dtype, _ in self.plan.columns]
        columns += ["source_file VARCHAR", "partition_key VARCHAR", '"#row" BIGINT']
        columns += ['"#reason" VARCHAR', '"#payload" VARCHAR', '"#status" TINYINT']
        for view in ("staged_good", "staged_bad"):
            self.con.execute(f"DROP VIEW IF EXISTS {view}")
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE {_ROWS} ({', '.join(columns)})")

    def holding(self, files: Sequence[SourceFile], plan: Plan) -> tuple[SourceFile, ...]:
        """The files that can have rows of the partitions."""
        return tuple(
            file
            for file in sorted(files)
            if may_hold(self.con, file, plan.time_column, plan.grain, self.partitions)
        )

    def load(self, files: Sequence[SourceFile], plan: Plan) -> None:
        """Read the files; one that fails is noted and never stops the others."""
        wanted = plan.wanted
        opened, failures = open_parquet(
            self.con, [file for file in files if file.format == "parquet"], wanted
        )
        for group in opened:
            failures |= self._insert(group, plan)
        for file in files:
            if file.format != "parquet":
                try:
                    failures |= self._insert(open_text(file, wanted), plan)
                except SourceError as error:
                    failures[file] = str(error)
        self._note(failures)

    def load_waiting(self, own: OwnRows) -> None:
        """Read what the service has taken."""
        if own.waiting is not None:
            for opened in own.waiting.opened(sorted(self.partitions)):
                self._run(opened, f"INSERT INTO {_ROWS} {self._query(opened, own.plan)}")

    def keep(self, kept: Kept) -> None:
        """Take over the rows of earlier commits whose source is gone."""
        names = idents([*self.names, "source_file", "partition_key"])
        if kept.good is not None:
            self.con.execute(
                f'INSERT INTO {_ROWS} ({names}, "#row", "#status") '
                f"SELECT {names}, 0, {_GOOD} FROM {kept.good}"
            )
        if kept.bad is not None:
            self.con.execute(
                f'INSERT INTO {_ROWS} (source_file, "#row", "#reason", "#payload", received_time, '
                f'partition_key, "#status") SELECT source_file, source_row, reason, payload, '
                f"received_time, partition_key, {_BAD} FROM {kept.bad}"
            )

    def _insert(self, opened: Opened, plan: Plan) -> dict[SourceFile, str]:
        """Insert the rows; return the files that turn out to be damaged inside.

        Raises:
            duckdb.Error: if every file can be read, so that the fault is not theirs (no memory,
                no disk): rows are never refused for that.
        """
        try:
            self._run(opened, f"INSERT INTO {_ROWS} {self._query(opened, plan)}")
        except duckdb.Error:
            damaged = {
                file: words for file in opened.files if (words := self._damage(file, plan.wanted))
            }
            if not damaged:
                raise
            whole = [file for file in opened.files if file not in damaged]
            again, failures = open_parquet(self.con, whole, plan.wanted)
            for group in again:
                failures |= self._insert(group, plan)
            return damaged | failures
        self._insert_rejects(opened)
        self.columns |= {f"{name} {kind}" for name, kind in opened.columns.items()}
        self.columns |= set(opened.has or ()) - set(opened.columns)
        return {}

    def _damage(self, file: SourceFile, wanted: Sequence[str]) -> str | None:
        """Return what is wrong with a file when it is only read through, None if nothing is."""
        try:
            opened = open_file(self.con, file, wanted)
            columns = idents(opened.columns) or ROW
            self._run(opened, f"SELECT max(hash({columns})) FROM ({opened.sql})")
        except SourceError as error:
            return str(error)
        except duckdb.Error as error:
            return f"the file cannot be read: {first_line(error)}"
        return None

    def _run(self, opened: Opened, query: str) -> None:
        if opened.stream is not None:
            self.con.register(STREAM, opened.stream)
        try:
            self.con.execute(query).fetchall()
        finally:
            if opened.stream is not None:
                self.con.unregister(STREAM)

    def _query(self, opened: Opened, plan: Plan) -> str:
        """Return SQL of the opened rows in the shape of the table of all rows."""
        raw = [f'"#raw {i}"' for i in range(len(opened.columns))]
        columns = [f"{sql} AS {ident(name)}" for name, _, sql in plan.columns]
        canonical = (
            f"SELECT {', '.join([FILE, ROW, BROKEN, LINE, *raw, *columns])}, "
            f'coalesce({BROKEN}, "#fault", {first_fault(plan.faults)}) AS "#early", '
            f'({BROKEN} IS NULL AND "#fault" IS NULL AND {plan.blank}) AS "#blank" '
            f"FROM ({self._typed(opened, raw, plan)})"
        )
        judged = (
            f'SELECT *, coalesce("#early", {first_fault(plan.contract)}) AS "#reason", '
            f"{self._key_sql} AS partition_key "
            f"FROM ({canonical})"
        )
        status = (
            f'CASE WHEN "#blank" THEN {_BLANK} WHEN received_time > {self._as_of_sql} '
            f'THEN {_FUTURE} WHEN "#reason" IS NOT NULL THEN {_BAD} ELSE {_GOOD} END'
        )
        shown = zip(raw, opened.columns.items(), strict=True)
        values = ", ".join(f"{literal(name)}, {_shown(r, dtype)}" for r, (name, dtype) in shown)
        payload = (
            f"CASE WHEN {BROKEN} IS NOT NULL THEN json_object('line', left({LINE}, {_CUT})) "
            f'WHEN "#reason" IS NOT NULL THEN json_object({values}) END'
        )
        return (
            f"SELECT {idents(self.names)}, {FILE}, partition_key, {ROW}, "
            f'"#reason", {payload}, {status} FROM ({judged}) '
            f"WHERE {self._wanted_sql}"
        )

    def _typed(self, opened: Opened, raw: Sequence[str], plan: Plan) -> str:
        """Return SQL of the plan's fields, their first fault, and the values as they came."""
        faults: list[Fault] = []
        columns = [FILE, ROW, BROKEN, LINE]
        columns += [f"{ident(name)} AS {r}" for name, r in zip(opened.columns, raw, strict=True)]
        for item in plan.fields:
            dtype = opened.columns.get(item.column) if item.column else None
            if item.column and dtype:
                done = convert(item.kind, ident(item.column), dtype, item.column)
                faults.extend(done.faults)
                value = done.value
            else:
                value = f"CAST(NULL AS {_TYPES[item.kind]})"
                if item.required and item.column:
                    faults.append(_missing(item.column, opened))
            columns.append(f"{value} AS {ident(item.name)}")
        if plan.time_column is None:
            columns.append(f"{_modified(opened.files)} AS modified")
        columns.append(f'{first_fault(faults)} AS "#fault"')
        return f"SELECT {', '.join(columns)} FROM ({opened.sql})"

    @property
    def _as_of_sql(self) -> str:
        return _moment_sql(self.as_of)

    @property
    def _key_sql(self) -> str:
        time = ident(self.plan.time)
        if len(self.partitions) == 1:  # nothing else gets past the filter
            return f"CASE WHEN {time} IS NOT NULL THEN {self._keys_sql} END"
        # Without a time zone the same text costs a quarter; the session is in UTC.
        return partition_key_sql(self.plan.grain, f"make_timestamp(epoch_us({time}))")

    @property
    def _wanted_sql(self) -> str:
        """Return SQL that holds for rows of the wanted partitions and rows without a time."""
        time, grain = ident(self.plan.time), self.plan.grain
        spans: list[list[dt.datetime]] = []
        for key in sorted(self.partitions):
            start, end = partition_start(grain, key), partition_end(grain, key)
            if spans and spans[-1][1] == start:
                spans[-1][1] = end
            else:
                spans.append([start, end])
        inside = [
            f"({time} >= {_moment_sql(start)} AND {time} < {_moment_sql(end)})"
            for start, end in spans
        ]
        return " OR ".join([*inside, f"{time} IS NULL"])

    @property
    def _keys_sql(self) -> str:
        return literals(sorted(self.partitions)) or "NULL"

    def _insert_rejects(self, opened: Opened) -> None:
        rows = [
            (opened.files[0].name, None, r.row, r.reason, _line(r.text)) for r in opened.rejects
        ]
        self._insert_bad(rows)

    def _note(self, failures: Mapping[SourceFile, str]) -> None:
        """Put one row in quarantine for each file that cannot be read."""
        rows = [
            (file.name, key, 0, reason, json.dumps({"file": file.name, "size": file.size}))
            for file, reason in sorted(failures.items())
            if (key := file.fallback_partition(self.plan.grain)) in self.partitions
        ]
        self._insert_bad(rows)

    def _insert_bad(self, rows: Sequence[tuple[str, str | None, int, str, str]]) -> None:
        if not rows:
            return
        names = ["source_file", "partition_key", "#row", "#reason", "#payload"]
        types = [pa.string(), pa.string(), pa.int64(), pa.string(), pa.string()]
        arrays = [
            pa.array(values, kind)
            for values, kind in zip(zip(*rows, strict=True), types, strict=True)
        ]
        self.con.register(STREAM, pa.table(arrays, names=names))
        self.con.execute(
            f'INSERT INTO {_ROWS} ({idents(names)}, "#status") '
            f"SELECT {idents(names)}, {_BAD} FROM {STREAM}"
        )
        self.con.unregister(STREAM)

    def place(self, files: Sequence[SourceFile]) -> None:
        """Give rows without a readable time to the earliest partition of their file."""
        homeless = self.con.execute(
            f"SELECT DISTINCT source_file FROM {_ROWS} WHERE partition_key IS NULL"
        ).fetchall()
        if not homeless:
            return
        by_name = {file.name: file for file in files}
        for (name,) in homeless:
            file = by_name[name]
            keys = partitions_in(self.con, [file], self.plan.time_column, self.plan.grain)[file]
            self.con.execute(
                f"UPDATE {_ROWS} SET partition_key = ? "
                "WHERE partition_key IS NULL AND source_file = ?",
                [min(keys, default=file.fallback_partition(self.plan.grain)), name],
            )
        self.con.execute(f"DELETE FROM {_ROWS} WHERE partition_key NOT IN ({self._keys_sql})")

    def date_refused(self, files: Sequence[SourceFile]) -> None:
        """Take a refused row without a readable received time as received with its file."""
        undated = f'received_time IS NULL AND "#status" = {_BAD}'
        found = self.con.execute(f"SELECT DISTINCT source_file FROM {_ROWS} WHERE {undated}")
        names = {name for (name,) in found.fetchall()}
        for file in files:
            if file.name in names:
                self.con.execute(
                    f"UPDATE {_ROWS} SET received_time = ? WHERE {undated} AND source_file = ?",
                    [file.modified, file.name],
                )

    def refuse_duplicates(self) -> None:
        """Keep the first received good row of each key in a partition."""
        key = ident(self.plan.key)
        # Hashes first: nearly always nothing is there twice, and numbers group faster than texts.
        twice = (
            f'SELECT hash({key}) FROM {_ROWS} WHERE "#status" = {_GOOD} '
            "GROUP BY 1 HAVING count(*) > 1"
        )
        if not self.con.execute(f"{twice} LIMIT 1").fetchall():
            return
        ranked = (
            f"SELECT rowid AS id, row_number() OVER (PARTITION BY partition_key, {key} "
            f'ORDER BY received_time, source_file, "#row") AS place FROM {_ROWS} '
            f'WHERE "#status" = {_GOOD} AND hash({key}) IN ({twice})'
        )
        values = ", ".join(
            f"{literal(name)}, {_shown(ident(name), dtype)}" for name, dtype, _ in self.plan.columns
        )
        self.con.execute(
            f'UPDATE {_ROWS} SET "#status" = {_BAD}, "#reason" = {literal(self.plan.duplicate)}, '
            f'"#payload" = json_object({values}) '
            f"WHERE rowid IN (SELECT id FROM ({ranked}) WHERE place > 1)"
        )

    def create_views(self) -> None:
        """Name the good rows and the quarantine."""
        self.con.execute(
            f"CREATE TEMP VIEW staged_good AS SELECT {idents(self.names)}, source_file, "
            f'partition_key FROM {_ROWS} WHERE "#status" = {_GOOD}'
        )
        self.con.execute(
            'CREATE TEMP VIEW staged_bad AS SELECT source_file, "#row" AS source_row, '
            '"#reason" AS reason, "#payload" AS payload, received_time, partition_key '
            f'FROM {_ROWS} WHERE "#status" = {_BAD}'
        )

    def counts(self, partitions: Sequence[str]) -> dict[str, Counts]:
        """Return what became of the rows of each partition."""
        found: dict[str, list[Counts]] = {key: [] for key in partitions}
        rows = self.con.execute(
            f'SELECT partition_key, "#status", "#reason", count(*) FROM {_ROWS} GROUP BY ALL'
        ).fetchall()
        for key, status, reason, n in rows:
            found[key].append(
                Counts(
                    n if status == _GOOD else 0,
                    n if status == _BAD else 0,
                    n if status == _FUTURE else 0,
                    n if status == _BLANK else 0,
                    {reason: n} if status == _BAD else {},
                )
            )
        return {key: add_up(parts) for key, parts in found.items()}


_TYPES: dict[Kind, str] = {"number": "DOUBLE", "text": "VARCHAR", "time": "TIMESTAMPTZ"}


def _missing(column: str, opened: Opened) -> Fault:
    has = ", ".join(opened.has or ())
    words = f"concat({literal(f'column {column} is missing from ')}, {FILE}, {literal(f'; it has: {has}')})"
    return Fault("TRUE", words)


def _modified(files: Sequence[SourceFile]) -> str:
    times = (f"WHEN {literal(f.name)} THEN {_moment_sql(f.modified)}" for f in files)
    return f"CASE {FILE} {' '.join(times)} END"


def _moment_sql(moment: dt.datetime) -> str:
    return f"TIMESTAMPTZ {literal(moment.isoformat())}"


def _shown(value: str, dtype: str) -> str:
    """Return SQL of a value as it goes into a payload: bounded, and always JSON."""
    family = family_of(dtype)
    if family in ("whole", "boolean"):
        return value
    text = f"left(CAST({value} AS VARCHAR), {_CUT})"
    if family == "float":  # NaN and infinity are no JSON
        return f"CASE WHEN isfinite({value}) THEN to_json({value}) ELSE to_json({text}) END"
    return text


def _line(text: str | None) -> str:
    return json.dumps({"line": text}, ensure_ascii=False)
