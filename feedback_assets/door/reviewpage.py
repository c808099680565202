"""The page on which people answer questions by keyboard: no script or picture from elsewhere."""

import string
from typing import Any, NamedTuple

import jinja2

from feedback_assets.capture.convert import TRUE
from feedback_assets.config.schema import Config, Label
from feedback_assets.door.refusal import Headers
from feedback_assets.door.state import Service
from feedback_assets.door.trypage import FOLDER as PAGES
from feedback_assets.door.trypage import HEADERS

FOLDER = PAGES / "review"
SCRIPTS = (
    "main.js", "api.js", "history.js", "keys.js", "outbox.js", "stopwatch.js", "storage.js", "view.js",
)  # fmt: skip
COMMANDS = "souc"
"""Keys that act: skip, opinion, undo, confidence."""
ANSWER_KEYS = "123456789" + "".join(k for k in string.ascii_lowercase if k not in COMMANDS)
"""Keys that answer, in the order of the classes."""
MANY = 12
"""Of more classes one is found by typing a part of its name."""
SURENESS = (("low", 0.5), ("medium", 0.75), ("high", 1.0))
"""What a person may say of an answer, and the confidence that is kept."""


class Choice(NamedTuple):
    """One possible answer."""

    value: str | int
    """What is sent."""
    words: str
    """What people read."""
    key: str
    """The key that is shown; empty when all are taken."""
    keys: str
    """Every key that answers so."""


def review_files(service: Service) -> dict[str, tuple[bytes, bytes, Headers]]:
    """Path to content, media type and headers of every loop's page and what the pages load."""
    loader = jinja2.FileSystemLoader(FOLDER)
    pages = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    template = pages.get_template("page.html.j2")
    found = {
        f"/review/{name}": (
            template.render(_shown(loop.config)).encode(),
            b"text/html; charset=utf-8",
            HEADERS,
        )
        for name, loop in service.loops.items()
    }
    # No loop's name has a dot, so no page is ever in the place of a file.
    for name in SCRIPTS:
        script = (FOLDER / name).read_bytes()
        found[f"/review/{name}"] = (script, b"text/javascript; charset=utf-8", HEADERS)
    style = (FOLDER / "page.css").read_bytes()
    return found | {"/review/page.css": (style, b"text/css; charset=utf-8", HEADERS)}


def choices(config: Config) -> list[Choice]:
    """The answers of a label with classes, in the order of the file; none of a number."""
    label, words = config.label, config.review.words
    if label.kind == "regression":
        return []
    if label.kind == "binary":
        yes, no = yes_and_no(label)
        return [
            Choice(1, words.get("1", yes), "1", "1y"),
            Choice(0, words.get("0", no), "2", "20n"),
        ]
    keys = ANSWER_KEYS.ljust(len(label.classes))
    return [
        Choice(name, words.get(name, name), key.strip().upper(), key.strip())
        for name, key in zip(label.classes, keys, strict=False)
    ]


def yes_and_no(label: Label) -> tuple[str, str]:
    """What the two answers are called when the file does not say."""
    own = label.positive.strip()
    return ("Yes", "No") if own.lower() in TRUE else (own, f"not {own}")


def question(config: Config) -> str:
    """What people are asked."""
    if config.review.question:
        return config.review.question
    yes, _no = yes_and_no(config.label)
    return {
        "binary": "Is the answer yes or no?" if yes == "Yes" else f"Is it {yes}?",
        "multiclass": "Which class is right?",
        "regression": "Which number is right?",
    }[config.label.kind]


def _shown(config: Config) -> dict[str, Any]:
    answers = choices(config)
    return {
        "name": config.name,
        "title": config.title,
        "about": config.description,
        "kind": config.label.kind,
        "question": question(config),
        "choices": answers,
        "many": MANY,
        "words": {str(one.value): one.words for one in answers},
        "texts": config.columns.text,
        "asks": config.review.per_day > 0,
        "sureness": SURENESS,
        "keys": _keys(config, answers),
    }


def _keys(config: Config, answers: list[Choice]) -> list[tuple[list[str], str]]:
    """What the help says: keys, and what they do."""
    told = [([key.upper() for key in one.keys], one.words) for one in answers if one.keys]
    if config.label.kind == "regression":
        told = [(["Enter"], "Save the number")]
    if len(answers) > MANY:
        told.append((["/"], "Find a class by its name"))
    return [
        *told,
        (["S"], "Skip: you cannot or do not want to say"),
        (["U"], "Undo your last answer"),
        (["O"], "Show or hide what the model says; that you saw it is kept with your answer"),
        (["C"], "Say how sure you are: low, medium, high, not said"),
        (["?"], "Show this"),
    ]
