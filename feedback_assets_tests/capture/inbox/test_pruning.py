"""Rows go when the tables hold them and they are old enough: never one too early."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from feedback_assets.capture.inbox import pruning, sqlite
from feedback_assets.capture.inbox.offline import prune_now
from feedback_assets.capture.inbox.receipts import read_receipts, write_receipt
from feedback_assets.capture.inbox.records import Inbox
from feedback_assets.capture.inbox.schema import connect_read_only
from feedback_assets.errors import InboxClosedError, InboxError
from feedback_assets.settings import Settings
from feedback_assets_tests.capture.inbox.test_sqlite import Faulty
from feedback_assets_tests.capture.inbox.world import (
    SHOP,
    entries,
    entry,
    reader_of,
    rows_of,
    store,
    use,
)  # fmt: skip

CHANNELS = st.sampled_from(["feedback", "predictions", "shadow"])


def numbers(settings: Settings, stream="feedback", loop: str = SHOP) -> list[int]:
    with contextlib.closing(reader_of(settings)) as reader:
        return [row["seq"] for row in rows_of(reader, stream, loop)]


def take(settings: Settings, through: int, stream="feedback", loop: str = SHOP) -> int:
    """Give a receipt; what is pruned afterwards."""
    with contextlib.closing(reader_of(settings)) as reader:
        reader.taken(stream, loop, through)
        return reader.pruned_through(stream, loop)


def test_whole_taken_segments_go_and_the_open_one_stays(settings: Settings, small_segments: int):
    stored = [out.seq for out in store(settings, entries(21))]
    assert stored == list(range(1, 22))
    assert take(settings, 14) == 7
    assert numbers(settings) == stored[7:]
    assert take(settings, 21) == 15
    assert numbers(settings) == stored[15:]
    with contextlib.closing(reader_of(settings)) as reader:
        assert reader.head() == 21


def test_numbers_of_pruned_rows_are_not_given_again(settings: Settings, small_segments: int):
    store(settings, entries(16))
    take(settings, 16)
    assert store(settings, [entry("new")])[0].seq == 17


def test_keys_of_pruned_rows_are_forgotten(settings: Settings, small_segments: int):
    store(settings, entries(16))
    take(settings, 16)
    assert store(settings, [entry("k0", "other")])[0].state == "stored"


def test_a_stream_not_taken_holds_its_segment(settings: Settings, small_segments: int):
    store(settings, entries(5), [entry("p", stream="predictions")], entries(14, "m"))
    assert take(settings, 20) == 0
    assert len(numbers(settings)) == 19
    assert take(settings, 6, "predictions") == 6
    assert take(settings, 20) == 15
    assert numbers(settings, "predictions") == []


def test_young_rows_stay(settings: Settings, small_segments: int):
    keeping = settings.model_copy(update={"inbox_keep_days": 1})
    store(keeping, entries(20))
    assert take(keeping, 20) == 0
    assert take(settings, 20) == 15


@hypothesis_settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("append"), CHANNELS, st.integers(1, 12)),
            st.tuples(st.just("again"), CHANNELS, st.integers(1, 3)),
            st.tuples(st.just("take"), CHANNELS, st.floats(0, 1)),
            st.tuples(st.just("prune"), CHANNELS, st.just(0)),
        ),
        max_size=14,
    )
)
def test_a_row_not_taken_is_never_lost(
    tmp_path_factory, steps, small_segments: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pruning, "BATCH_ROWS", 3)
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, inbox_free_mb=0, inbox_keep_days=0)
    stored: dict[tuple[str, int], str] = {}
    taken: dict[str, int] = {}
    gone_before: dict[str, int] = {}
    store(settings, [entry("first", stream="refused_feedback")])
    write_receipt(settings.inbox, "refused_feedback", SHOP, 1)
    for number, (what, stream, much) in enumerate(steps):
        allowed = dict(taken)
        if what == "append":
            sent = entries(much, f"s{number}.", stream=stream)
            for e, out in zip(sent, store(settings, sent), strict=True):
                stored[stream, out.seq] = e.key
        elif what == "again":
            store(settings, [entry(key, stream=s) for (s, _), key in list(stored.items())[-much:]])
        elif what == "take":
            with contextlib.closing(reader_of(settings)) as reader:
                taken[stream] = round(much * reader.head())
            allowed[stream] = max(allowed.get(stream, 0), taken[stream])
            write_receipt(settings.inbox, stream, SHOP, taken[stream])
        else:
            prune_now(settings)
        with contextlib.closing(reader_of(settings)) as reader:
            for one in ("feedback", "predictions", "shadow"):
                left = {(one, row["seq"]) for row in rows_of(reader, one)}
                gone = reader.pruned_through(one, SHOP)
                mine = {at for at in stored if at[0] == one}
                assert left == {at for at in mine if at[1] > gone}, (
                    "exactly the rows behind are left"
                )
                assert gone == gone_before.get(one, 0) or gone <= allowed.get(one, 0)
                gone_before[one] = gone


def test_the_service_prunes_while_rows_come_in(
    on_sqlite: Settings, small_segments: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sqlite, "CHORES_SECONDS", 0.05)

    async def busy(inbox: Inbox) -> int:
        await inbox.append(entries(100))
        reader = await asyncio.to_thread(reader_of, on_sqlite)
        await asyncio.to_thread(reader.taken, "feedback", SHOP, 50)
        assert prune_now(on_sqlite) == 0, "the service holds the lock"
        for number in range(1_000):
            await inbox.append([entry(f"m{number}")])
            if reader.pruned_through("feedback", SHOP) == 47:
                break
            await asyncio.sleep(0.005)
        reader.close()
        return number

    assert use(on_sqlite, busy) < 999
    assert numbers(on_sqlite)[0] == 48


def test_what_is_gone_is_recorded_in_the_same_transaction(on_sqlite: Settings, small_segments: int):
    """However far a batch came, rows are gone exactly up to the recorded number."""
    store(on_sqlite, entries(5), entries(5, "p", stream="predictions"), entries(9, "m"))
    write_receipt(on_sqlite.inbox, "feedback", SHOP, 19)
    write_receipt(on_sqlite.inbox, "predictions", SHOP, 19)
    for stop in ("DELETE FROM segments", "UPDATE channels", "DELETE FROM entries", "COMMIT"):
        connections: list[Faulty] = []
        database = sqlite.SqliteStore(
            on_sqlite,
            "pruning",
            lambda path, made=connections: made.append(Faulty(path)) or made[0],
        )
        connections[0].fail = {stop: sqlite3.SQLITE_IOERR}
        with pytest.raises(InboxClosedError):
            database.prune()
        database.close()
        with contextlib.closing(reader_of(on_sqlite)) as reader:
            assert reader.pruned_through("feedback", SHOP) == 0
            assert reader.pruned_through("predictions", SHOP) == 0
            assert len(rows_of(reader)) == 14


def test_each_batch_leaves_a_true_record(
    on_sqlite: Settings, small_segments: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pruning, "BATCH_ROWS", 3)
    store(on_sqlite, entries(5), entries(5, "p", stream="predictions"), entries(9, "m"))
    write_receipt(on_sqlite.inbox, "feedback", SHOP, 19)
    write_receipt(on_sqlite.inbox, "predictions", SHOP, 19)
    database = sqlite.SqliteStore(on_sqlite, "pruning")
    seen = []
    while database.prune():
        left = numbers(on_sqlite), numbers(on_sqlite, "predictions")
        with contextlib.closing(reader_of(on_sqlite)) as reader:
            gone = [reader.pruned_through(s, SHOP) for s in ("feedback", "predictions")]
        assert min(left[0]) > gone[0]
        assert not left[1] or min(left[1]) > gone[1]
        seen.append(tuple(gone))
    database.close()
    assert seen == [(3, 0), (5, 6), (5, 7), (5, 10), (13, 10), (15, 10)]


def test_a_reader_says_when_rows_went_under_its_eyes(
    settings: Settings, small_segments: int, monkeypatch: pytest.MonkeyPatch
):
    for module in ("reader", "pgreader"):
        monkeypatch.setattr(f"feedback_assets.capture.inbox.{module}.READ_ROWS", 4)
    store(settings, entries(30))
    reader = reader_of(settings)
    batches = reader.batches("feedback", SHOP, 0, 1, 2**62)
    next(batches)
    take(settings, 30)
    with pytest.raises(InboxError, match="read again"):
        list(batches)
    reader.close()


def test_receipts_are_small_files_and_a_smaller_number_counts(tmp_path: Path):
    write_receipt(tmp_path, "feedback", "my.loop", 7)
    write_receipt(tmp_path, "feedback", "my.loop", 5)
    write_receipt(tmp_path, "predictions", "b", 9)
    (tmp_path / "taken" / "c.shadow").write_text("not a number")
    (tmp_path / "taken" / ".tmpx").write_text("11")
    assert read_receipts(tmp_path) == {("feedback", "my.loop"): 5, ("predictions", "b"): 9}


@pytest.mark.parametrize(("stream", "loop"), [("feedback", "../x"), ("feedback", ""), ("x", "a")])
def test_a_receipt_for_no_stream_is_refused(tmp_path: Path, stream, loop):
    with pytest.raises(InboxError, match="no stream"):
        write_receipt(tmp_path, stream, loop, 7)


def test_nothing_is_pruned_where_there_is_no_inbox(on_sqlite: Settings):
    assert prune_now(on_sqlite) == 0
    assert not on_sqlite.inbox.exists()


def test_a_segment_is_recorded_by_the_commit_that_begins_the_next(
    on_sqlite: Settings, small_segments: int
):
    streams = ("feedback", "feedback", "predictions")

    async def one_by_one(inbox: Inbox) -> None:
        for number in range(25):
            await inbox.append([entry(f"k{number}", stream=streams[number % 3])])

    use(on_sqlite, one_by_one)
    with contextlib.closing(connect_read_only(on_sqlite.inbox / "inbox.db")) as reader:
        rows = reader.execute(
            "SELECT segment, stream, last_seq FROM segments JOIN channels ON id = channel"
            " ORDER BY segment, stream"
        ).fetchall()
    assert rows == [
        (0, "feedback", 7), (0, "predictions", 6),
        (1, "feedback", 14), (1, "predictions", 15),
        (2, "feedback", 23), (2, "predictions", 21),
    ]  # fmt: skip


def test_a_restart_knows_what_the_open_segment_holds(on_sqlite: Settings, small_segments: int):
    store(on_sqlite, entries(4), [entry("p", stream="predictions")])
    store(on_sqlite, entries(10, "m"))
    assert take(on_sqlite, 15) == 0, "the prediction of before the restart is not taken"
