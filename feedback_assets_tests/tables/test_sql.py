"""Quoted names and texts come back as they went in."""

import doctest

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets import sqltext as sql
from feedback_assets.tables import digest

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def test_examples() -> None:
    for module in (sql, digest):
        result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
        assert result.attempted > 0
        assert result.failed == 0


@settings(max_examples=50, deadline=None)
@given(name=TEXT, text=TEXT)
def test_round_trip(name: str, text: str) -> None:
    with duckdb.connect() as con:
        cursor = con.execute(f"SELECT {sql.literal(text)} AS {sql.ident(name)}")
        assert [column[0] for column in cursor.description or []] == [name]
        assert cursor.fetchall() == [(text,)]


def test_lists() -> None:
    assert sql.idents(["a", 'b"']) == '"a", "b"""'
    assert sql.literals(["a", "b'"]) == "'a', 'b'''"
