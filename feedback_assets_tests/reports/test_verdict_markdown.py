"""A day's Markdown: short, with one picture, and no value of the data becomes markup."""

import re
import time
from typing import Any

import pytest
from markdown_it import MarkdownIt

from feedback_assets.reports.day_view import day_view
from feedback_assets.reports.incidents import incidents
from feedback_assets.reports.plain import JOINER, markdown_text, plain_text
from feedback_assets.reports.verdict_plots import day_markdown, evidence_plot
from feedback_assets_tests.reports import examples
from feedback_assets_tests.reports.examples import day_facts, quiet_facts, table
from feedback_assets_tests.reports.test_verdict_pages import HOSTILE, empty_day, hostile_day

MARKUP = [
    *HOSTILE,
    "[a](javascript:alert(1))",
    "![x](http://evil.org/a.png)",
    "<http://evil.org>",
    "**bold** _it_ ~~gone~~ `code`",
    "a\n\n# head\n\n- list\n\n<div>",
    "[a]: http://evil.org",
    "&lt;script&gt; &#60;img&#62;",
    "https://evil.org www.evil.org a@evil.org",
    "| a | b |\n|---|---|",
]


def tokens(markdown: str) -> list[Any]:
    """Every block and inline token, with HTML, tables and strikethrough switched on."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    blocks = parser.parse(markdown)
    return [*blocks, *(child for block in blocks for child in block.children or ())]


@pytest.mark.parametrize("value", MARKUP)
def test_a_value_is_shown_as_it_is(value: str) -> None:
    held = tokens(f"- before {markdown_text(value)} after")
    kinds = {t.type for t in held} - {"inline", "text", "text_special"}
    assert kinds <= {
        "bullet_list_open", "list_item_open", "paragraph_open", "paragraph_close", "list_item_close",
        "bullet_list_close",
    }  # fmt: skip
    inline = [t for t in held if t.type in ("text", "text_special")]
    shown = "".join(t.content for t in inline).replace(JOINER, "")
    assert shown == f"before {plain_text(value)} after"


@pytest.mark.parametrize("value", MARKUP)
def test_hostile_values_make_no_markup_in_a_days_summary(value: str) -> None:
    held = tokens(day_markdown(hostile_day(value)))
    tame = tokens(day_markdown(hostile_day("tame")))
    assert [t.type for t in held if t.type not in ("text", "text_special")] == [
        t.type for t in tame if t.type not in ("text", "text_special")
    ]
    pictures = [t.attrs["src"] for t in held if t.type == "image"]
    assert len(pictures) == 1
    assert str(pictures[0]).startswith("data:image/png;base64,")


def test_addresses_are_no_links_even_to_those_who_look_for_them() -> None:
    words = markdown_text("see https://evil.org, www.evil.org or a@evil.org")
    assert not re.search(r"https?://|www\.\w|\w@\w", words)


def test_the_summary_tells_what_matters_and_stays_small() -> None:
    markdown = day_markdown(day_facts())
    for part in (
        "have moved since about 2013-02-13",
        "388 EUR",
        "origin = EWR",
        "Trains version 8",
    ):
        assert part in markdown
    assert len(markdown) < 30_000
    assert "Nothing material has changed" in day_markdown(quiet_facts())


def test_the_longest_texts_still_fit() -> None:
    assert len(day_markdown(hostile_day("<&*" * 5_000))) <= 30_000


def test_nothing_known_has_a_summary() -> None:
    assert "Too little data to judge" in day_markdown(empty_day())


def test_the_picture_is_quick_and_shows_the_evidence() -> None:
    view = day_view(day_facts())
    first = evidence_plot(view)
    spent = []
    for _ in range(5):
        began = time.process_time()
        assert evidence_plot(view) == first
        spent.append(time.process_time() - began)
    assert first.startswith(b"\x89PNG")
    assert first != evidence_plot(day_view(quiet_facts()))
    assert min(spent) < 0.06 * 3  # three times the budget: the machine is shared


def test_incidents_part_at_a_stable_day_and_take_broken_promises() -> None:
    days = table(
        {"partition_key": "VARCHAR", "status": "VARCHAR"},
        [{"partition_key": f"d{i}", "status": s}
         for i, s in enumerate(["insufficient", "drift", "broken", "stable", "drift", "stable"])],
    )  # fmt: skip
    assert incidents(days) == [["d1", "d2"], ["d4"]]
    promise = examples.promise(examples.DAY) | {"partition_key": "d3"}
    assert incidents(days, table(examples.SLA_COLUMNS, [promise])) == [["d1", "d2", "d3", "d4"]]
    kept = promise | {"broken": False}
    assert incidents(days, table(examples.SLA_COLUMNS, [kept])) == incidents(days)
    assert incidents(days.iloc[:0]) == []
