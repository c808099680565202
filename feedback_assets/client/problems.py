"""What can go wrong; no message holds a token or a value that was sent."""

import json
import re
from dataclasses import dataclass
from typing import Any, Self

import httpx

from feedback_assets.client.retries import retry_after

ITEM = re.compile(r"^/(rows|events)/(\d+)(?=/|$)")


class ClientError(Exception):
    """Any failure of a call."""


class Unreachable(ClientError):  # noqa: N818 - reads as what it says
    """The service gave no answer: no connection, no time left, or not its certificate."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field."""

    pointer: str
    """Where, as a JSON pointer into what was handed to the call: `/rows/3/distance`."""
    detail: str
    """What."""


class DoorProblem(ClientError):  # noqa: N818 - reads as what it says
    """The service refused, in the words of its problem document (RFC 9457).

    Attributes:
        status: HTTP status.
        title: The kind of problem, in words.
        detail: More of it; may be empty.
        errors: The fields that are wrong.
        type: Address of the kind of problem.
        retry_after: Seconds to wait, when the service said so.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        errors: tuple[FieldProblem, ...] = (),
        type: str = "about:blank",  # noqa: A002 - the name in the RFC
        retry_after: float | None = None,
    ) -> None:
        fields = "; ".join(f"{error.pointer} {error.detail}" for error in errors)
        super().__init__(
            ": ".join(part for part in (f"{status} {title}", fields or detail) if part)
        )
        self.status, self.title, self.detail = status, title, detail
        self.errors, self.type, self.retry_after = errors, type, retry_after

    @classmethod
    def read(cls, response: httpx.Response, before: int = 0) -> Self:
        """Make one of a response, problem document or not.

        Args:
            response: With a status of 400 or more.
            before: Rows of the call that went in earlier requests; pointers count them.
        """
        said = _object(response.content)
        errors = said.get("errors")
        return cls(
            status=response.status_code,
            title=str(said.get("title") or response.reason_phrase or "refused"),
            detail=str(said.get("detail") or ""),
            errors=tuple(
                FieldProblem(
                    _shifted(str(error.get("pointer", "")), before), str(error.get("detail", ""))
                )
                for error in (errors if isinstance(errors, list) else [])
                if isinstance(error, dict)
            ),
            type=str(said.get("type") or "about:blank"),
            retry_after=retry_after(response),
        )


def _object(content: bytes) -> dict[str, Any]:
    try:
        said = json.loads(content)
    except ValueError:
        return {}  # a proxy's page
    return said if isinstance(said, dict) else {}


def _shifted(pointer: str, before: int) -> str:
    return ITEM.sub(lambda found: f"/{found[1]}/{int(found[2]) + before}", pointer)
