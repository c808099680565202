"""Pages, Markdown and terminal: nothing of the data becomes markup, nothing is left out."""

import io
from html.parser import HTMLParser

import pytest
from rich.console import Console

from feedback_assets.audit.card import model_card
from feedback_assets.audit.document import Code, Document, Reply, Section, Sheet
from feedback_assets.audit.forest import forest
from feedback_assets.audit.render import to_html, to_markdown
from feedback_assets.audit.terminal import tell
from feedback_assets.audit.why import why
from feedback_assets.audit.why_not import why_not
from feedback_assets.audit.why_not_page import why_not_document
from feedback_assets.audit.why_page import why_document
from feedback_assets_tests.audit.scenes import EVIL

PAGES = {
    "why": lambda space: why_document(why(space, "3")),
    "why-not": lambda space: why_not_document(why_not(space, "2")),
    "card": lambda space: model_card(space, "3"),
}


def printed(document: Document) -> str:
    console = Console(file=io.StringIO(), width=400, color_system=None)
    tell(document, console)
    return console.file.getvalue()


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = set()
        self.text = []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize("name", PAGES)
def test_texts_of_the_data_stay_texts(space, name):
    document = PAGES[name](space)
    parsed = Tags()
    parsed.feed(to_html(document))
    assert "script" not in parsed.seen
    assert EVIL in "".join(parsed.text)
    assert EVIL in printed(document)
    markdown = to_markdown(document)
    assert "<script>" not in markdown
    assert "\\*x\\*" in markdown


@pytest.mark.parametrize("name", PAGES)
def test_every_form_tells_the_same(space, name):
    document = PAGES[name](space)
    html, plain, markdown = to_html(document), printed(document), to_markdown(document)
    for section in document.filled:
        assert section.title in html
        if section.words or section.facts or section.sheet:
            assert section.title in plain
            assert section.title in markdown
    for reply in document.replies:
        assert reply.question in html
        assert reply.question in plain
        assert reply.question in markdown


def test_pages_need_nothing_from_outside(space):
    html = to_html(model_card(space, "3"))
    assert "default-src 'none'" in html
    assert "http://" not in html
    assert "https://" not in html


def test_an_empty_section_is_not_shown():
    document = Document("e", "t", sections=(Section("Nothing here"), Section("Told", words=("x",))))
    assert "Nothing here" not in to_html(document) + to_markdown(document) + printed(document)


def test_code_and_numbers_are_marked():
    sheet = Sheet(("name", "n"), (("a", "1"),), frozenset({1}))
    document = Document(
        "e", "t", "ok", "good", (Reply("Q?", ("", "yes")),),
        (Section("S", facts=(("digest", Code("ab`c|d")),), sheet=sheet),),
    )  # fmt: skip
    assert "<code>ab`c|d</code>" in to_html(document)
    assert 'class="tight number"' in to_html(document)
    markdown = to_markdown(document)
    assert "``ab`c¦d``" in markdown
    assert "| --- | ---: |" in markdown
    assert "**Q?** yes" in markdown


def test_a_forest_draws_only_what_is_known():
    known = ("a", 0.1, 0.05, 0.15)
    assert forest([("b", None, None, None)]) == ""
    drawn = str(forest([known, ("b", 0.2, None, 0.3), ("c", -0.2, -0.3, -0.1)], shared=True))
    assert drawn.count('class="dot"') == 2
    assert drawn.count('class="worse"') == 1
