"""CloudEvents as loggers leave them: structured, binary (attributes as headers), or KServe's own."""

import base64
import binascii
from typing import Any, NamedTuple

from feedback_assets.capture.importers.json_text import decode
from feedback_assets.capture.importers.records import UnexpectedError

_BODIES = ("data", "body", "payload")


class Envelope(NamedTuple):
    """An event's attributes, in lower case and without `ce-`, and its payload."""

    attributes: dict[str, Any]
    data: Any


def opened(record: dict[str, Any]) -> Envelope:
    """Return an event's attributes and its decoded payload.

    Raises:
        UnexpectedError: if it has no payload, or one that is no JSON.
    """
    fields = {_attribute(key): value for key, value in record.items()}
    headers = fields.pop("headers", None)
    if isinstance(headers, dict):
        ours = (pair for pair in headers.items() if pair[0].lower().startswith("ce"))
        fields |= {_attribute(key): value for key, value in ours}
    if "reqtype" in fields:  # KServe's records in blob storage
        fields["type"] = fields.pop("reqtype")
        fields["data_base64"] = fields.pop("bytes", None)
    return Envelope(fields, _payload(fields))


def _attribute(key: str) -> str:
    low = key.lower()
    return low[3:] if low[:3] in ("ce-", "ce_") else low


def _payload(fields: dict[str, Any]) -> Any:
    coded = fields.get("data_base64")
    if isinstance(coded, str):
        try:
            return decode(base64.b64decode(coded), "data_base64")
        except (binascii.Error, ValueError) as error:
            if isinstance(error, UnexpectedError):
                raise
            raise UnexpectedError("data_base64 is not base64") from None
    for name in _BODIES:
        data = fields.get(name)
        if isinstance(data, str | bytes):
            return decode(data, name)
        if data is not None:
            return data
    raise UnexpectedError("the event has no data")
