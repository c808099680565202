"""Counters that survive a restart, and never go down."""

import asyncio

import pytest

from feedback_assets.door.counting import CounterKeeper
from feedback_assets.door.metrics import Meters
from feedback_assets_tests.door.counted import FakeInbox, Samples, parsed, value


def test_a_scrape_shows_what_is_on_disk_and_no_counter_goes_down_after_a_kill() -> None:
    disk: dict[str, float] = {}
    shown: list[float] = []
    refused = (
        "feedback_samples_total", (("kind", "label"), ("model", "shop"), ("outcome", "refused")),
    )  # fmt: skip
    for _life in range(3):
        meters = Meters(["shop"])
        inbox = FakeInbox(disk)

        async def live(meters: Meters = meters, inbox: FakeInbox = inbox) -> None:
            keeper = CounterKeeper(meters, inbox.as_inbox(), every=60)
            keeper.start()
            refused_before = len(shown) // 3 * 2  # the last of each life was never saved
            for _ in range(3):
                meters.loop("shop").feedback(None, "accepted", 10)
                scrape = asyncio.create_task(keeper.scrape())
                await asyncio.sleep(0.005)
                meters.loop("shop").feedback(None, "refused")  # counted while it is being saved
                found = parsed(await scrape)
                assert found.get(refused, 0) == refused_before
                refused_before += 1
                shown.append(
                    value(
                        found,
                        "feedback_samples_total",
                        model="shop",
                        outcome="accepted",
                        kind="label",
                    )
                )
            meters.loop("shop").feedback(None, "accepted", 7)  # killed before a save

        asyncio.run(live())
    assert shown == [10, 20, 30, 40, 50, 60, 70, 80, 90]


def test_counters_are_saved_by_themselves_at_the_end_and_only_when_they_changed() -> None:
    async def live() -> tuple[FakeInbox, int]:
        meters, inbox = Meters(["shop"]), FakeInbox()
        keeper = CounterKeeper(meters, inbox.as_inbox(), every=0.05)
        keeper.start()
        await asyncio.sleep(0.2)
        idle = inbox.saves
        meters.loop("shop").quarantined(2)
        await asyncio.sleep(0.15)
        assert inbox.disk['["quarantined",["shop"],""]'] == 2
        meters.loop("shop").quarantined()
        await keeper.stop()
        return inbox, idle

    inbox, idle = asyncio.run(live())
    assert idle == 1
    assert inbox.given['["quarantined",["shop"],""]'] == 3


def test_an_inbox_that_stopped_is_noticed_without_requests() -> None:
    async def live() -> list[str]:
        meters, inbox, told = Meters(["shop"]), FakeInbox(), list[str]()
        keeper = CounterKeeper(meters, inbox.as_inbox(), every=0.02, stop=told.append)
        keeper.start()
        await asyncio.sleep(0.1)
        assert told == []
        inbox.why = "input/output error"
        await asyncio.sleep(0.1)
        await keeper.stop()
        return told

    assert set(asyncio.run(live())) == {"input/output error"}


@pytest.mark.parametrize("why", ["", "input/output error"])
def test_live_counters_are_shown_while_the_inbox_cannot_write(why: str) -> None:
    async def live() -> Samples:
        meters, inbox = Meters(["shop"]), FakeInbox()
        inbox.stuck, inbox.why = True, why
        keeper = CounterKeeper(meters, inbox.as_inbox())
        keeper.start()
        meters.loop("shop").feedback(None, "accepted")
        meters.refused("inbox_full")
        return parsed(await keeper.scrape())

    assert value(asyncio.run(live()), "door_requests_refused_total", reason="inbox_full") == 1
