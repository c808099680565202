"""What both inboxes promise to the door and to the assets."""

import asyncio
from itertools import count

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from feedback_assets.capture.inbox.open import open_reader
from feedback_assets.capture.inbox.records import BATCH_SCHEMA, STREAMS, Entry, Inbox, Replay
from feedback_assets.errors import InboxClosedError, InboxError
from feedback_assets.settings import Settings
from feedback_assets_tests.capture.inbox.world import (
    SHOP,
    entries,
    entry,
    reader_of,
    replay,
    rows_of,
    store,
    use,
)  # fmt: skip

HOUR = 3_600_000_000
LOOPS = (f"loop{number}" for number in count())
"""A loop of its own for each example: the inbox outlives them."""


def test_new_rows_are_stored_with_growing_numbers(settings: Settings):
    outcomes = store(settings, entries(150, "a"), entries(3, "b"))
    assert {out.state for out in outcomes} == {"stored"}
    numbers = [out.seq for out in outcomes]
    assert numbers == sorted(set(numbers))
    assert numbers[0] > 0
    reader = reader_of(settings)
    assert reader.head() == numbers[-1]
    assert [row["seq"] for row in rows_of(reader)] == numbers
    reader.close()


def test_numbers_go_on_after_a_restart(settings: Settings):
    first = store(settings, entries(3, "a"))
    second = store(settings, entries(3, "b"))
    assert second[0].seq > first[-1].seq


def test_the_same_again_is_repeated_and_other_words_are_a_conflict(settings: Settings):
    first, again, other = store(
        settings, [entry("k", '{"a":1}')], [entry("k", '{"a":1}')], [entry("k", '{"a":2}')]
    )
    assert (again.state, again.seq, again.body) == ("repeated", first.seq, b'{"a":1}')
    assert (other.state, other.seq, other.body) == ("conflict", first.seq, b'{"a":1}')
    reader = reader_of(settings)
    assert [row["body"] for row in rows_of(reader)] == ['{"a":1}']
    reader.close()


def test_a_key_belongs_to_its_stream_and_loop(settings: Settings):
    same = [entry("k", stream=stream, loop=loop) for stream in STREAMS for loop in ("a", "b")]
    assert {out.state for out in store(settings, same)} == {"stored"}


def test_of_two_alike_in_one_append_the_first_counts(settings: Settings):
    one, two, three, four = store(
        settings, [entry("k", "1"), entry("k", "1"), entry("k", "2"), entry("other")]
    )
    assert [one.state, two.state, three.state, four.state] == [
        "stored", "repeated", "conflict", "stored",
    ]  # fmt: skip
    assert (two.seq, two.body, three.seq, three.body) == (one.seq, b"1", one.seq, b"1")


def test_of_many_alike_at_once_one_is_stored(settings: Settings):
    async def race(inbox: Inbox) -> list:
        return await asyncio.gather(
            *[inbox.append([entry("k"), entry(f"own{i}")]) for i in range(40)]
        )

    outcomes = use(settings, race)
    assert sorted(out[0].state for out in outcomes) == ["repeated"] * 39 + ["stored"]
    assert {out[1].state for out in outcomes} == {"stored"}
    assert len({out[0].seq for out in outcomes}) == 1


WORDS = st.tuples(st.sampled_from("abcdé"), st.sampled_from(["1", "2"]))


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(appends=st.lists(st.lists(WORDS, max_size=5), max_size=8), restart=st.booleans())
def test_any_appends_end_as_a_dictionary_would(settings: Settings, appends, restart):
    loop = next(LOOPS)
    groups = [[entry(key, body, loop=loop) for key, body in group] for group in appends]
    if restart:
        half = len(groups) // 2
        outcomes = store(settings, *groups[:half]) + store(settings, *groups[half:])
    else:

        async def at_once(inbox: Inbox) -> list:
            done = await asyncio.gather(*[inbox.append(group) for group in groups])
            return [out for outs in done for out in outs]

        outcomes = use(settings, at_once)
    model: dict[str, tuple[int, bytes]] = {}
    for sent, out in zip([e for group in groups for e in group], outcomes, strict=True):
        if sent.key not in model:
            assert (out.state, out.body) == ("stored", None)
            assert all(out.seq > seq for seq, _ in model.values())
            model[sent.key] = (out.seq, sent.body)
        else:
            seq, body = model[sent.key]
            assert out.state == ("repeated" if body == sent.body else "conflict")
            assert (out.seq, out.body) == (seq, body)
    reader = reader_of(settings)
    stored = {row["key"]: (row["seq"], row["body"].encode()) for row in rows_of(reader, loop=loop)}
    reader.close()
    assert stored == model


