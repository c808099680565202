"""The reports server: sandboxed, read only, and nothing outside its folder."""

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.reports.server import index_page, report_file, reports_server
from feedback_assets.reports.timeline import write_simulation_report
from feedback_assets_tests.reports.examples import simulation

SECRET = "not for you"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("home")
    (base / "secret.html").write_text(SECRET)
    folder = base / "reports"
    write_simulation_report(
        simulation(title="Late <b>arrivals"), folder / "flights.html", folder / "flights.json"
    )
    (folder / "flights" / "drift").mkdir(parents=True)
    (folder / "flights" / "drift" / "2013-02-01.html").write_text("day one")
    (folder / "flights" / "drift" / "a&<b>.html").write_text("odd name")
    (folder / ".hidden.html").write_text(SECRET)
    (folder / "key.pem").write_text(SECRET)
    (folder / "out.html").symlink_to(base / "secret.html")
    return folder


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[tuple[str, int]]:
    server = reports_server(root)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield "127.0.0.1", server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def ask(
    address: tuple[str, int], target: str, method: str = "GET", host: str = "127.0.0.1"
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(*address, timeout=10)
    connection.putrequest(method, target, skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def test_pages_are_served_sandboxed(address: tuple[str, int]) -> None:
    for target in ("/", "/flights.html", "/flights/drift/2013-02-01.html?x=1", "/nothing.html"):
        _, headers, _ = ask(address, target)
        assert headers["Content-Security-Policy"] == "sandbox allow-scripts"
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert ask(address, "/flights/drift/2013-02-01.html")[2] == "day one"
    assert ask(address, "/flights.json")[1]["Content-Type"].startswith("application/json")


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.html", "/%2e%2e/secret.html", "/flights/..%2f..%2fsecret.html", "//etc/passwd",
        "/.hidden.html", "/out.html", "/key.pem", "/flights/", "/flights/drift", "/%00.html",
        "/..%5csecret.html", "/" + "a" * 5000,
    ],
)  # fmt: skip
def test_nothing_else_is_served(address: tuple[str, int], target: str) -> None:
    status, _, body = ask(address, target)
    assert status == 404
    assert SECRET not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_only_reads(address: tuple[str, int], method: str) -> None:
    assert ask(address, "/flights.html", method)[0] == 501


def test_head_has_no_body(address: tuple[str, int]) -> None:
    status, headers, body = ask(address, "/flights.html", "HEAD")
    assert (status, body) == (200, "")
    assert int(headers["Content-Length"]) > 10_000


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:3001", 200), ("[::1]", 200), ("evil.example", 421), ("127.0.0.1.evil.example", 421)],
)  # fmt: skip
def test_a_foreign_name_for_loopback_is_refused(
    address: tuple[str, int], host: str, status: int
) -> None:
    assert ask(address, "/", host=host)[0] == status


def test_the_index_lists_reports_with_their_result(root: Path) -> None:
    page = index_page(root)
    assert "Late &lt;b&gt;arrivals" in page
    assert "Log loss 0.494, frozen 0.527; 8 promotions" in page
    assert 'href="flights/drift/a%26%3Cb%3E.html"' in page
    assert ".hidden" not in page


def test_an_absent_folder_has_an_index_that_says_what_to_do(tmp_path: Path) -> None:
    assert "feedback-assets demo" in index_page(tmp_path / "none")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["..", "%2e%2e", ".", "", "%2f", "secret.html", "flights", "\\"])))
def test_no_path_leaves_the_folder(root: Path, parts: list[str]) -> None:
    found = report_file(root, "/" + "/".join(parts))
    assert found is None or found.is_relative_to(root)
