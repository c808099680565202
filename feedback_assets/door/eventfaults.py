"""Everything that is wrong with feedback events, found by walking their parsed JSON."""

import re
from collections.abc import Mapping
from typing import Any

from feedback_assets.door.moments import Moments, micros
from feedback_assets.door.problems import Fault, unknown_fields
from feedback_assets.door.rowfaults import BAD_ID, ENOUGH, ID
from feedback_assets.door.values import Check
from feedback_assets.labels.judges import AUTOMATIC, OWN, PEOPLE, PERSON

WORD = r"^[^\x00-\x1f\x7f]{1,256}$"
"""Ids of events and names of sources: no control characters."""
_WORD = re.compile(WORD.removesuffix("$") + r"\Z")
BAD_WORD = "must be a text of 1 to 256 characters without control characters"


class EventFaults:
    """Names each bad field of each bad event.

    Args:
        checks: Kind, None for none stated, to the check of its values.
        moments: The times the loop takes.
        replay: Events may state `received_time` and `principal`.
        max_events: Events in one body.
    """

    def __init__(
        self, checks: Mapping[str | None, Check], moments: Moments, replay: bool, max_events: int
    ) -> None:
        self._checks = checks
        self._moments = moments
        self._replay = replay
        self._times = ("event_time", "received_time") if replay else ("event_time",)
        self._known = [
            "prediction_id", "value", "kind", "event_id", *self._times, "source", "confidence",
            *(["principal"] if replay else []),
        ]  # fmt: skip
        self._max_events = max_events

    def of_body(self, tree: Any, now: int) -> list[Fault]:
        """The faults of one event, or of {"events": [event, ...]}."""
        if not isinstance(tree, dict):
            return [Fault("", 'must be an object: an event, or {"events": [event, ...]}')]
        events = tree.get("events")
        if not isinstance(events, list):
            return self.of_event(tree, now, "")
        found = unknown_fields("", tree, ["events"])
        if not 1 <= len(events) <= self._max_events:
            return [*found, Fault("/events", f"must hold 1 to {self._max_events} events")]
        for position, event in enumerate(events):
            found += self.of_event(event, now, f"/events/{position}")
            if len(found) >= ENOUGH:
                break
        return found

    def of_event(self, event: Any, now: int, base: str) -> list[Fault]:
        """The faults of one event."""
        if not isinstance(event, dict):
            return [Fault(base, "must be an object")]
        found = unknown_fields(base, event, self._known)
        said = event.get("prediction_id")
        if not isinstance(said, str) or not ID.match(said):
            words = BAD_ID if "prediction_id" in event else "is missing"
            found.append(Fault(f"{base}/prediction_id", words))
        for name in ("event_id", "source", "principal"):
            word = event.get(name) if name in self._known else None
            if word is not None and not is_word(word):
                found.append(Fault(f"{base}/{name}", BAD_WORD))
        if claimed := claims(event.get("source"), event.get("principal"), self._replay):
            found.append(Fault(f"{base}/source", claimed))
        stated = (name for name in self._times if name in event)
        wrong = ((name, self._moments.fault(micros(event[name]), now)) for name in stated)
        found += [Fault(f"{base}/{name}", words) for name, words in wrong if words]
        found += self._value_faults(event, base)
        if not _is_share(event.get("confidence")):
            found.append(Fault(f"{base}/confidence", "must be a number from 0 to 1"))
        return found

    def _value_faults(self, event: dict[str, Any], base: str) -> list[Fault]:
        kind, value = event.get("kind"), event.get("value")
        if kind is not None and (not isinstance(kind, str) or kind not in self._checks):
            known = ", ".join(k for k in self._checks if k)
            return [Fault(f"{base}/kind", f"must be one of {known}")]
        if value is None:
            missing = "is missing; only a rejection needs none"
            return [] if kind == "rejection" else [Fault(f"{base}/value", missing)]
        if isinstance(value, dict | list):
            return [Fault(f"{base}/value", "must be a number, a text or a boolean")]
        words = self._checks[kind](value)
        return [Fault(f"{base}/value", words)] if words else []


def claims(source: object, principal: object, replay: bool) -> str:
    """What is wrong with a source that is kept for review's own; "" if nothing is.

    A replay tells of a history: its files may have any source, but of people's own answers.
    """
    if not isinstance(source, str) or source not in OWN:
        return ""
    if not replay:
        return f"{source} is kept for what review and model say themselves; use another name"
    by = principal.strip() if isinstance(principal, str) else ""
    if source != AUTOMATIC and (by == PEOPLE or by.startswith(PERSON)):
        return f"{source} of principal {by} is kept for answers to review's own questions"
    return ""


def is_word(said: object) -> bool:
    """Whether it can be an event's id or a source's name."""
    return isinstance(said, str) and _WORD.match(said) is not None


def _is_share(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= 1
