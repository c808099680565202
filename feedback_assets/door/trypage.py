"""The page from which a person sends a first request: no script from elsewhere, no token stored."""

import json
from pathlib import Path
from typing import Any

import jinja2

from feedback_assets.door.refusal import Headers
from feedback_assets.door.schemas import example_event, example_row
from feedback_assets.door.state import OpenLoop, Service

FOLDER = Path(__file__).parent / "page"
POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    b"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Headers = (
    (b"content-security-policy", POLICY),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


def try_files(service: Service) -> dict[str, tuple[bytes, bytes, Headers]]:
    """Path to content, media type and headers of the page and what it loads."""
    loader = jinja2.FileSystemLoader(FOLDER)
    pages = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    loops = [_shown(name, loop) for name, loop in service.loops.items()]
    page = pages.get_template("try.html.j2").render(loops=loops).encode()
    return {
        "/docs": (page, b"text/html; charset=utf-8", HEADERS),
        "/docs/try.css": (_file("try.css"), b"text/css; charset=utf-8", HEADERS),
        "/docs/try.js": (_file("try.js"), b"text/javascript; charset=utf-8", HEADERS),
    }


def _shown(name: str, loop: OpenLoop) -> dict[str, Any]:
    row = example_row(list(loop.rows.columns.values()))
    event = example_event(loop.config.label)
    shown = [
        ("POST", "predict", "Answer one row; its id goes into the requests below.", row),
        ("POST", "feedback", "Say what was true.", event),
        ("GET", "predictions/p-1", "See what was logged.", None),
        ("GET", "model", "See which models answer.", None),
    ]
    return {
        "name": name,
        "title": loop.config.title,
        "description": loop.config.description,
        "requests": [
            {
                "id": f"{name}-{end.partition('/')[0]}",
                "method": method,
                "path": f"/v1/{name}/{end}",
                "words": words,
                "body": body and json.dumps(body, indent=2, ensure_ascii=False),
            }
            for method, end, words, body in shown
        ],
    }


def _file(name: str) -> bytes:
    return (FOLDER / name).read_bytes()
