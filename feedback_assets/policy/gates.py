"""What forbids a retrain whatever the cause.

One in flight, cooldown, too little news, budget, hours, labels that are worth waiting for.
"""

import datetime as dt
from zoneinfo import ZoneInfo

from feedback_assets.config.policy import OfficeHours, Trigger
from feedback_assets.policy.evidence import Evidence
from feedback_assets.policy.explained import Explained
from feedback_assets.policy.hours import is_open, next_opening
from feedback_assets.policy.waiting import labels_to_come


def gates(trigger: Trigger, evidence: Evidence) -> tuple[Explained, ...]:
    """Everything that must let a retrain through; the first model waits for no other retrain."""
    always = [_one_at_a_time(evidence)]
    if trigger.office_hours:
        always.append(_office_hours(trigger.office_hours, evidence.now))
    if evidence.last_version is None:
        return tuple(always)
    return (
        *always,
        _cooldown(trigger.cooldown_days, evidence.days_since_retrain),
        _enough_news(trigger.min_new_labels, evidence.new_labels),
        *([_budget(trigger, evidence)] if trigger.budget_per_month else []),
        *([labels_to_come(trigger.wait, trigger, evidence)] if trigger.wait else []),
    )


def _one_at_a_time(evidence: Evidence) -> Explained:
    free = evidence.in_flight == 0
    told = "no retrain is in flight" if free else "a retrain is in flight"
    return Explained("one at a time", free, evidence.in_flight, 0, told, "" if free else "its end")


def _cooldown(days: float, since: float | None) -> Explained:
    if since is None or since >= days:
        told = f"cooldown of {days:g} days is over"
        return Explained("cooldown", True, since, days, told)
    told = f"cooldown for another {days - since:.1f} of {days:g} days"
    return Explained("cooldown", False, since, days, told, f"{days - since:.1f} days")


def _enough_news(least: int, now: int) -> Explained:
    told = f"{now:,} of at least {least:,} new labels"
    missing = "" if now >= least else f"{least - now:,} labels"
    return Explained("least news", now >= least, now, least, told, missing)


def _budget(trigger: Trigger, evidence: Evidence) -> Explained:
    """Calendar months, since that is what a budget is made for."""
    hours, budget = trigger.office_hours, trigger.budget_per_month or 0
    zone = ZoneInfo(hours.time_zone) if hours else dt.UTC
    month = evidence.now.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (month + dt.timedelta(days=32)).replace(day=1)
    used = sum(moment >= month for moment in evidence.retrains)
    told = f"{used} of this month's {budget} retrains"
    if used < budget:
        return Explained("budget", True, used, budget, told)
    return Explained("budget", False, used, budget, f"{told} are used", f"{following:%Y-%m-%d}")


def _office_hours(hours: OfficeHours, now: dt.datetime) -> Explained:
    said = f"{', '.join(hours.days)} {hours.start:%H:%M} to {hours.end:%H:%M} {hours.time_zone}"
    if is_open(hours, now):
        return Explained("office hours", True, told=f"within {said}")
    opens = f"opens {next_opening(hours, now):%a %Y-%m-%d %H:%M}"
    return Explained("office hours", False, told=f"outside {said}", missing=opens)
