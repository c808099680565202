"""What is wrong with a request, as RFC 9457 has it: the place and the rule, never the value."""

import re
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from itertools import islice
from typing import NamedTuple

import msgspec

from feedback_assets.door.refusal import Headers
from feedback_assets.errors import FeedbackAssetsError

MAX_FAULTS = 20
SHOWN_NAMES = 40
MEDIA_TYPE = b"application/problem+json"
TYPE = "urn:feedback-assets:problem:"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")


class Fault(NamedTuple):
    """One thing that is wrong."""

    pointer: str
    """JSON pointer into the body."""
    detail: str
    """The rule that is broken."""


class Problem(FeedbackAssetsError):  # noqa: N818
    """The request is answered with a problem document.

    Attributes:
        status: The HTTP status.
        slug: Which kind of problem; the end of its type.
        detail: Words for people, without values.
        faults: At most MAX_FAULTS places in the body.
        headers: What else the answer carries, names in lower case.
    """

    def __init__(
        self,
        status: int,
        slug: str,
        detail: str,
        faults: Sequence[Fault] = (),
        headers: Headers = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.detail = detail
        self.faults = tuple(faults[:MAX_FAULTS])
        self.headers = headers

    @property
    def reason(self) -> str:
        """The detail and the first places in one line, as the quarantine keeps it."""
        places = "; ".join(f"{f.pointer or '/'}: {f.detail}" for f in self.faults[:3])
        return f"{self.detail}: {places}" if places else self.detail

    def document(self, extra: str | None = None) -> bytes:
        """The document as JSON; `extra` is a member that repeats the detail."""
        said: dict[str, object] = {
            "type": TYPE + self.slug,
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if extra:
            said[extra] = self.reason
        if self.faults:
            said["errors"] = [fault._asdict() for fault in self.faults]
        return msgspec.json.encode(said)


def invalid(faults: Sequence[Fault]) -> Problem:
    """The refusal (422) of a body that is JSON but not what the loop's schema says."""
    rest = f"; the first {MAX_FAULTS} places are shown" if len(faults) > MAX_FAULTS else ""
    return Problem(422, "invalid", f"the body breaks the loop's schema{rest}", faults)


def malformed(detail: str) -> Problem:
    """The refusal (400) of a body that is no JSON."""
    return Problem(400, "malformed", detail)


def moved(fault: Fault, base: str, place: Callable[[int, str | None], str]) -> Fault:
    """The fault of a field of a row, where the body has the rows in another shape.

    Args:
        fault: At `base`/row or `base`/row/field.
        base: JSON pointer of the rows as they were checked.
        place: The pointer of a row, and of a field of it if there is one.
    """
    row, *field = fault.pointer.removeprefix(f"{base}/").split("/", 1)
    if not row.isdigit():
        return fault
    name = field[0].replace("~1", "/").replace("~0", "~") if field else None
    return Fault(place(int(row), name), fault.detail if name is None else f"{name}: {fault.detail}")


def pointer(*parts: str | int) -> str:
    """A JSON pointer.

    >>> pointer("rows", 3, "a/b")
    '/rows/3/a~1b'
    """
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def unknown_fields(base: str, said: Iterable[str], known: Sequence[str]) -> list[Fault]:
    """The faults of fields that the schema does not have, as many as are ever shown.

    A field is named if its name is a plain one; anything else could be a secret or a megabyte.
    """
    words = ", ".join(known[:SHOWN_NAMES]) + (" and more" if len(known) > SHOWN_NAMES else "")
    unknown = (name for name in said if name not in known)
    return [
        Fault(base + pointer(name), f"unknown field; known are {words}")
        if NAME.match(name)
        else Fault(base, f"an unknown field; known are {words}")
        for name in islice(unknown, MAX_FAULTS + 1)
    ]
