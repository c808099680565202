"""An answer as a web page or as Markdown; no text of the data becomes markup in either."""

import base64

from markupsafe import Markup, escape

from feedback_assets.audit.document import Code, Document, Picture, Section, Sheet
from feedback_assets.reports.pages import render_page, template_text
from feedback_assets.reports.plain import markdown_text, plain_text

LONGEST = 2_000


def to_html(document: Document) -> str:
    """One page that needs nothing from outside: no script, no other file."""
    css = "".join(template_text(name) for name in ("report.css", "verdict_page.css", "audit.css"))
    return render_page(
        "audit.html.j2",
        css=Markup(css),  # noqa: S704 - our own files
        document=document,
        say=_html,
        source=_source,
    )


def to_markdown(document: Document) -> str:
    """The same for readers of plain text; pictures are left out."""
    head = [f"# {_words(document.title)}", _words(document.eyebrow)]
    head += [f"**{_words(document.state)}**"] if document.state else []
    asked = [
        f"**{_words(reply.question)}** " + " ".join(_words(line) for line in reply.told)
        for reply in document.replies
    ]
    parts = [part for section in document.filled for part in _section(section)]
    told = [*head, *asked, *parts, *(_words(line) for line in document.footer)]
    return "\n\n".join(part for part in told if part) + "\n"


def _section(section: Section) -> list[str]:
    if not (section.words or section.facts or (section.sheet and section.sheet.rows)):
        return []
    note = f" ({_words(section.note)})" if section.note else ""
    facts = "\n".join(f"- {_words(name)}: {_words(value)}" for name, value in section.facts)
    parts = [f"## {_words(section.title)}{note}", *map(_words, section.words), facts]
    return [*parts, _table(section.sheet)] if section.sheet and section.sheet.rows else parts


def _table(sheet: Sheet) -> str:
    rule = ("---:" if place in sheet.numbers else "---" for place in range(len(sheet.columns)))
    lines = [_cells(map(_words, sheet.columns)), _cells(rule)]
    return "\n".join([*lines, *(_cells(map(_words, row)) for row in sheet.rows)])


def _cells(cells: object) -> str:
    return f"| {' | '.join(cells)} |"  # type: ignore[arg-type]


def _words(text: str) -> str:
    if isinstance(text, Code):
        fence = "`" if "`" not in text else "``"
        return f"{fence}{plain_text(text, LONGEST).replace('|', chr(0xA6))}{fence}" if text else ""
    return markdown_text(text, LONGEST)


def _html(text: str) -> Markup:
    shown = escape(plain_text(text, LONGEST))
    return Markup("<code>{}</code>").format(shown) if isinstance(text, Code) and text else shown


def _source(picture: Picture) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.png).decode()}"
