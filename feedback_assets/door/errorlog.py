"""What the service writes to stderr: one JSON object a line, without anything a client sent."""

import json
import logging
import re
import time
import traceback

from feedback_assets.door.limits import Bucket
from feedback_assets.door.tokens import PREFIX
from feedback_assets.errors import FeedbackAssetsError

LONGEST = 500
FRAMES = 8
LINES_PER_SECOND = 10
LINES_AT_ONCE = 100
TOKENS = re.compile(re.escape(PREFIX) + r"[\w-]{8,}|(?i:bearer)\s+\S+")
QUERIES = re.compile(r"\?\S*")


class JsonLines(logging.Formatter):
    """Time, level, logger, the message's first line, and of an exception its type and places.

    An exception's own text may repeat a value that was sent, so only errors of this project, which
    never do, keep theirs. asyncio describes what failed after the first line, with its values.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        said = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_secrets(first_line(record.getMessage())),
        }
        if record.exc_info and record.exc_info[1] is not None:
            said.update(described(record.exc_info[1]))
        return json.dumps(said)


class Sparing(logging.Filter):
    """Lets through so many lines a second: clients must not fill the disk with bad requests."""

    def __init__(self) -> None:
        super().__init__()
        self._bucket = Bucket(LINES_PER_SECOND, LINES_AT_ONCE)

    def filter(self, _record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        return not self._bucket.take()


def described(error: BaseException) -> dict[str, str]:
    """An exception's type and where it passed through; its words only if they are this project's."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    found = {
        "error": type(error).__name__,
        "at": " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames)),
    }
    if isinstance(error, FeedbackAssetsError):
        found["words"] = without_secrets(str(error)[:LONGEST])
    return found


def first_line(text: str) -> str:
    """The first line of a text, of bounded length."""
    return text.partition("\n")[0][:LONGEST]


def without_secrets(text: str) -> str:
    """The text without what looks like a token, and without query strings."""
    return QUERIES.sub("?", TOKENS.sub("[secret]", text))


def log_as_json_lines() -> None:
    """Send every logger's warnings and errors to stderr that way, those of libraries too."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    handler.addFilter(Sparing())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # it would print the arguments of a message that failed
