"""What annotators send, read strictly: every fault by its place and the rule, never the value."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from feedback_assets.config.schema import Config, Label
from feedback_assets.door.eventfaults import BAD_WORD, WORD
from feedback_assets.door.jsontext import strict
from feedback_assets.door.problems import Fault, invalid, unknown_fields
from feedback_assets.door.values import check_of, number_fault
from feedback_assets.door.values import spelled as said_as_text
from feedback_assets.review.values import spelled

MOST_SECONDS = 30 * 86_400
MOST_NOTE = 2_000
_ID = re.compile(WORD.removesuffix("$") + r"\Z")
Check = Callable[[Any], str | None]


class Said(NamedTuple):
    """An answer, a skip or an undoing, as it was sent."""

    annotation_id: str
    value: str | None = None
    """The label in its one spelling."""
    duration_seconds: float | None = None
    waited_seconds: float = 0.0
    """How long it waited to be sent."""
    confidence: float | None = None
    saw_opinion: bool = False
    note: str = ""


class ReviewBodies:
    """Reads what people say about one loop's rows.

    Args:
        config: The loop.
    """

    def __init__(self, config: Config) -> None:
        self._label = config.label
        self._max_depth = config.serve.limits.max_depth
        undo: dict[str, Check] = {"annotation_id": _id_fault}
        skip = undo | {
            "duration_seconds": _seconds_fault, "waited_seconds": _seconds_fault,
            "saw_opinion": _flag_fault, "note": _note_fault,
        }  # fmt: skip
        answer = skip | {"value": value_check(config.label), "confidence": _confidence_fault}
        self._checks = {"undo": undo, "skip": skip, "answer": answer}

    def answer(self, body: bytes) -> Said:
        """A label.

        Raises:
            Problem: 400 or 422.
        """
        found = self._read(body, "answer", ("annotation_id", "value"))
        value = found.pop("value")
        return Said(**found, value=one_spelling(self._label, value))

    def skip(self, body: bytes) -> Said:
        """No label: the person cannot or will not say.

        Raises:
            Problem: 400 or 422.
        """
        return Said(**self._read(body, "skip", ("annotation_id",)))

    def undo(self, body: bytes) -> Said:
        """Which answer is to be taken back.

        Raises:
            Problem: 400 or 422.
        """
        return Said(**self._read(body, "undo", ("annotation_id",)))

    def _read(self, body: bytes, what: str, required: tuple[str, ...]) -> dict[str, Any]:
        tree = strict(body, self._max_depth)
        checks = self._checks[what]
        if not isinstance(tree, dict):
            raise invalid([Fault("", f"must be an object with {' and '.join(required)}")])
        if faults := _faults(tree, checks, required):
            raise invalid(faults)
        return {name: said for name, said in tree.items() if said is not None}


def _faults(
    tree: Mapping[str, Any], checks: Mapping[str, Check], required: tuple[str, ...]
) -> list[Fault]:
    found = unknown_fields("", tree, list(checks))
    for name, check in checks.items():
        said = tree.get(name)
        missing = "is missing" if name in required else None
        words = missing if said is None else check(said)
        if words:
            found.append(Fault(f"/{name}", words))
    return found


def value_check(label: Label) -> Check:
    """The check of an answer; 0 or 1 for a binary label, whatever its positive value is called."""
    if label.kind == "binary":
        return _binary_fault
    check = check_of("label", label)
    return lambda said: check(said) if isinstance(said, bool | int | float | str) else "is no value"


def one_spelling(label: Label, value: Any) -> str:
    """A checked value as the label's one text."""
    if label.kind == "binary":
        # The positive value may be called 0 or 2: what the page says is yes or no.
        return "1" if value else "0"
    # The check compared this very text with the classes.
    return said_as_text(value) if label.kind == "multiclass" else spelled(label, value)


def _binary_fault(said: Any) -> str | None:
    fits = isinstance(said, bool | int | float) and said in (0, 1)
    return None if fits else "must be 1 or 0, true or false"


def _id_fault(said: Any) -> str | None:
    return None if isinstance(said, str) and _ID.match(said) else BAD_WORD


def _seconds_fault(said: Any) -> str | None:
    fits = isinstance(said, int | float) and not number_fault(said) and 0 <= said <= MOST_SECONDS
    return None if fits else f"must be a number of seconds from 0 to {MOST_SECONDS}"


def _confidence_fault(said: Any) -> str | None:
    number = isinstance(said, int | float) and not isinstance(said, bool)
    return None if number and 0 <= said <= 1 else "must be a number from 0 to 1"


def _flag_fault(said: Any) -> str | None:
    return None if isinstance(said, bool) else "must be true or false"


def _note_fault(said: Any) -> str | None:
    fits = isinstance(said, str) and len(said) <= MOST_NOTE and "\x00" not in said
    return None if fits else f"must be a text of at most {MOST_NOTE} characters"
