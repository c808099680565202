"""What Label Studio says of a refusal, fit for a log: without secrets, rows and pages for people."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

WORDS = 300
"""Characters of the server's own words that a message shows."""
_REPEATED = re.compile(r"\]=.*? is of type", re.DOTALL)


def words_of(response: "httpx.Response", secrets: Iterable[str | None]) -> str:
    """The words behind a refusal, with a colon before them; empty where they are not JSON."""
    try:
        said = response.json()
    except (ValueError, RecursionError):
        return ""
    if isinstance(said, dict):
        said = said.get("validation_errors") or said.get("detail") or ""
    # Label Studio repeats the value and the whole task, which are nobody's business in a log.
    plain = _REPEATED.sub("] is of type", str(said).partition(" :: ")[0])
    words = scrubbed(" ".join(plain.split()), secrets)
    return f": {words[:WORDS]}" if words else ""


def scrubbed(text: str, secrets: Iterable[str | None]) -> str:
    """A text without secrets and without what cannot be printed."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return "".join(c if c.isprintable() else "?" for c in text)
