"""The wall clock is set back a day and forward a year while the inbox is at work."""

import asyncio
import random
import signal
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from unittest.mock import patch

import pytest

from feedback_assets.capture.inbox import steady
from feedback_assets.capture.inbox.open import open_inbox
from feedback_assets.capture.inbox.records import Replay
from feedback_assets.config.serve import Limits
from feedback_assets.door.limits import Allowance
from feedback_assets.door.refusal import Refused
from feedback_assets.settings import Settings
from feedback_assets_tests.chaos import inbox_mutants
from feedback_assets_tests.chaos.forks import Forks
from feedback_assets_tests.chaos.forms import short_and_long
from feedback_assets_tests.chaos.inbox_rounds import MODULE, Count, Home

SEEN_SECONDS = 1
"""How long a process may not notice that its clock was set: it looks at the file that often."""
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
JUMPS = ("-1d", "+365d", "+0", "-1d", "+0", "+365d", "-1d")
needs_faketime = pytest.mark.skipif(LIBRARY is None, reason="install Debian's package faketime")


def clock_of(path: Path) -> dict[str, str]:
    """The environment of a process whose wall clock is what the file says, at any moment."""
    return {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(path),
        "FAKETIME_CACHE_DURATION": str(SEEN_SECONDS),
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }


def set_clock(path: Path, offset: str) -> None:
    """Let the clock jump; the file is replaced, never half written."""
    fresh = path.with_suffix(".new")
    fresh.write_text(f"{offset}\n")
    fresh.replace(path)


def jump_over_and_over(root: Path, lives: int, mutant: str = "") -> Count:
    """Processes whose clock jumps under load; some are killed, others asked to end."""
    chance = random.Random(lives)
    count = Count(seen={"jumps": 0, "killed": 0})
    clock = root / "clock"
    set_clock(clock, "+0")
    with Forks(MODULE, environment=clock_of(clock)) as forks:
        home = Home(forks, root / "home", {"clients": 16, "mutant": mutant})
        before = 0
        for life in range(lives):
            set_clock(clock, JUMPS[life % len(JUMPS)])
            time.sleep(1.2 * SEEN_SECONDS)
            pid = home.begin()
            home.work(chance.randrange(20, 300), chance)
            for jump in () if mutant else chance.sample(JUMPS, 2):
                set_clock(clock, jump)
                time.sleep(1.2 * SEEN_SECONDS)
                home.work(chance.randrange(20, 300), chance)
                count.seen["jumps"] += 1
            code = forks.kill(pid, signal.SIGKILL if life % 2 else signal.SIGTERM)
            assert code in (0, -9), home.errors.read_text()
            count.seen["killed"] += code == -9
            verdict = home.verdict()
            count.add(verdict, before)
            before = verdict.acknowledged
        home.finish()
        assert mutant or home.verdict().exactly_once
        count.seen["numbers_back"] = numbers_back(home.notes)
    return count


def numbers_back(notes: Path) -> int:
    """Processes that stored a new row under a number below one of an earlier process."""
    highest, back, lowest = 0, 0, None
    top = 0
    for line in [*notes.read_text().splitlines(), "began"]:
        state, *rest = line.split(" ")
        if state == "began":
            back += lowest is not None and lowest <= highest
            highest, lowest = max(highest, top), None
        elif state == "stored":
            seq = int(rest[1])
            top = max(top, seq)
            lowest = seq if lowest is None else min(lowest, seq)
    return back


@needs_faketime
@pytest.mark.parametrize("lives", short_and_long(2, 30))
def test_nothing_is_lost_when_the_clock_jumps(tmp_path, lives, figures):
    count = jump_over_and_over(tmp_path, lives)
    figures("clock back a day and forward a year", **count.told())
    assert count.acknowledged > 50 * lives
    assert count.faults == count.seen["numbers_back"] == 0


@needs_faketime
@pytest.mark.chaos
@pytest.mark.slow
def test_numbers_that_follow_the_clock_are_found_out(tmp_path, figures):
    count = jump_over_and_over(tmp_path, 3, inbox_mutants.CLOCK_NUMBERS)
    figures(f"clock, mutant: {inbox_mutants.CLOCK_NUMBERS}", **count.told())
    assert count.seen["numbers_back"] > 0


DAY_S = 86_400


class Clocks:
    """A wall clock that can be set, and one that cannot."""

    def __init__(self) -> None:
        self.wall, self.monotonic = 1_700_000_000.0, 50.0

    def time_ns(self) -> int:
        return int(self.wall * 1e9)

    def monotonic_ns(self) -> int:
        return int(self.monotonic * 1e9)


def repeats_after_jumps(root: Path, clocks: Clocks) -> list[bool]:
    """Whether an idempotency key is known after the clock was set, again after a restart."""
    settings = Settings(home=root, inbox_url=None, inbox_free_mb=0)

    async def run() -> list[bool]:
        known = []
        inbox = await open_inbox(settings)
        await inbox.remember(Replay("anyone", "key", b"x" * 32, 200, b"{}"))
        for jump in (365 * DAY_S, -366 * DAY_S, 2 * DAY_S):
            clocks.wall += jump
            known.append(await inbox.replayed("anyone", "key") is not None)
            await inbox.close()
            inbox = await open_inbox(settings)
            known.append(await inbox.replayed("anyone", "key") is not None)
        clocks.monotonic += 1.5 * DAY_S
        known.append(await inbox.replayed("anyone", "key") is None)
        await inbox.close()
        return known

    return asyncio.run(run())


@pytest.mark.parametrize("mutant", ["", "ages by the wall clock"])
def test_an_idempotency_key_lives_a_day_whatever_the_clock_says(tmp_path, mutant, figures):
    clocks = Clocks()
    with ExitStack() as patched:
        patched.enter_context(patch.object(steady, "time", clocks))
        if mutant:
            wall = lambda _: clocks.time_ns() // 1_000  # noqa: E731
            patched.enter_context(patch.object(steady.SteadyClock, "now", wall))
        known = repeats_after_jumps(tmp_path, clocks)
    what = f"idempotency keys, mutant: {mutant}" if mutant else "idempotency keys, clock set"
    figures(what, looks=len(known), right=sum(known))
    assert all(known) == (not mutant)


@pytest.mark.parametrize("mutant", ["", "tokens by the wall clock"])
def test_a_client_gains_nothing_when_the_clock_jumps(mutant, figures):
    clocks = Clocks()
    limits = Limits(requests_per_second=0.001, burst=5)
    allowance = Allowance(monotonic=lambda: clocks.wall) if mutant else Allowance()
    admitted = 0
    with patch.object(time, "time", lambda: clocks.wall):
        for jump in (0, 365 * DAY_S, -366 * DAY_S, 366 * DAY_S):
            clocks.wall += jump
            for _ in range(5):
                with suppress(Refused):
                    allowance.spend("anyone", "shop", limits)
                    admitted += 1
    what = f"rate limit, mutant: {mutant}" if mutant else "rate limit, clock set"
    figures(what, requests=20, burst=5, admitted=admitted)
    assert (admitted == 5) == (not mutant)
