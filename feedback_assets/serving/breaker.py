"""A circuit breaker: what failed several times in a row is left alone for a while."""

import datetime as dt
import time
from collections.abc import Callable
from typing import TypeVar

import pybreaker

from feedback_assets.errors import ServingError

T = TypeVar("T")


class BreakerOpenError(ServingError):
    """It failed several times in a row and is not asked at present."""


class Breaker:
    """Opens after some failures in a row, lets one call try again after some seconds."""

    def __init__(self, name: str, failures: int, seconds: float) -> None:
        self._name = name
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=failures,
            reset_timeout=seconds,
            state_storage=_Monotonic(pybreaker.STATE_CLOSED),
            throw_new_error_on_trip=False,
        )

    @property
    def state(self) -> str:
        """`closed` (all is well), `open`, or `half-open` (trying)."""
        return str(self._breaker.current_state)

    def call(self, ask: Callable[[], T]) -> T:
        """Ask, unless the breaker is open.

        Raises:
            BreakerOpenError: It is open.
        """
        # pybreaker holds its lock while it calls, which would queue all threads behind one: while
        # the breaker is closed only failures, and the success that ends a row of them, pass it.
        if self._breaker.current_state != pybreaker.STATE_CLOSED:
            return self._try(ask)
        try:
            found = ask()
        except Exception as error:
            self._try(_raiser(error))
            raise
        if self._breaker.fail_counter:
            self._try(_nothing)
        return found

    def _try(self, ask: Callable[[], T]) -> T:
        try:
            return self._breaker.call(ask)
        except pybreaker.CircuitBreakerError:
            raise BreakerOpenError(
                f"{self._name} failed several times in a row and is left alone for a while"
            ) from None


class _Monotonic(pybreaker.CircuitMemoryStorage):
    """Counts the seconds since it opened whatever happens to the wall clock."""

    _since: float | None = None

    @property
    def opened_at(self) -> dt.datetime | None:
        """When it opened, as the present wall clock would have shown it."""
        if self._since is None:
            return None
        return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=time.monotonic() - self._since)

    @opened_at.setter
    def opened_at(self, _moment: dt.datetime) -> None:
        self._since = time.monotonic()


def _raiser(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def _nothing() -> None:
    return None