def test_a_stored_row_is_found(settings: Settings):
    async def ask(inbox: Inbox) -> tuple:
        await inbox.append([entry("k", '{"ä":1}')])
        return (
            await inbox.find("feedback", SHOP, "k"),
            await inbox.find("feedback", SHOP, "no"),
            await inbox.find("shadow", SHOP, "k"),
            await inbox.find("feedback", SHOP, "k\0"),
            await inbox.find("feedback", SHOP, "\ud800"),
            await inbox.replayed("anna", "\ud800"),
        )

    assert use(settings, ask) == ('{"ä":1}'.encode(), None, None, None, None, None)


def test_an_answer_is_kept_when_all_rows_are_new(settings: Settings):
    async def ask(inbox: Inbox) -> list:
        await inbox.append([entry("a")], replay("kept"))
        await inbox.append([entry("a"), entry("b")], replay("not"))
        await inbox.remember(replay("alone", content=b"[]"))
        return [await inbox.replayed("anna", key) for key in ("kept", "not", "alone", "never")]

    assert use(settings, ask) == [replay("kept"), None, replay("alone", content=b"[]"), None]


def test_an_answer_belongs_to_its_principal_survives_and_stays(settings: Settings):
    async def keep(inbox: Inbox) -> None:
        await inbox.remember(replay("k", content=b"1"))
        await inbox.remember(replay("k", content=b"2"))

    async def ask(inbox: Inbox) -> list:
        return [await inbox.replayed(who, "k") for who in ("anna", "bert")]

    use(settings, keep)
    assert use(settings, ask) == [replay("k", content=b"1"), None]


def test_counters_are_saved_with_the_next_commit_and_at_the_end(settings: Settings):
    async def count(inbox: Inbox) -> dict:
        inbox.save_counters({"a": 1, "b": 2})
        await inbox.append([entry("k")])
        saved = inbox.counters()
        inbox.save_counters({"b": 3.5})
        return saved

    async def ask(inbox: Inbox) -> dict:
        return inbox.counters()

    assert use(settings, count) == {"a": 1, "b": 2}
    assert use(settings, ask) == {"a": 1, "b": 3.5}


def test_rows_appended_soon_are_stored(settings: Settings):
    async def soon(inbox: Inbox) -> list[bool]:
        taken = await asyncio.gather(
            *[asyncio.to_thread(inbox.append_soon, entries(3, f"t{i}.")) for i in range(10)]
        )
        while inbox.waiting():
            await asyncio.sleep(0.01)
        return taken

    assert use(settings, soon) == [True] * 10
    reader = reader_of(settings)
    assert len(rows_of(reader)) == 30
    reader.close()


