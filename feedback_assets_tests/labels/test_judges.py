"""Which labels may judge: the SQL says what a plain reading of the rules says."""

from fnmatch import fnmatchcase

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.labels.judges import may_judge_sql
from feedback_assets.labels.patterns import fits, fits_sql
from feedback_assets_tests.promotion.loops import loop_config

NAME = st.text("ab*?%_!'[]:", max_size=5)
PATTERN = st.text("ab*?%_!'[]:", min_size=1, max_size=4)


def asked(condition: str, **columns: str | None) -> bool:
    with duckdb.connect() as con:
        names = ", ".join(f"CAST(? AS VARCHAR) AS {name}" for name in columns)
        row = con.execute(
            f"SELECT {condition} FROM (SELECT {names})", list(columns.values())
        ).fetchone()
    assert row is not None
    assert row[0] in (True, False)
    return bool(row[0])


@settings(max_examples=150, deadline=None)
@given(name=st.none() | NAME, patterns=st.lists(PATTERN, max_size=3))
def test_sql_and_python_fit_alike(name: str | None, patterns: list[str]) -> None:
    expected = name is not None and any(
        fnmatchcase(name, "".join(f"[{c}]" if c == "[" else c for c in p)) for p in patterns
    )
    assert fits(name, patterns) is expected
    assert asked(fits_sql(["name"], patterns), name=name) is expected


@pytest.mark.parametrize(
    ("source", "principal", "judges", "may"),
    [
        (None, None, [], True),
        ("chargeback", None, [], True),
        ("audit", "person:ann", [], True),
        ("review", "person:ann", [], False),
        ("automatic", None, [], False),
        ("audit", "person:ann", ["audit"], True),
        ("audit", "people", ["audit"], True),
        ("audit", "token:app", ["audit"], False),
        ("audit", "people?", ["audit"], False),
        ("audit", None, ["audit"], False),
        ("audit", "token:app", ["token:*"], True),
        ("audit", "token:app", [], True),
        ("review", "token:app", [], False),
        ("web", "token:web", ["audit", "chargeback"], False),
        (None, None, ["audit"], False),
        ("web", "person:ann", ["person:*"], True),
        ("review", "person:ann", ["person:*", "review"], False),
    ],
)
def test_who_may_judge(
    source: str | None, principal: str | None, judges: list[str], may: bool
) -> None:
    config = loop_config(trust={"judges": judges})
    condition = may_judge_sql(config, "x").replace("x.", "")
    assert asked(condition, label_source=source, label_principal=principal) is may
