"""The same version of a table read by Spark and by DuckDB."""

import shutil

import pytest

from feedback_assets.settings import Settings
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Cause, Table

pytest.importorskip(
    "pyspark", reason="Spark is not installed: pip install 'feedback-assets[spark]'"
)
if shutil.which("java") is None:
    pytest.skip("Spark needs Java: apt-get install default-jre-headless", allow_module_level=True)


def test_spark_reads_the_rows_that_duckdb_reads(tmp_path):
    from pyspark.sql import SparkSession

    from feedback_assets.tables.spark import read_snapshot

    settings = Settings(home=tmp_path)
    table = Table(settings.tables, "loop/rows", ["id"])
    query = """SELECT 'r' || i AS id, CAST(i * 1.5e0 AS DOUBLE) AS x, TIMESTAMPTZ '2024-01-01' AS at,
               CASE WHEN i < 50 THEN '2024' ELSE '2025' END AS partition_key FROM range(100) r(i)"""
    with connect(settings) as con:
        first = table.replace(con, query, ["2024", "2025"], Cause("run", "asset", {}))
        table.replace(
            con, query.replace("1.5e0", "9e0"), ["2024", "2025"], Cause("run", "asset", {})
        )
        session = SparkSession.builder.master("local[1]").config(
            "spark.sql.session.timeZone", "UTC"
        ).config("spark.ui.enabled", "false").getOrCreate()  # fmt: skip
        try:
            frame = read_snapshot(session, first, ["2024"]).select("id", "x", "partition_key")
            spark = sorted(tuple(row) for row in frame.collect())
        finally:
            session.stop()
        duckdb = sorted(
            con.execute(f"SELECT id, x, partition_key FROM {first.relation(['2024'])}").fetchall()
        )
    assert spark == duckdb
    assert len(spark) == 50
