"""What people see and press in Label Studio: the labeling interface, and what each answer means.

A task's own words (columns, values, why it is asked) travel as data and never as markup. What stands
in the markup (classes and their words) is written by an XML library, and travels back as an alias.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from feedback_assets.capture.convert import TRUE
from feedback_assets.config.schema import Config
from feedback_assets.errors import ReviewError
from feedback_assets.review.values import spelled

CONTROL = "label"
"""Name of the tag that people answer with."""
OBJECT = "row"
"""Name of the tag that shows the columns."""
HOTKEYS = 9
# What XML 1.0 can hold, and nothing that a reader would not see.
_UNSEEN = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Choice:
    """One answer that people can press."""

    said: str
    """The label in its one spelling."""
    shown: str
    """What people read; no other choice reads the same."""
    alias: str
    """What Label Studio calls it in predictions and annotations."""


def choices(config: Config) -> tuple[Choice, ...]:
    """The answers of a label with classes, in their order; none for a number."""
    label = config.label
    if label.kind == "regression":
        return ()
    if label.kind == "multiclass":
        words = {one: one for one in label.classes}
    elif label.positive.strip().lower() in TRUE:
        words = {"1": "Yes", "0": "No"}
    else:
        words = {"1": label.positive, "0": f"not {label.positive}"}
    words |= {one: text for one, text in config.review.words.items() if one in words}
    shown = _apart([_seen(text) for text in words.values()])
    return tuple(Choice(said, text, _alias(said)) for said, text in zip(words, shown, strict=True))


def choice_said(config: Config, text: str) -> str | None:
    """The label behind what an annotation calls it; None if nothing here is called so.

    Also known are the words that people read and the label's own, for a project set up by hand.
    """
    own = choices(config)
    for name in ("alias", "shown", "said"):
        for choice in own:
            if getattr(choice, name) == text:
                return choice.said
    return label_said(config, text)


def label_said(config: Config, value: object) -> str | None:
    """The one spelling of a label as a model or a field for numbers gives it; None if it is none."""
    try:
        return spelled(config.label, value)
    except ReviewError:
        return None


def interface(config: Config) -> str:
    """The labeling interface of a loop's project, as XML."""
    view = ET.Element("View")
    ET.SubElement(view, "Header", value="$question")
    answers = choices(config)
    if answers:
        control = ET.SubElement(
            view, "Choices", name=CONTROL, toName=OBJECT, choice="single", required="true"
        )
        for at, choice in enumerate(answers, 1):
            own = ET.SubElement(control, "Choice", value=choice.shown, alias=choice.alias)
            if at <= HOTKEYS:
                own.set("hotkey", str(at))
    else:
        ET.SubElement(view, "Number", name=CONTROL, toName=OBJECT, required="true")
    ET.SubElement(view, "Header", value="$why", size="6")
    ET.SubElement(view, "Table", name=OBJECT, value=f"${OBJECT}")
    return ET.tostring(view, encoding="unicode")


def _alias(said: str) -> str:
    """The label itself where it stays the same on its way, else a name that does."""
    if said and said == said.strip() == _UNSEEN.sub("", said) and "  " not in said:
        return said
    return f"class-{hashlib.sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def _seen(text: str) -> str:
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text).strip() or "(empty)"


def _apart(texts: Sequence[str]) -> Iterable[str]:
    """Texts of which each reads differently."""
    if len(set(texts)) == len(texts):
        return texts
    return [f"{text} ({at})" for at, text in enumerate(texts, 1)]
