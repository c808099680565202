"""An answer in the terminal."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from feedback_assets.audit.document import Code, Document, Section, Sheet
from feedback_assets.reports.plain import plain_text

_COLOURS = {"good": "green", "bad": "red", "": "cyan"}
LONGEST = 2_000


def tell(document: Document, console: Console) -> None:
    """Print an answer; pictures are left out."""
    console.print(f"[dim]{_said(document.eyebrow)}[/]", highlight=False)
    mark = f"  [{_COLOURS[document.tone]}]{_said(document.state)}[/]" if document.state else ""
    console.print(f"[bold]{_said(document.title)}[/]{mark}\n", highlight=False)
    if document.replies:
        _replies(document, console)
    for section in document.filled:
        _section(section, console)
    for line in document.footer:
        console.print(f"[dim]{_said(line)}[/]", highlight=False)


def _replies(document: Document, console: Console) -> None:
    shown = Table(box=None, show_header=False, padding=(0, 2, 1, 0))
    shown.add_column(style="dim", no_wrap=True)
    shown.add_column(overflow="fold")
    for reply in document.replies:
        first, *others = [_said(line) for line in reply.told] or [""]
        colour = _COLOURS[reply.tone] if reply.tone else "bold"
        told = "\n".join([f"[{colour}]{first}[/]", *(f"[dim]{line}[/]" for line in others)])
        shown.add_row(_said(reply.question), told)
    console.print(shown, highlight=False)


def _section(section: Section, console: Console) -> None:
    note = f"  [dim]{_said(section.note)}[/]" if section.note else ""
    console.print(f"[bold]{_said(section.title)}[/]{note}", highlight=False)
    for words in section.words:
        console.print(Padding(_said(words), (0, 0, 0, 2)), highlight=False)
    if section.facts:
        facts = Table(box=None, show_header=False, padding=(0, 2))
        facts.add_column(style="dim")
        facts.add_column(overflow="fold")
        for name, value in section.facts:
            facts.add_row(_said(name), _said(value))
        console.print(facts, highlight=False)
    if section.sheet and section.sheet.rows:
        console.print(_sheet(section.sheet), highlight=False)
    console.print()


def _sheet(sheet: Sheet) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for place, name in enumerate(sheet.columns):
        right = place in sheet.numbers
        shown.add_column(_said(name), justify="right" if right else "left", overflow="fold")
    for row in sheet.rows:
        shown.add_row(*map(_said, row))
    return shown


def _said(text: str) -> str:
    shown = escape(plain_text(text, LONGEST))
    return f"[cyan]{shown}[/]" if isinstance(text, Code) and shown else shown
