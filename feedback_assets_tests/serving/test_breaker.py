import threading
import time

import pytest

from feedback_assets.serving import breaker as module
from feedback_assets.serving.breaker import Breaker, BreakerOpenError


class Flaky:
    def __init__(self) -> None:
        self.broken = True
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        if self.broken:
            raise RuntimeError("broken")
        return "fine"


def opened(seconds: float = 60) -> tuple[Breaker, Flaky]:
    breaker, flaky = Breaker("it", 3, seconds), Flaky()
    for _ in range(3):
        with pytest.raises(RuntimeError):
            breaker.call(flaky)
    return breaker, flaky


def test_it_opens_after_failures_in_a_row_and_asks_no_more() -> None:
    breaker, flaky = opened()
    assert breaker.state == "open"
    with pytest.raises(BreakerOpenError, match="it failed several times in a row"):
        breaker.call(flaky)
    assert flaky.asked == 3


def test_a_success_ends_the_row() -> None:
    breaker, flaky = Breaker("it", 3, 60), Flaky()
    for broken in [True, True, False, True, True]:
        flaky.broken = broken
        try:
            breaker.call(flaky)
        except RuntimeError:
            assert broken
    assert breaker.state == "closed"


def test_it_tries_again_later_and_closes() -> None:
    breaker, flaky = opened(0.05)
    time.sleep(0.06)
    with pytest.raises(RuntimeError):
        breaker.call(flaky)
    assert breaker.state == "open"
    time.sleep(0.06)
    flaky.broken = False
    assert breaker.call(flaky) == "fine"
    assert breaker.state == "closed"


@pytest.mark.parametrize("days", [-1, 365])
def test_a_jump_of_the_wall_clock_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    breaker, flaky = opened(0.2)

    class Shifted(module.dt.datetime):
        @classmethod
        def now(cls, tz: object = None) -> "module.dt.datetime":
            return real.now(module.dt.UTC) + module.dt.timedelta(days=days)

    real = module.dt.datetime
    monkeypatch.setattr(module.dt, "datetime", Shifted)
    monkeypatch.setattr("pybreaker.datetime", Shifted)
    with pytest.raises(BreakerOpenError):
        breaker.call(flaky)
    time.sleep(0.21)
    flaky.broken = False
    assert breaker.call(flaky) == "fine"


def test_calls_run_side_by_side() -> None:
    breaker, meeting = Breaker("it", 3, 60), threading.Barrier(2, timeout=5)
    threads = [threading.Thread(target=breaker.call, args=(meeting.wait,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not meeting.broken
