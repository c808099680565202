"""The contract compiled to SQL: the same rules, for any number of rows, none of them in memory.

Every rule comes from the pandera schema. A rule without a translation is an error, so the two
can never part silently.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd

from feedback_assets.capture.convert import Fault, fault
from feedback_assets.errors import ContractError
from feedback_assets.sqltext import ident, literal

if TYPE_CHECKING:
    import pandera.pandas as pa


@dataclass(frozen=True)
class Rule:
    """One rule on one column."""

    column: str
    check: str
    """pandera's name of the check, or `not_nullable`."""
    breaks: str
    """SQL that is true for a row that breaks the rule, and never null."""
    reason: str
    """The words for people."""


def rules_of(schema: "pa.DataFrameSchema") -> list[Rule]:
    """Return every rule of the schema that concerns one row, in the order of its columns.

    Types hold by construction and uniqueness needs other rows: both are left out.

    Raises:
        ContractError: if a check has no translation to SQL.
    """
    rules: list[Rule] = []
    for name, column in schema.columns.items():
        null = f"{ident(name)} IS NULL"
        if str(column.dtype) == "float64":
            null = f"({null} OR isnan({ident(name)}))"
        if not column.nullable:
            rules.append(Rule(name, "not_nullable", null, f"{name} is missing"))
        rules.extend(_rule(name, null, check) for check in column.checks)
    return rules


def faults_of(schema: "pa.DataFrameSchema", but: Collection[str] = ()) -> list[Fault]:
    """Return the schema's rules as faults over the canonical columns, but for some columns."""
    return [fault(rule.breaks, rule.reason) for rule in rules_of(schema) if rule.column not in but]


def failure_cases(
    con: duckdb.DuckDBPyConnection, relation: str, schema: "pa.DataFrameSchema", limit: int = 20
) -> pd.DataFrame:
    """Return rows of a stored relation that break the contract.

    Args:
        con: Where `relation` can be read.
        relation: SQL text that may stand after FROM, with the schema's columns.
        schema: The contract.
        limit: Rows shown of each rule.

    Returns:
        Columns `column`, `check`, `failures` (rows that break the rule), `prediction_id` or
        `event_id` as `row_id`, `value`; empty when the contract is kept.
    """
    key = next(name for name, column in schema.columns.items() if column.unique)
    counts = _failure_counts(con, relation, schema, key)
    frames = [
        con.execute(
            f'SELECT {literal(rule.column)} AS column, {literal(rule.check)} AS "check", '
            f"CAST({count} AS BIGINT) AS failures, CAST({ident(key)} AS VARCHAR) AS row_id, "
            f"CAST({ident(rule.column)} AS VARCHAR) AS value FROM {relation} "
            f"WHERE {rule.breaks} ORDER BY row_id LIMIT {limit}"
        ).df()
        for rule, count in counts
        if count
    ]
    empty = pd.DataFrame(columns=["column", "check", "failures", "row_id", "value"])
    return pd.concat(frames, ignore_index=True) if frames else empty


def _failure_counts(
    con: duckdb.DuckDBPyConnection, relation: str, schema: "pa.DataFrameSchema", key: str
) -> list[tuple[Rule, int]]:
    rules = rules_of(schema)
    name = ident(key)
    again = f"{name} IN (SELECT {name} FROM {relation} GROUP BY {name} HAVING count(*) > 1)"
    rules.append(Rule(key, "unique", again, f"{key} is there twice"))
    sums = ", ".join(f"count(*) FILTER (WHERE {rule.breaks})" for rule in rules[:-1])
    found = con.execute(f"SELECT {sums}, count(*) - count(DISTINCT {name}) FROM {relation}")
    row = found.fetchone() or ()
    return [(rule, int(count)) for rule, count in zip(rules, row, strict=True)]


def _rule(name: str, null: str, check: Any) -> Rule:
    translate = _TRANSLATIONS.get(check.name)
    if translate is None:
        known = ", ".join(_TRANSLATIONS)
        raise ContractError(f"{name}: check {check.name!r} has no SQL; known are {known}")
    holds, words = translate(ident(name), check.statistics)
    return Rule(name, check.name, f"(NOT ({null}) AND NOT ({holds}))", f"{name} {words}")


def _value(value: Any) -> str:
    if isinstance(value, str):
        return literal(value)
    return repr(float(value)) if abs(value) < float("inf") else f"CAST('{value}' AS DOUBLE)"


def _number(value: float) -> str:
    return f"{value:g}"


def _isin(column: str, statistics: dict[str, Any]) -> tuple[str, str]:
    values = ", ".join(_value(value) for value in statistics["allowed_values"])
    return (f"{column} IN ({values})" if values else "FALSE"), "is not an allowed value"


_TRANSLATIONS: dict[str, Callable[[str, dict[str, Any]], tuple[str, str]]] = {
    "greater_than_or_equal_to": lambda column, s: (
        f"{column} >= {_value(s['min_value'])}",
        f"is below {_number(s['min_value'])}",
    ),
    "less_than_or_equal_to": lambda column, s: (
        f"{column} <= {_value(s['max_value'])}",
        f"is above {_number(s['max_value'])}",
    ),
    "greater_than": lambda column, s: (
        f"{column} > {_value(s['min_value'])}",
        f"is not above {_number(s['min_value'])}",
    ),
    "less_than": lambda column, s: (
        f"{column} < {_value(s['max_value'])}",
        f"is not below {_number(s['max_value'])}",
    ),
    "isin": _isin,
}
