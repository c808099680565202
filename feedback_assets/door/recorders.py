"""The two hands that count while requests are answered; each call takes well under 1 µs a count."""

from collections.abc import Sequence
from typing import Literal

from feedback_assets.door.families import Families
from feedback_assets.door.tallies import Spread
from feedback_assets.review.records import Route
from feedback_assets.serving.answer import Answer

SamplesOutcome = Literal["accepted", "repeated", "conflict", "refused"]
ReviewOutcome = Literal["stored", "repeated", "conflict", "unknown", "refused", "undone"]


class RouteMeter:
    """Latencies of one route and method."""

    __slots__ = ("_by_status", "_families", "_method", "_route")

    def __init__(self, families: Families, route: str, method: str) -> None:
        self._families = families
        self._route = route
        self._method = method
        self._by_status: dict[int, Spread] = {}

    def seen(self, status: int, seconds: float) -> None:
        """Record an answered request, from its first byte to the answer's."""
        spread = self._by_status.get(status)
        if spread is None:
            spread = self._families.latencies.of(self._route, self._method, str(status))
            self._by_status[status] = spread
        spread.observe(seconds)


class LoopMeter:
    """What happens to one loop."""

    __slots__ = (
        "_answers", "_asked", "_limited", "_loop", "_pondering", "_quarantined", "_reviewed",
        "_samples", "_scoring", "_success", "_writing",
    )  # fmt: skip

    def __init__(self, families: Families, loop: str) -> None:
        self._loop = loop
        self._answers = families.answers
        self._samples = families.samples
        self._success = families.success.of(loop)
        self._scoring = families.scoring.of(loop)
        self._writing = families.writing.of(loop)
        self._quarantined = families.quarantined.of(loop)
        self._limited = families.limited.of(loop)
        self._asked = families.asked.of(loop)
        self._reviewed = families.reviewed
        self._reviewed.of(loop, "page", "stored")
        self._pondering = families.pondering.of(loop)
        self._samples.of(loop, "accepted", "label")  # an alert on silence needs it from the start

    def predicted(self, answers: Sequence[Answer], seconds: float) -> None:
        """Record the answers to a request and how long scoring them took."""
        for answer in answers:
            self._answers.of(
                self._loop, answer.model_version, answer.arm, answer.answered_by
            ).value += 1
            if answer.answered_by != "default":
                self._success.value += 1
        self._scoring.observe(seconds)

    def feedback(self, kind: str | None, outcome: SamplesOutcome, count: int = 1) -> None:
        """Record feedback events of a kind; without one they are labels."""
        self._samples.of(self._loop, outcome, kind or "label").value += count

    def wrote(self, seconds: float) -> None:
        """Record how long feedback took from the request's first byte to the commit."""
        self._writing.observe(seconds)

    def quarantined(self, count: int = 1) -> None:
        """Record payloads that were refused, whether they are kept or only counted."""
        self._quarantined.value += count

    def asked(self) -> None:
        """Record a question put to somebody; one that is shown again is not counted again."""
        self._asked.value += 1

    def reviewed(self, route: Route, outcome: ReviewOutcome, count: int = 1) -> None:
        """Record what people said to questions."""
        self._reviewed.of(self._loop, route, outcome).value += count

    def pondered(self, seconds: float) -> None:
        """Record how long an answer took a person."""
        self._pondering.observe(seconds)

    def limited(self) -> None:
        """Record a request beyond the principal's rate."""
        self._limited.value += 1
