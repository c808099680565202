"""Office hours: whether they are open, and when they open next."""

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

from feedback_assets.config.policy import OfficeHours
from feedback_assets.errors import ConfigError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST_CLOSED = 366
"""Days for which the next opening is looked for: a year has every weekday and every holiday."""


def is_open(hours: OfficeHours, now: dt.datetime) -> bool:
    """Whether `now` (aware) lies within the hours, by the clock on the office's wall.

    Hours that end the next day belong to the day on which they begin; a holiday has none.

    >>> hours = OfficeHours(time_zone="Europe/Berlin", country="DE")
    >>> is_open(hours, dt.datetime(2024, 7, 5, 7, 30, tzinfo=dt.UTC))
    True
    >>> is_open(hours, dt.datetime(2024, 10, 3, 7, 30, tzinfo=dt.UTC))
    False
    """
    local = now.astimezone(ZoneInfo(hours.time_zone))
    time, today = local.time(), _listed(hours, local.date())
    if hours.start < hours.end:
        return today and hours.start <= time < hours.end
    began_yesterday = _listed(hours, local.date() - dt.timedelta(days=1)) and time < hours.end
    return (today and time >= hours.start) or began_yesterday


def next_opening(hours: OfficeHours, now: dt.datetime) -> dt.datetime:
    """The next moment after `now` at which the hours begin, in the office's time zone.

    Raises:
        ConfigError: Every day of a year is a holiday.
    """
    zone = ZoneInfo(hours.time_zone)
    first = now.astimezone(zone).date()
    days = (first + dt.timedelta(days=ahead) for ahead in range(LONGEST_CLOSED + 1))
    openings = (dt.datetime.combine(day, hours.start, zone) for day in days if _listed(hours, day))
    found = next((moment for moment in openings if moment > now), None)
    if found is None:
        raise ConfigError(
            f"office_hours never open in the year after {first}: shorten office_hours.holidays"
        )
    return found


def holiday(hours: OfficeHours, day: dt.date) -> str:
    """The name of the holiday that a day is at the office; empty for none.

    Raises:
        ConfigError: The country or its region is not known.
    """
    if day in hours.holidays:
        return "a holiday of the office"
    if hours.country is None:
        return ""
    return _public_holidays(hours.country, hours.region, day.year).get(day, "")


def _listed(hours: OfficeHours, day: dt.date) -> bool:
    return WEEKDAYS[day.weekday()] in hours.days and not holiday(hours, day)


@lru_cache(maxsize=64)
def _public_holidays(country: str, region: str | None, year: int) -> dict[dt.date, str]:
    import holidays

    try:
        return dict(holidays.country_holidays(country, subdiv=region, years=year))
    except NotImplementedError as error:
        raise ConfigError(f"office_hours.country or office_hours.region: {error}") from error
