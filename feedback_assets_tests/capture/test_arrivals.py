import pytest

from feedback_assets.capture import arrivals
from feedback_assets.capture.feedback import feedback_partitions
from feedback_assets.capture.files import FileSource
from feedback_assets.capture.predictions import prediction_partitions

QUERY = "SELECT TIMESTAMP '2013-02-01 05:00' + to_days(CAST(range * 2 AS INTEGER)) AS event_time FROM range(3)"
DAYS = {"2013-02-01", "2013-02-03", "2013-02-05"}


def found(loop) -> dict[str, set[str]]:
    files = FileSource(loop.config.source.predictions, loop.settings).list()
    parts = prediction_partitions(loop.con, loop.config, files)
    return {file.name: set(keys) for file, keys in parts.items()}


def test_exactly_the_days_that_have_rows_in_every_format(loop):
    loop.parquet("a.parquet", QUERY)
    loop.parquet("b.parquet", f"SELECT event_time::VARCHAR AS event_time FROM ({QUERY})")
    (loop.predictions / "c.csv").write_text(
        "event_time\n" + "\n".join(f"{day} 01:00" for day in sorted(DAYS)) + "\nlater\n"
    )
    loop.jsonl(loop.predictions / "d.jsonl", [{"event_time": day} for day in sorted(DAYS)])

    assert found(loop) == dict.fromkeys(["a.parquet", "b.parquet", "c.csv", "d.jsonl"], DAYS)


def test_files_without_a_readable_time_fall_back_to_their_name(loop):
    (loop.predictions / "2013-02-07.csv").write_text("event_time\nlater\n")
    (loop.predictions / "2013-02-08.parquet").write_bytes(b"broken")
    (loop.predictions / "2013-02-09.csv").write_text("event_time\n")
    loop.parquet("2013-02-10.parquet", "SELECT 1 AS other")

    assert found(loop) == {
        "2013-02-07.csv": {"2013-02-07"}, "2013-02-08.parquet": {"2013-02-08"},
        "2013-02-09.csv": set(), "2013-02-10.parquet": {"2013-02-10"},
    }  # fmt: skip


def test_a_file_is_looked_at_once_until_it_changes(loop, monkeypatch):
    path = loop.jsonl(loop.predictions / "a.jsonl", [{"event_time": "2013-02-01"}])
    reads = []
    real = arrivals._read
    monkeypatch.setattr(arrivals, "_read", lambda *args: reads.append(args) or real(*args))

    assert found(loop) == found(loop) == {"a.jsonl": {"2013-02-01"}}
    assert len(reads) == 1
    with path.open("a") as file:
        file.write('{"event_time": "2013-02-02"}\n')
    assert found(loop) == {"a.jsonl": {"2013-02-01", "2013-02-02"}}
    assert len(reads) == 2


@pytest.mark.parametrize(("day", "holds"), [("2013-01-31", False), ("2013-02-02", True),
                                           ("2013-02-05", True), ("2013-02-06", False)])  # fmt: skip
def test_a_footer_tells_without_reading_rows(loop, monkeypatch, day, holds):
    loop.parquet("a.parquet", QUERY)
    (file,) = FileSource(loop.config.source.predictions, loop.settings).list()
    monkeypatch.setattr(arrivals, "_read", lambda *args: pytest.fail("rows were read"))
    assert arrivals.may_hold(loop.con, file, "event_time", "daily", [day]) is holds


def test_feedback_arrives_by_the_time_it_was_known(loop):
    loop.jsonl(loop.feedback / "a.jsonl", [{"known": "2013-02-01"}, {"known": "2013-03-01"}])
    files = FileSource(loop.config.source.feedback, loop.settings).list()
    parts = feedback_partitions(loop.con, loop.config, files)
    assert list(parts.values()) == [{"2013-02-01", "2013-03-01"}]
