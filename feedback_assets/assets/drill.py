"""A rollback drill: the service really answers by the champion before, for a moment, and is timed."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from feedback_assets.assets.following import services_told
from feedback_assets.assets.ledger import decisions, one_at_a_time, record
from feedback_assets.assets.models import ModelVersion, champion, predecessor
from feedback_assets.assets.published import named, publish_models
from feedback_assets.assets.rollback import LEAD
from feedback_assets.assets.space import LoopSpace
from feedback_assets.errors import ServingError
from feedback_assets.promotion.decisions import Decision
from feedback_assets.serving.acks import Ack, Following, await_following, services
from feedback_assets.serving.manifest import read_manifest
from feedback_assets.serving.publish import publish

WAIT = 10.0
"""Seconds that services have for each of both swaps."""
MARK = "drill"
"""Stands in the manifest for the decision while a drill goes on."""


@dataclass(frozen=True)
class Plan:
    """What a drill would do.

    Attributes:
        serving: The champion.
        standby: Whom the drill lets answer.
        services: Who would follow.
    """

    serving: ModelVersion
    standby: ModelVersion
    services: tuple[Ack, ...]


@dataclass(frozen=True)
class LastDrill:
    """How the last drill went.

    Attributes:
        at: When.
        seconds: Until every service answered by the champion before.
        back_seconds: Until every service answered by the champion again.
        services: How many there were.
        unanswered: Rows that a service could not answer meanwhile.
        passed: Whether every service followed both times, and each row was answered.
        told: In words.
    """

    at: dt.datetime
    seconds: float
    back_seconds: float
    services: int
    unanswered: int
    passed: bool
    told: str


@dataclass(frozen=True)
class _Swap:
    """One swap of the manifest, from the moment it was begun."""

    began: dt.datetime
    written: dt.datetime
    found: Following

    @property
    def seconds(self) -> float:
        """Until the last one followed; where nobody did, until the manifest was written."""
        return max(self.found.seconds(self.began), (self.written - self.began).total_seconds())


def last_drill(space: LoopSpace) -> LastDrill | None:
    """The last drill in the ledger; None before the first."""
    drills = decisions(space, "drill")
    if not drills:
        return None
    last = drills[-1]
    numbers = last.numbers
    return LastDrill(
        last.time,
        numbers["seconds"],
        numbers["back_seconds"],
        int(numbers["services"]),
        int(numbers["unanswered"]),
        bool(last.details["passed"]),
        last.reason,
    )


def drill_plan(space: LoopSpace) -> Plan:
    """Who answers, who would for a moment, and which services are up.

    Raises:
        ServingError: There is no champion, or none before it, or a file of either is damaged.
    """
    serving, standby = champion(space), predecessor(space)
    if serving is None:
        raise ServingError(f"{space.name} has no champion yet: there is nothing to practise with")
    if standby is None:
        raise ServingError(
            f"{space.name}: version {serving.version} is the first that serves, there is none before "
            "it: a drill needs a second promotion"
        )
    named(space, serving)
    named(space, standby)
    return Plan(serving, standby, tuple(services(space.settings, space.name)))


def drill(
    space: LoopSpace,
    actor: str,
    now: dt.datetime,
    wait: float = WAIT,
    tell: Callable[[str], None] = lambda _: None,
) -> Decision:
    """Let the champion before answer, then the champion again, and record how long each took.

    Whatever happens in between, the manifest is put right at the end; of a process that was killed,
    by whatever calls `publish_models` next.

    Args:
        space: The loop.
        actor: Who practises.
        now: When.
        wait: Seconds that services have for each swap.
        tell: Gets what is going on, in words.

    Returns:
        The record of the drill.

    Raises:
        ServingError: As of `drill_plan`.
    """
    with one_at_a_time(space, "drill"):
        publish_models(space)
        plan = drill_plan(space)
        try:
            there = _swap(space, lambda: _publish_standby(space, plan), wait)
            tell(f"version {plan.standby.version} answered after {there.seconds:.2f} s")
        finally:
            back = _swap(space, lambda: _publish_again(space), wait)
        tell(f"version {plan.serving.version} answered again after {back.seconds:.2f} s")
        return record(space, _told(space, plan, there, back, actor, now))


def _swap(space: LoopSpace, publishes: Callable[[], int], wait: float) -> _Swap:
    began = dt.datetime.now(dt.UTC)
    generation = publishes()
    written = dt.datetime.now(dt.UTC)
    return _Swap(began, written, await_following(space.settings, space.name, generation, wait))


def _publish_standby(space: LoopSpace, plan: Plan) -> int:
    """The manifest with champion and predecessor exchanged, unless a decision came in between."""
    with one_at_a_time(space, LEAD):
        serving, standby = champion(space), predecessor(space)
        if (serving and serving.version, standby and standby.version) != (
            plan.serving.version,
            plan.standby.version,
        ):
            raise ServingError(f"{space.name} was promoted or rolled back just now: drill again")
        tried = read_manifest(space.settings, space.name).challenger
        return publish(
            space.settings,
            space.name,
            named(space, plan.standby),
            named(space, plan.serving),
            tried if tried and tried.version != plan.standby.version else None,
            decision_id=MARK,
        )


def _publish_again(space: LoopSpace) -> int:
    with one_at_a_time(space, LEAD):
        return publish_models(space)


def _told(
    space: LoopSpace,
    plan: Plan,
    there: _Swap,
    back: _Swap,
    actor: str,
    now: dt.datetime,
) -> Decision:
    answered, unanswered = _rows(there.found.followed, back.found.followed)
    never = [a for a in there.found.followed if a.champion != plan.standby.version]
    late = sorted({a.service for a in (*there.found.late, *never, *back.found.late)})
    followed = len(there.found.followed)
    if late:
        outcome = f"{', '.join(late)} did not follow"
    elif followed:
        who = "1 service" if followed == 1 else f"{followed} services"
        outcome = f"{who} followed in {there.seconds:.2f} s and back in {back.seconds:.2f} s; "
        outcome += f"of {answered + unanswered:,.0f} rows {unanswered:,.0f} were left unanswered"
    else:
        outcome = f"no service was up: only the manifest was exchanged, in {there.seconds:.2f} s"
    return Decision(
        loop=space.name,
        kind="drill",
        time=now,
        version=str(plan.standby.version),
        previous_version=str(plan.serving.version),
        actor=actor,
        cause="drill",
        rule="the champion before answers, then the champion again",
        reason=outcome,
        evidence={"generation": there.found.generation, "at": there.began.isoformat()},
        numbers={
            "seconds": there.seconds,
            "back_seconds": back.seconds,
            "services": float(followed),
            "answered": float(answered),
            "unanswered": float(unanswered),
        },
        details={
            "passed": not late and not unanswered,
            "generations": [there.found.generation, back.found.generation],
            "services": services_told(there.found.followed),
            "late": late,
        },
    )


def _rows(there: Sequence[Ack], back: Sequence[Ack]) -> tuple[int, int]:
    """Rows answered and left unanswered while the champion before was in its place."""
    before = {ack.service: ack for ack in there}
    pairs = [(before[ack.service], ack) for ack in back if ack.service in before]
    return (
        sum(new.answered - old.answered for old, new in pairs),
        sum(new.unanswered - old.unanswered for old, new in pairs),
    )
