"""SQL that turns a source's columns, of whatever type they came in, into the table's types.

Each conversion yields the value (null where there is none) and the faults that send a row to
quarantine. Nothing is guessed away: text that is not a number is a fault, never a null.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from feedback_assets.config.schema import Label
from feedback_assets.sqltext import literal, literals

Kind = Literal["number", "text", "time"]
Family = Literal["whole", "float", "boolean", "text", "moment", "bytes", "other"]

MISSING = ("", "na", "n/a", "null", "none", "nan", "nat")
"""Texts that mean "no value" where a number or a time is expected."""
TRUE = ("1", "1.0", "true", "t", "yes", "y")
FALSE = ("0", "0.0", "false", "f", "no", "n")

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT")
_UNSIGNED = ("UINTEGER", "UBIGINT", "UHUGEINT", "BIGNUM")
_NEEDED = {"number": "a number", "text": "a text", "time": "a time"}


@dataclass(frozen=True)
class Fault:
    """What is wrong with the rows for which `condition` holds."""

    condition: str
    reason: str
    """An SQL expression that yields the words."""


@dataclass(frozen=True)
class Converted:
    """A typed SQL expression and what can be wrong with it."""

    value: str
    faults: tuple[Fault, ...] = ()


def fault(condition: str, words: str) -> Fault:
    """Return a fault with fixed words."""
    return Fault(condition, literal(words))


def first_fault(faults: Sequence[Fault]) -> str:
    """Return SQL for the words of the first fault that holds, null when none does."""
    if not faults:
        return "CAST(NULL AS VARCHAR)"
    return "CASE " + " ".join(f"WHEN {f.condition} THEN {f.reason}" for f in faults) + " END"


def family_of(dtype: str) -> Family:
    """Return the family of a DuckDB type.

    >>> family_of("DECIMAL(10,2)"), family_of("TIMESTAMP WITH TIME ZONE"), family_of("INTEGER[]")
    ('whole', 'moment', 'other')
    """
    base = dtype.upper()
    if base.endswith("]"):
        return "other"
    if base in (*_WHOLE, *_UNSIGNED) or base.startswith("DECIMAL"):
        return "whole"
    if base in ("DOUBLE", "FLOAT"):
        return "float"
    if base == "DATE" or base.startswith("TIMESTAMP"):
        return "moment"
    if base in ("VARCHAR", "UUID") or base.startswith("ENUM"):
        return "text"
    return {"BOOLEAN": "boolean", "BLOB": "bytes", '"NULL"': "text"}.get(base, "other")  # type: ignore[return-value]


def convert(kind: Kind, raw: str, dtype: str, column: str) -> Converted:
    """Return the conversion of the expression `raw` of DuckDB type `dtype`.

    Args:
        kind: What the column is to become: DOUBLE, VARCHAR or TIMESTAMPTZ.
        raw: SQL of the value as it came.
        dtype: Its DuckDB type.
        column: The source's name of it, for the words of a fault.
    """
    family = family_of(dtype)
    if kind == "number" and family in ("whole", "float", "boolean", "text"):
        return _number(raw, family, column)
    if kind == "text" and family != "other":
        return Converted(_text(raw, family))
    if kind == "time" and family in ("whole", "float", "text", "moment"):
        return _time(raw, family, dtype.upper(), column)
    target = {"number": "DOUBLE", "text": "VARCHAR", "time": "TIMESTAMPTZ"}[kind]
    words = f"column {column} has type {dtype.split('(')[0]}, not {_NEEDED[kind]}"
    return Converted(f"CAST(NULL AS {target})", (fault(f"{raw} IS NOT NULL", words),))


def _number(raw: str, family: Family, column: str) -> Converted:
    if family in ("whole", "boolean"):
        return Converted(f"CAST({raw} AS DOUBLE)")
    value = f"TRY_CAST({raw} AS DOUBLE)"
    faults = [fault(f"isinf({value})", f"{column} is infinite")]
    if family == "text":
        broken = f"{raw} IS NOT NULL AND {value} IS NULL AND {_says_something(raw)}"
        faults.insert(0, fault(broken, f"{column} is not a number"))
    # NaN means "no value": kept, it would poison every mean and minimum downstream.
    return Converted(f"CASE WHEN NOT isnan({value}) THEN {value} END", tuple(faults))


def _says_something(raw: str) -> str:
    return f"NOT {among(f'lower(trim({raw}))', MISSING)}"


def among(expr: str, texts: Sequence[str]) -> str:
    """Return SQL that is true where `expr` is one of the texts.

    Not `IN`: DuckDB makes a join of a longer list, which costs each row even inside a CASE
    that never gets there.
    """
    return f"list_contains([{literals(texts)}], {expr})"


def _text(raw: str, family: Family) -> str:
    if family == "float":  # 1.0 and 1 are one category, whatever wrote the file
        whole = f"{raw} = trunc({raw}) AND abs({raw}) < 1e15"
        text = f"CASE WHEN {whole} THEN CAST(CAST({raw} AS BIGINT) AS VARCHAR)"
        return f"{text} WHEN NOT isnan({raw}) THEN CAST({raw} AS VARCHAR) END"
    if family == "bytes":
        return f"TRY(decode({raw}))"
    return f"CAST({raw} AS VARCHAR)"


def _time(raw: str, family: Family, dtype: str, column: str) -> Converted:
    value = _moment(raw, family, dtype)
    said = f"{raw} IS NOT NULL AND {value} IS NULL"
    if family == "text":
        said += f" AND {_says_something(raw)}"
    return Converted(value, (fault(said, f"{column} cannot be read as a time"),))


def _moment(raw: str, family: Family, dtype: str) -> str:
    if family == "moment":
        if dtype == "TIMESTAMPTZ_NS":  # as pandas writes them; isfinite does not know the type
            raw = f"CAST({raw} AS TIMESTAMPTZ)"
            dtype = "TIMESTAMP WITH TIME ZONE"
        if dtype.startswith("TIMESTAMP WITH TIME ZONE"):
            return f"CASE WHEN isfinite({raw}) THEN {raw} END"
        plain = f"TRY_CAST({raw} AS TIMESTAMP)"
        # Much faster than a cast, which asks the time zone library about every row.
        return f"CASE WHEN isfinite({plain}) THEN make_timestamptz(epoch_us({plain})) END"
    if family == "text":
        trimmed = f"trim({raw})"
        digits = f"regexp_full_match({trimmed}, '[0-9]+([.][0-9]+)?')"
        # Words such as 'now' are times to DuckDB, and other ones on every run.
        cast = (
            f"CASE WHEN {trimmed} BETWEEN '0' AND ':' THEN TRY_CAST({trimmed} AS TIMESTAMPTZ) END"
        )
        return f"CASE WHEN {digits} THEN {_epoch(f'TRY_CAST({raw} AS DOUBLE)')} ELSE {cast} END"
    return _epoch(f"CAST({raw} AS DOUBLE)")


def _epoch(number: str) -> str:
    """Return the moment that a bare number means, told apart by its size.

    A year (1900 to 2100), a date written 20130201, or the time since 1970 in seconds,
    milliseconds, microseconds or nanoseconds.
    """
    date = f"strptime(CAST(CAST({number} AS BIGINT) AS VARCHAR), '%Y%m%d')"
    year = f"make_date(CAST({number} AS BIGINT), 1, 1)"
    micros = (
        f"CASE WHEN abs({number}) < 1e11 THEN {number} * 1e6 WHEN abs({number}) < 1e14 "
        f"THEN {number} * 1e3 WHEN abs({number}) < 1e17 THEN {number} ELSE {number} / 1e3 END"
    )
    whole = f"{number} = trunc({number})"
    return (
        f"CASE WHEN {whole} AND {number} BETWEEN 1900 AND 2100 "
        f"THEN make_timestamptz(epoch_us(CAST({year} AS TIMESTAMP))) "
        f"WHEN {whole} AND {number} BETWEEN 19000101 AND 21001231 "
        f"THEN make_timestamptz(epoch_us(TRY({date}))) "
        f"WHEN abs({number}) < 1e19 "
        f"THEN make_timestamptz(CAST(round({micros}) AS BIGINT)) END"
    )


def answer(text: str, label: Label, what: str) -> Converted:
    """Return a class or label in the one spelling that the tables use, from any text.

    Binary: '1' or '0'. Where the YAML names a positive value of its own, every other text is
    negative. Multiclass: a class. Regression: the shortest text of the number.
    """
    if label.kind == "regression":
        number = f"TRY_CAST({text} AS DOUBLE)"
        broken = f"{text} IS NOT NULL AND NOT coalesce(isfinite({number}), FALSE)"
        value = f"CASE WHEN isfinite({number}) THEN CAST({number} + 0 AS VARCHAR) END"
        return Converted(value, (fault(broken, f"{what} is not a number"),))
    if label.kind == "multiclass":
        known = literals(label.classes)
        whole = f"regexp_replace({text}, '[.]0+$', '')"
        value = (
            f"CASE WHEN {text} IN ({known}) THEN {text} WHEN {whole} IN ({known}) THEN {whole} END"
        )
        broken = f"{text} IS NOT NULL AND {value} IS NULL"
        return Converted(value, (fault(broken, f"{what} is not one of the classes"),))
    return _binary(text, label.positive, what)


def _binary(text: str, positive: str, what: str) -> Converted:
    low = f"lower(trim({text}))"
    own = positive.strip().lower()
    if own in TRUE:
        value = (
            f"CASE WHEN {text} = '1' THEN '1' WHEN {text} = '0' THEN '0' "
            f"WHEN {among(low, TRUE)} THEN '1' WHEN {among(low, FALSE)} THEN '0' END"
        )
        broken = f"{text} IS NOT NULL AND {value} IS NULL"
        return Converted(value, (fault(broken, f"{what} is neither positive nor negative"),))
    yes = [own] if _is_number(own) else [own, *TRUE]
    value = f"CASE WHEN {among(low, yes)} THEN '1' WHEN {low} <> '' THEN '0' END"
    return Converted(value, (fault(f"{low} = ''", f"{what} is empty"),))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
