"""What a client gets for a row, and what the inbox keeps of it."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from feedback_assets.capture.inbox.records import Outcome
from feedback_assets.door.problems import Fault, Problem
from feedback_assets.serving.answer import Answer

ANOTHER = "this prediction_id is known with other content"


class Item(msgspec.Struct, omit_defaults=True, gc=False):
    """What a client gets for one row."""

    prediction_id: str
    score: float | UnsetType | None = UNSET
    prediction: int | float | str | UnsetType | None = UNSET
    model_version: str | UnsetType = UNSET
    arm: str | UnsetType = UNSET
    answered_by: str | UnsetType = UNSET
    class_scores: dict[str, float] | UnsetType = UNSET
    warning: str | UnsetType = UNSET
    state: str | UnsetType = UNSET
    """`conflict`, in a batch: the id is known with another row, and nothing was answered."""


class Logged(msgspec.Struct, gc=False):
    """A prediction as the inbox keeps it."""

    id: str
    event_us: int
    received_us: int
    features: msgspec.Raw
    score: float | None
    class_scores: dict[str, float] | None
    prediction: int | float | str | None
    model_version: str
    model_digest: str | None
    arm: str
    answered_by: str
    propensity: float
    warning: str | None
    stick: str | None
    principal: str | None
    latency_us: int


Render = Callable[[list[Item]], bytes]
_json = msgspec.json.Encoder()
_stored = msgspec.json.Decoder(Logged)


def one_item(items: list[Item]) -> bytes:
    """The answer to a single row."""
    return _json.encode(items[0])


def all_items(items: list[Item]) -> bytes:
    """The answer to {"rows": [...]}."""
    return _json.encode({"predictions": items})


def item_of(answer: Answer | Logged, prediction_id: str) -> Item:
    """What a client gets for an answer."""
    return Item(
        prediction_id, answer.score, answer.prediction, answer.model_version, answer.arm,
        answer.answered_by, UNSET if answer.class_scores is None else answer.class_scores,
        UNSET if answer.warning is None else answer.warning,
    )  # fmt: skip


def as_stored(items: list[Item], outcomes: Sequence[Outcome], base: str) -> list[Item]:
    """The items of rows [n], with the stored answer for ids that are known already.

    Raises:
        Problem: 409, every id is known with other content.
    """
    conflicts = [i for i, outcome in enumerate(outcomes) if outcome.state == "conflict"]
    if len(conflicts) == len(items):
        places = [f"{base}/{i}/prediction_id" if base else "/prediction_id" for i in conflicts]
        raise Problem(409, "conflict", ANOTHER, [Fault(place, ANOTHER) for place in places])
    found = list(items)
    for i, outcome in enumerate(outcomes):
        if outcome.state == "conflict":
            found[i] = Item(items[i].prediction_id, state="conflict")
        elif outcome.state == "repeated":
            found[i] = item_of(_stored.decode(outcome.body or b""), items[i].prediction_id)
    return found
