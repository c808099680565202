"""What holds for the PostgreSQL inbox alone: replicas, a server that goes away, its messages."""

import asyncio
import builtins
import threading
from collections.abc import Callable

import pytest

from feedback_assets.capture.inbox import postgres as postgres_inbox
from feedback_assets.capture.inbox import writer
from feedback_assets.capture.inbox.jobs import by_job
from feedback_assets.capture.inbox.open import open_inbox, open_reader
from feedback_assets.capture.inbox.records import Inbox
from feedback_assets.errors import InboxError, InboxFullError
from feedback_assets.settings import Settings
from feedback_assets_tests.capture.inbox.world import (
    SHOP,
    entries,
    entry,
    reader_of,
    replay,
    rows_of,
    use,
)  # fmt: skip

psycopg = pytest.importorskip(
    "psycopg", reason="needs psycopg: pip install feedback-assets[postgres]"
)


def beside(what: Callable[[], None]) -> tuple[threading.Thread, list[BaseException]]:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            what()
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, failed


def test_a_reader_follows_two_replicas_and_skips_nothing(on_postgres: Settings):
    each, clients = 40, 16
    use(on_postgres, lambda inbox: asyncio.sleep(0))
    ended = threading.Event()
    followed: list[int] = []

    def replica(name: str) -> Callable[[], None]:
        async def load(inbox: Inbox) -> None:
            async def client(number: int) -> None:
                for step in range(each):
                    # A third of the keys is sent by both.
                    shared = step % 3 == 0
                    key = f"{number}.{step}" if shared else f"{name}.{number}.{step}"
                    (out,) = await inbox.append([entry(key)])
                    assert out.state in ({"stored", "repeated"} if shared else {"stored"})

            await asyncio.gather(*[client(number) for number in range(clients)])

        return lambda: use(on_postgres, load)

    def follow() -> None:
        reader = reader_of(on_postgres)
        cursor = 0
        while True:
            last = ended.is_set()
            head = reader.head()
            rows = [row["seq"] for row in rows_of(reader, until=head) if row["seq"] > cursor]
            followed.extend(rows)
            cursor = head
            if last:
                break
        reader.close()

    follower, wrong = beside(follow)
    replicas = [beside(replica(name)) for name in ("a", "b")]
    for thread, _ in replicas:
        thread.join()
    ended.set()
    follower.join()
    assert [failed for _, failed in [*replicas, (follower, wrong)]] == [[], [], []]
    reader = reader_of(on_postgres)
    stored = [(row["seq"], row["key"]) for row in rows_of(reader)]
    reader.close()
    assert followed == [seq for seq, _ in stored], "nothing skipped, nothing twice"
    shared = clients * len(range(0, each, 3))
    assert len(stored) == 2 * clients * each - shared
    assert len({key for _, key in stored}) == len(stored)


def test_no_replica_overtakes_another_between_its_insert_and_its_commit(
    on_postgres: Settings, monkeypatch
):
    """Else a reader would see the larger number, move on, and skip the smaller one."""
    inserted, go_on = threading.Event(), threading.Event()

    def held(jobs, outcomes):
        if jobs and jobs[0].entries[0].key == "first":
            inserted.set()
            assert go_on.wait(20)
        return by_job(jobs, outcomes)

    monkeypatch.setattr(postgres_inbox, "by_job", held)

    async def main() -> tuple[bool, int, list]:
        one, two = await open_inbox(on_postgres), await open_inbox(on_postgres)
        first = asyncio.ensure_future(one.append([entry("first")]))
        assert await asyncio.to_thread(inserted.wait, 20)
        second = asyncio.ensure_future(two.append([entry("second")]))
        await asyncio.sleep(0.5)
        overtaken, head = second.done(), reader_of(on_postgres).head()
        go_on.set()
        outcomes = [*await first, *await second]
        await one.close()
        await two.close()
        return overtaken, head, outcomes

    overtaken, head, outcomes = asyncio.run(main())
    assert not overtaken
    assert head == 0
    assert outcomes[0].seq < outcomes[1].seq


