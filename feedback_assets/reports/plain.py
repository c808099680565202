"""Texts that came with the data, made safe to show: no hidden characters, no markup of their own."""

import re
import unicodedata
from typing import Any

LONGEST = 240
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories that turn the direction of a line, break it, or show nothing."""
JOINER = "\N{WORD JOINER}"
_ESCAPED = str.maketrans({c: f"\\{c}" for c in "\\`*_[]#|~$"})
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def plain_text(value: Any, limit: int = LONGEST) -> str:
    r"""One visible line of text; hidden characters are shown as U+FFFD, missing values as nothing.

    HTML is not escaped here: templates and `svg.tag` escape every text.

    >>> plain_text("a\u202eb\n  c"), plain_text(None), plain_text(float("nan"))
    ('a�b c', '', '')
    """
    if value is None or value != value:
        return ""
    words = " ".join(str(value)[: 4 * limit].split())
    if not words.isascii() or not words.isprintable():
        words = "".join("\ufffd" if unicodedata.category(c) in HIDDEN else c for c in words)
    return words if len(words) <= limit else words[: limit - 1] + "…"


def markdown_text(value: Any, limit: int = LONGEST) -> str:
    r"""A text that a Markdown renderer shows as it is: no HTML, no emphasis, no link, no picture.

    Addresses are links to many renderers even where nothing marks them, so a word joiner, which is
    not seen, parts them.

    >>> markdown_text("<b>*x*</b>")
    '&lt;b&gt;\\*x\\*&lt;/b&gt;'
    """
    words = re.sub(
        r"(?i)(www)\.|(:)(?=/)|(@)", lambda m: m.group() + JOINER, plain_text(value, limit)
    )
    return words.translate(_ESCAPED).translate(_ENTITIES)
