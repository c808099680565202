"""Office hours: whether they are open, and when they open next."""

import datetime as dt
from zoneinfo import ZoneInfo

from feedback_assets.config.policy import OfficeHours

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def is_open(hours: OfficeHours, now: dt.datetime) -> bool:
    """Whether `now` (aware) lies within the hours, by the clock on the office's wall.

    Hours that end the next day belong to the day on which they begin.

    >>> hours = OfficeHours(time_zone="Europe/Berlin")
    >>> is_open(hours, dt.datetime(2024, 7, 5, 7, 30, tzinfo=dt.UTC))
    True
    """
    local = now.astimezone(ZoneInfo(hours.time_zone))
    time, today = local.time(), _listed(hours, local.date())
    if hours.start < hours.end:
        return today and hours.start <= time < hours.end
    began_yesterday = _listed(hours, local.date() - dt.timedelta(days=1)) and time < hours.end
    return (today and time >= hours.start) or began_yesterday


def next_opening(hours: OfficeHours, now: dt.datetime) -> dt.datetime:
    """The next moment after `now` at which the hours begin, in the office's time zone."""
    zone = ZoneInfo(hours.time_zone)
    first = now.astimezone(zone).date()
    days = (first + dt.timedelta(days=ahead) for ahead in range(len(WEEKDAYS) + 1))
    openings = (dt.datetime.combine(day, hours.start, zone) for day in days if _listed(hours, day))
    return next(moment for moment in openings if moment > now)


def _listed(hours: OfficeHours, day: dt.date) -> bool:
    return WEEKDAYS[day.weekday()] in hours.days
