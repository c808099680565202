"""Lines of the log: JSON, short, and without what was sent."""

import io
import json
import logging
import sys

import pytest

from feedback_assets.door.errorlog import LINES_AT_ONCE, JsonLines, Sparing, log_as_json_lines
from feedback_assets.errors import InboxError


@pytest.fixture
def log() -> tuple[logging.Logger, io.StringIO]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    handler.addFilter(Sparing())
    logger = logging.Logger("test")
    logger.addHandler(handler)
    return logger, written


def test_errors_of_others_lose_their_words_and_ours_keep_them(
    log: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, written = log
    for error in (KeyError("patient-4711"), InboxError("the disk is full")):
        try:
            raise error
        except (KeyError, InboxError):
            logger.exception("a request failed")
    others, ours = map(json.loads, written.getvalue().splitlines())
    assert (others["error"], "words" in others) == ("KeyError", False)
    assert __file__ in others["at"]
    assert ours["words"] == "the disk is full"
    assert "4711" not in written.getvalue()


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("token fa_" + "x" * 43 + " is bad", "token [secret] is bad"),
        ("Authorization: Bearer abc.def", "Authorization: [secret]"),
        ("GET /v1/shop/predict?name=Zoe failed", "GET /v1/shop/predict? failed"),
        ("first\nfuture: <Task exception=ValueError('secret')>", "first"),
        ("x" * 1_000, "x" * 500),
    ],
)
def test_what_looks_secret_is_left_out(
    log: tuple[logging.Logger, io.StringIO], said: str, kept: str
) -> None:
    logger, written = log
    logger.error("%s", said)
    assert json.loads(written.getvalue())["message"] == kept


def test_bytes_that_are_no_text_do_not_break_the_line(
    log: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, written = log
    logger.error("path %s", b"\xff\xfe".decode(errors="surrogateescape"))
    written.getvalue().encode(sys.getdefaultencoding())
    assert json.loads(written.getvalue())["level"] == "error"


def test_every_logger_of_the_process_writes_that_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    level = root.level
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(logging, "raiseExceptions", True)
    try:
        log_as_json_lines()
        assert not logging.raiseExceptions
        logging.getLogger("somebody.else").info("left out")
        for _ in range(1_000):
            logging.getLogger("somebody.else").warning("bad request?secret=1")
    finally:
        root.setLevel(level)
        logging.captureWarnings(capture=False)
    lines = capsys.readouterr().err.splitlines()
    assert LINES_AT_ONCE <= len(lines) < 300
    assert {json.loads(line)["message"] for line in lines} == {"bad request?"}


def test_a_flood_does_not_fill_the_disk(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    for _ in range(5_000):
        logger.warning("Invalid HTTP request received.")
    assert LINES_AT_ONCE <= written.getvalue().count("\n") < LINES_AT_ONCE + 100
