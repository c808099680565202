"""Names fitted by patterns: `*` stands for any text, `?` for one character."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from feedback_assets.sqltext import literal


def fits(name: str | None, patterns: Iterable[str]) -> bool:
    """Whether a name is fitted by one of the patterns; nobody is by none.

    >>> fits("token:web", ["person:*", "token:w?b"]), fits("a[1]", ["a[1]"]), fits(None, ["*"])
    (True, True, False)
    """
    # A bracket is itself here, as it is in SQL.
    return name is not None and any(fnmatchcase(name, p.replace("[", "[[]")) for p in patterns)


def fits_sql(columns: Sequence[str], patterns: Sequence[str]) -> str:
    """Portable SQL, never null: one of the columns is fitted by one of the patterns.

    Args:
        columns: SQL of the names.
        patterns: The patterns.

    >>> print(fits_sql(["who"], ["ann", "token:*"]))
    COALESCE((who = 'ann'), FALSE) OR COALESCE((who LIKE 'token:%' ESCAPE '!'), FALSE)
    >>> fits_sql(["who"], [])
    'FALSE'
    """
    said = [f"COALESCE(({_one(c, p)}), FALSE)" for p in patterns for c in columns]
    return " OR ".join(said) or "FALSE"


def _one(column: str, pattern: str) -> str:
    if not set(pattern) & {"*", "?"}:
        return f"{column} = {literal(pattern)}"
    plain = "".join(f"!{letter}" if letter in "!%_" else letter for letter in pattern)
    return f"{column} LIKE {literal(plain.replace('*', '%').replace('?', '_'))} ESCAPE '!'"