def test_closing_writes_what_waits_and_takes_nothing_more(settings: Settings):
    async def closing(inbox: Inbox) -> list:
        waiting = [asyncio.ensure_future(inbox.append([e])) for e in entries(50)]
        await asyncio.sleep(0)
        await inbox.close()
        with pytest.raises(InboxClosedError):
            await inbox.append([entry("late")])
        with pytest.raises(InboxClosedError):
            await inbox.find("feedback", SHOP, "k1")
        assert not inbox.append_soon([entry("late")])
        assert "closed" in inbox.stopped()
        return await asyncio.gather(*waiting)

    assert len(use(settings, closing)) == 50


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (entry(""), "key"),
        (entry("k" * 1_001), "key"),
        (entry("a\0b"), "NUL"),
        (entry("k\udfff"), "Unicode"),
        (entry("k")._replace(body=b"\xff"), "UTF-8"),
        (entry("k")._replace(body=b'{"a": "\0"}'), "NUL"),
        (entry("k", time_us=2**63), "time_us"),
    ],
)
def test_an_entry_wrong_in_itself_harms_nobody_else(settings: Settings, wrong: Entry, words: str):
    async def race(inbox: Inbox) -> list:
        return await asyncio.gather(
            inbox.append([entry("a")]),
            inbox.append([entry("b"), wrong]),
            inbox.append([entry("c")]),
            return_exceptions=True,
        )

    good, bad, also = use(settings, race)
    assert isinstance(bad, InboxError)
    assert words in str(bad)
    assert (good[0].state, also[0].state) == ("stored", "stored")
    reader = reader_of(settings)
    assert [row["key"] for row in rows_of(reader)] == ["a", "c"]
    reader.close()


@pytest.mark.parametrize("wrong", [replay(""), replay("k", principal="a\0"), replay("k" * 1_001)])
def test_an_answer_wrong_in_itself_is_refused(settings: Settings, wrong: Replay):
    async def main(inbox: Inbox) -> None:
        with pytest.raises(InboxError, match="Replay"):
            await inbox.append([entry("a")], wrong)

    use(settings, main)
    reader = reader_of(settings)
    assert rows_of(reader) == []
    reader.close()


def test_there_is_no_reader_before_there_is_an_inbox(settings: Settings):
    assert open_reader(settings) is None
    use(settings, lambda inbox: asyncio.sleep(0))
    reader = reader_of(settings)
    assert reader.head() == 0
    assert reader.pruned_through("feedback", SHOP) == 0
    assert reader.hours("feedback", SHOP, 0, 10) == {}
    assert rows_of(reader) == []
    reader.close()


@hypothesis_settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    times=st.lists(st.integers(-3 * HOUR, 3 * HOUR), max_size=12),
    bounds=st.tuples(st.integers(-4 * HOUR, 4 * HOUR), st.integers(-4 * HOUR, 4 * HOUR)),
    cut=st.integers(0, 12),
)
def test_a_reader_selects_by_time_and_number(settings: Settings, times, bounds, cut):
    loop = next(LOOPS)
    outcomes = store(settings, [entry(f"k{i}", time_us=t, loop=loop) for i, t in enumerate(times)])
    numbers = [out.seq for out in outcomes]
    middle = numbers[cut - 1] if 0 < cut <= len(numbers) else 0
    reader = reader_of(settings)
    rows = rows_of(reader, loop=loop, start=bounds[0], end=bounds[1], until=middle)
    assert [(row["seq"], row["time_us"]) for row in rows] == [
        (n, t)
        for n, t in zip(numbers, times, strict=True)
        if bounds[0] <= t < bounds[1] and n <= middle
    ]
    hours: dict[int, int] = {}
    for number, time in zip(numbers, times, strict=True):
        if number > middle:
            hours[time // HOUR * HOUR] = hours.get(time // HOUR * HOUR, 0) + 1
    assert reader.hours("feedback", loop, middle, 2**62) == hours
    reader.close()


def test_a_reader_gives_batches_in_order(settings: Settings):
    store(settings, [entry(f"k{i}", '{"a":"ä"}', time_us=5_000 - i) for i in range(5_000)])
    reader = reader_of(settings)
    batches = list(reader.batches("feedback", SHOP, 1, 5_001, 2**62))
    reader.close()
    assert len(batches) > 1
    assert all(batch.schema == BATCH_SCHEMA for batch in batches)
    numbers = [n for batch in batches for n in batch["seq"].to_pylist()]
    assert numbers == sorted(numbers)
    assert len(numbers) == 5_000


def test_a_reader_sees_what_is_appended_while_it_is_open(settings: Settings):
    async def follow(inbox: Inbox) -> None:
        reader = await asyncio.to_thread(reader_of, settings)
        for step in range(1, 6):
            await inbox.append([entry(f"k{step}")])
            assert len(await asyncio.to_thread(rows_of, reader)) == step
        reader.close()

    use(settings, follow)
