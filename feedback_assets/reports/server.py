"""The reports folder over HTTP on loopback: read only, and every page sandboxed.

A sandboxed page has an origin of its own: whatever a data value managed to smuggle into it, it
reads nothing of the Dagster UI or of other pages.
"""

import ipaddress
import json
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from markupsafe import Markup

from feedback_assets.reports.pages import render_page, template_text
from feedback_assets.reports.words import MEASURES

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".md": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
HEADERS = {
    "Content-Security-Policy": "sandbox allow-scripts",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
LISTED = 400
SUMMARY_BYTES = 5_000_000


def serve_reports(root: Path, host: str = "127.0.0.1", port: int = 3001) -> None:
    """Serve the reports until interrupted.

    Args:
        root: the reports folder; it may still be empty or absent.
        host: the address to listen on; keep it on loopback, there is no login.
        port: the port.

    Raises:
        OSError: the port is taken.
    """
    with reports_server(root, host, port) as server:
        server.serve_forever()


def reports_server(root: Path, host: str = "127.0.0.1", port: int = 0) -> ThreadingHTTPServer:
    """A server bound to its port (0: any free one), not yet serving."""

    class Handler(_Handler):
        """Requests for this folder."""

        folder = root.resolve()
        loopback_only = _is_loopback(host)

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    return server


def report_file(root: Path, target: str) -> Path | None:
    """The file that a request names, or None.

    Args:
        root: the reports folder.
        target: the request's path, still quoted; a query is ignored.

    Returns:
        A file below the folder, of a known type and not hidden; links that lead out give None.
    """
    parts = unquote(urlsplit(target).path).split("/")
    names = [part for part in parts if part]
    if any(name.startswith(".") or "\\" in name or "\0" in name for name in names):
        return None
    path = root.joinpath(*names).resolve()
    inside = path.is_relative_to(root.resolve())
    return path if inside and path.suffix in TYPES and path.is_file() else None


@dataclass(frozen=True)
class Listed:
    """A page on the index.

    Attributes:
        folder: group under which it stands, empty for the top.
        name: what it is called.
        href: its address.
        note: its result in short.
    """

    folder: str
    name: str
    href: str
    note: str = ""


def index_page(root: Path) -> str:
    """The index: simulations with their result first, then every other page by folder."""
    files = sorted((p for p in root.rglob("*.html") if _visible(p, root)), key=_order(root))
    listed = [_listed(path, root) for path in files[:LISTED]]
    tops = [page for page in listed if not page.folder]
    rest = [page for page in listed if page.folder]
    return render_page(
        "index.html.j2",
        css=Markup(template_text("index.css")),  # noqa: S704 - our own file
        simulations=tops,
        folders=[(name, list(pages)) for name, pages in groupby(rest, key=lambda p: p.folder)],
        left_out=len(files) - len(listed),
    )


def _visible(path: Path, root: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(root).parts)


def _order(root: Path) -> Any:
    """By folder, and within one the newest name first."""

    def order(path: Path) -> tuple[str, tuple[int, ...]]:
        return path.parent.relative_to(root).as_posix(), tuple(-ord(c) for c in path.stem)

    return order


def _listed(path: Path, root: Path) -> Listed:
    relative = path.relative_to(root)
    folder = "" if relative.parent == Path() else relative.parent.as_posix()
    title, note = _summary(path.with_suffix(".json")) if not folder else ("", "")
    return Listed(
        folder, title or path.stem, quote(relative.as_posix()), note and f"{path.stem}: {note}"
    )


def _summary(path: Path) -> tuple[str, str]:
    """Title and result of a simulation from the JSON beside it, empty if it is none."""
    try:
        if path.stat().st_size > SUMMARY_BYTES:
            return "", ""
        data = json.loads(path.read_text(encoding="utf-8"))
        ours, theirs = data["loop"], data["frozen"]
        name = next(m for m in MEASURES if ours.get(m) is not None and theirs.get(m) is not None)
        measure = MEASURES[name]
        result = f"{measure.name} {measure.say(ours[name])}, frozen {measure.say(theirs[name])}"
        return str(data["title"]), f"{result}; {data['promotions']} promotions"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return "", ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class _Handler(BaseHTTPRequestHandler):
    """GET and HEAD of pages below a folder."""

    folder: Path
    loopback_only: bool
    server_version = "feedback-assets"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        """Answer with a page."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer with a page's headers."""
        self._answer(body=False)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing: a page view is no event."""

    def _answer(self, *, body: bool) -> None:
        status, kind, content = self._content()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def _content(self) -> tuple[HTTPStatus, str, bytes]:
        if self.loopback_only and not self._asked_by_loopback_name():
            return _plain(HTTPStatus.MISDIRECTED_REQUEST, "Ask for 127.0.0.1 or localhost.")
        if urlsplit(self.path).path in ("", "/", "/index.html"):
            return HTTPStatus.OK, TYPES[".html"], index_page(self.folder).encode()
        path = report_file(self.folder, self.path)
        if path is None:
            return _plain(HTTPStatus.NOT_FOUND, "There is no such report.")
        try:
            return HTTPStatus.OK, TYPES[path.suffix], path.read_bytes()
        except OSError:
            return _plain(HTTPStatus.NOT_FOUND, "The report was removed.")

    def _asked_by_loopback_name(self) -> bool:
        """A foreign name that resolves to loopback is a web page reaching for local files."""
        name = urlsplit(f"//{self.headers.get('Host', 'localhost')}").hostname
        return _is_loopback(name or "")


def _plain(status: HTTPStatus, words: str) -> tuple[HTTPStatus, str, bytes]:
    return status, TYPES[".txt"], f"{words}\n".encode()
