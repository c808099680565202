from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from feedback_assets.capture.inbox import pgreader, pruning, segments, state
from feedback_assets.settings import Settings


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    pytest.importorskip("psycopg", reason="needs psycopg: pip install feedback-assets[postgres]")
    from feedback_assets_tests.capture.inbox import server

    if server.binaries() is None:
        pytest.skip("needs a PostgreSQL server: apt install postgresql")
    with server.running() as url:
        yield url


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """A schema of its own for each test."""
    import psycopg

    name = f"t{uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{postgres}?options=-csearch_path%3D{name}"


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", inbox_free_mb=0, inbox_keep_days=0)


@pytest.fixture
def on_postgres(tmp_path: Path, postgres_url: str) -> Settings:
    return Settings(home=tmp_path / "home", inbox_url=postgres_url, inbox_keep_days=0)


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest) -> Settings:
    """Whatever holds for one inbox holds for the other."""
    return request.getfixturevalue(f"on_{request.param}")


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> int:
    """Segments of eight rows, so that few rows fill many."""
    for module in (pgreader, pruning, segments, state):
        monkeypatch.setattr(module, "SEGMENT_ROWS", 8)
    return 8