def test_one_key_at_two_replicas_is_stored_once(on_postgres: Settings):
    async def main() -> list:
        one, two = await open_inbox(on_postgres), await open_inbox(on_postgres)
        outs = await asyncio.gather(
            *[inbox.append([e], replay(e.key)) for e in entries(30) for inbox in (one, two)]
        )
        kept = [await inbox.replayed("anna", "k7") for inbox in (one, two)]
        await one.close()
        await two.close()
        return [outs, kept]

    outs, kept = asyncio.run(main())
    assert sorted(out[0].state for out in outs) == ["repeated"] * 30 + ["stored"] * 30
    assert kept == [replay("k7")] * 2


def test_a_lost_connection_refuses_and_is_made_anew(on_postgres: Settings, postgres: str):
    async def lose(inbox: Inbox) -> list:
        await inbox.append([entry("a")])
        assert await inbox.find("feedback", SHOP, "a") == b"{}"
        with psycopg.connect(postgres, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'feedback-assets inbox'"
            )
        outcomes: list = []
        for number in range(10):
            try:
                outcomes += await inbox.append([entry(f"b{number}")])
            except InboxFullError as error:
                outcomes.append(error)
        assert inbox.stopped() == ""
        with pytest.raises(InboxError):
            await inbox.find("feedback", SHOP, "a")
        assert await inbox.find("feedback", SHOP, "a") == b"{}"
        return outcomes

    outcomes = use(on_postgres, lose)
    assert isinstance(outcomes[0], InboxFullError)
    assert "does not answer" in str(outcomes[0])
    assert [out.state for out in outcomes[1:]] == ["stored"] * 9


def test_a_table_taken_away_ends_the_inbox(on_postgres: Settings, postgres_url: str):
    async def main(inbox: Inbox) -> str:
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("DROP TABLE inbox_entries")
        with pytest.raises(InboxError):
            await inbox.append([entry("a")])
        return inbox.stopped()

    assert "refused (UndefinedTable" in use(on_postgres, main)


def test_a_server_that_loses_commits_is_refused(on_postgres: Settings, monkeypatch):
    real = psycopg.Connection.execute

    def lying(self, query, *rest):
        text = query.replace("current_setting('fsync')", "'off'") if "fsync" in query else query
        return real(self, text, *rest)

    monkeypatch.setattr(psycopg.Connection, "execute", lying)
    with pytest.raises(InboxError, match="fsync=off"):
        use(on_postgres, lambda inbox: asyncio.sleep(0))


def test_an_unreachable_server_is_named_without_its_password(tmp_path):
    url = "postgresql://me:secret@127.0.0.1:1/x"
    settings = Settings(home=tmp_path, inbox_url=url)
    for opening in (lambda: asyncio.run(open_inbox(settings)), lambda: open_reader(settings)):
        with pytest.raises(InboxError, match="PostgreSQL") as raised:
            opening()
        assert "secret" not in str(raised.value)


def test_something_else_than_an_address_is_refused(tmp_path):
    settings = Settings(home=tmp_path, inbox_url="mysql://secret@x")
    with pytest.raises(InboxError, match="must look like postgresql") as raised:
        asyncio.run(open_inbox(settings))
    assert "secret" not in str(raised.value)


def test_a_missing_driver_is_named(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "psycopg":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    settings = Settings(home=tmp_path, inbox_url="postgresql://x")
    with pytest.raises(InboxError, match=r"feedback-assets\[postgres\]"):
        asyncio.run(open_inbox(settings))


def test_a_commit_waits_for_the_disk(on_postgres: Settings):
    async def ask(inbox: Inbox) -> str:
        row = inbox._store._writing.execute("SHOW synchronous_commit").fetchone()
        return row[0]

    url = f"{on_postgres.inbox_url}%20-csynchronous_commit%3Doff"
    assert use(on_postgres.model_copy(update={"inbox_url": url}), ask) == "on"


def test_a_full_queue_refuses(on_postgres: Settings, monkeypatch):
    small = on_postgres.model_copy(update={"inbox_queue": 5})

    async def flood(inbox: Inbox) -> list:
        return await asyncio.gather(
            *[inbox.append([e]) for e in entries(100)], return_exceptions=True
        )

    kinds = {type(out) for out in use(small, flood)}
    assert kinds == {list, InboxFullError}
    assert writer.ROOM_SECONDS == 0.5
