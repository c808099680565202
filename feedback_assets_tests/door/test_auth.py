"""Tokens: what the file keeps, who is let in, and how soon a running service follows."""

import datetime as dt
import json
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_assets.door.auth import ANYONE, Doorkeeper, local_name
from feedback_assets.door.refusal import Refused
from feedback_assets.door.tokens import Token, TokenFile
from feedback_assets.errors import DoorError
from feedback_assets.settings import Settings

DAY_US = 86_400_000_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


class Clocks:
    """Both clocks of a doorkeeper, moved by hand."""

    def __init__(self) -> None:
        self.us = int(dt.datetime.now(dt.UTC).timestamp() * 1e6)
        self.seconds = 100.0

    def keeper(self, settings: Settings, open_to_all: bool = False) -> Doorkeeper:
        return Doorkeeper(settings, open_to_all, lambda: self.us, lambda: self.seconds)


def bearer(token: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"door.example"), (b"authorization", b"Bearer " + token.encode())]


def refused(keeper: Doorkeeper, headers: list[tuple[bytes, bytes]]) -> Refused:
    with pytest.raises(Refused) as caught:
        keeper.authenticate(headers)
    return caught.value


def test_the_file_keeps_digests_and_only_its_owner_reads_it(settings: Settings) -> None:
    token = TokenFile(settings).create("web", ["predict"], ["shop"], 90)
    path = settings.root / "door" / "tokens.json"
    content = path.read_text()
    assert token.startswith("fa_")
    assert len(token) == 46
    assert token not in content
    assert token[3:-4] not in content
    assert json.loads(content)["tokens"][0]["last4"] == token[-4:]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_wide_umask_or_a_left_over_file_opens_nothing(settings: Settings) -> None:
    (settings.root / "door").mkdir()
    left_over = settings.root / "door" / "tokens.tmp"
    left_over.write_text("left by a crash")
    left_over.chmod(0o666)
    before = os.umask(0)
    try:
        TokenFile(settings).create("web", ["predict"], ["shop"], 90)
    finally:
        os.umask(before)
    assert stat.S_IMODE((settings.root / "door" / "tokens.json").stat().st_mode) == 0o600


def test_scopes_hold_per_loop(settings: Settings) -> None:
    tokens = TokenFile(settings)
    one = tokens.create("one", ["predict"], ["shop"], 90)
    every = tokens.create("every", ["feedback"], ["*"], 90)
    scraper = tokens.create("scraper", ["metrics"], [], 90)
    keeper = Clocks().keeper(settings)
    assert keeper.admit(bearer(one), "predict", "shop").name == "one"
    for headers, scope, loop in (
        (bearer(one), "predict", "flights"),
        (bearer(one), "feedback", "shop"),
        (bearer(one), "metrics", "*"),
        (bearer(every), "predict", "shop"),
        (bearer(scraper), "review", "shop"),
    ):
        with pytest.raises(Refused) as caught:
            keeper.admit(headers, scope, loop)  # type: ignore[arg-type]
        assert (caught.value.status, caught.value.reason) == (403, "scope")
    assert keeper.admit(bearer(every), "feedback", "flights").name == "every"
    assert keeper.admit(bearer(scraper), "metrics").name == "scraper"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"Bearer fa_" + b"A" * 43)],
        [(b"authorization", b"Basic Zm9vOmJhcg==")],
        [(b"authorization", b"Bearer \xff\xfe\x00")],
        [(b"authorization", b"Bearer " + b"x" * 100_000)],
        [(b"cookie", b"token=fa_x")],
    ],
)
def test_whoever_states_no_token_is_asked_for_one(
    settings: Settings, headers: list[tuple[bytes, bytes]]
) -> None:
    TokenFile(settings).create("web", ["predict"], ["shop"], 90)
    error = refused(Clocks().keeper(settings), headers)
    assert error.status == 401
    assert dict(error.headers)[b"www-authenticate"].startswith(b"Bearer")
    assert "fa_" not in error.detail


def test_two_authorization_headers_are_no_token(settings: Settings) -> None:
    token = TokenFile(settings).create("web", ["predict"], ["shop"], 90)
    keeper = Clocks().keeper(settings)
    assert keeper.authenticate(bearer(token)).name == "web"
    assert refused(keeper, bearer(token) + bearer("fa_other")).status == 401
    assert keeper.authenticate([(b"authorization", b"bearer  " + token.encode())]).name == "web"


def test_a_token_ends_at_its_time_without_a_look_at_the_file(settings: Settings) -> None:
    token = TokenFile(settings).create("web", ["predict"], ["shop"], 1)
    clocks = Clocks()
    keeper = clocks.keeper(settings)
    clocks.us += DAY_US - 2_000_000
    assert keeper.authenticate(bearer(token)).name == "web"
    clocks.us += 3_000_000
    assert refused(keeper, bearer(token)).status == 401


def test_a_running_door_follows_the_file(settings: Settings) -> None:
    tokens, clocks = TokenFile(settings), Clocks()
    first = tokens.create("first", ["predict"], ["shop"], 90)
    keeper = clocks.keeper(settings)
    second = tokens.create("second", ["predict"], ["shop"], 90)
    tokens.revoke("first")
    assert keeper.authenticate(bearer(first)).name == "first"  # it has not looked yet
    clocks.seconds += 1.1
    assert keeper.authenticate(bearer(second)).name == "second"
    assert refused(keeper, bearer(first)).status == 401


def test_a_damaged_file_stops_a_start_but_no_running_door(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    tokens, clocks = TokenFile(settings), Clocks()
    token = tokens.create("web", ["predict"], ["shop"], 90)
    keeper = clocks.keeper(settings)
    good = tokens.path.read_bytes()
    tokens.path.write_bytes(good[:-20])
    clocks.seconds += 2
    assert keeper.authenticate(bearer(token)).name == "web"
    assert "tokens.json" in caplog.text
    with pytest.raises(DoorError, match="restore it"):
        clocks.keeper(settings)
    tokens.path.write_bytes(good)
    tokens.revoke("web")
    clocks.seconds += 2
    assert refused(keeper, bearer(token)).status == 401


def test_a_file_that_could_not_be_read_once_is_read_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, clocks = TokenFile(settings), Clocks()
    token = tokens.create("web", ["predict"], ["shop"], 90)
    keeper = clocks.keeper(settings)
    tokens.revoke("web")

    def fails(_file: TokenFile) -> list[Token]:
        raise DoorError("too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(TokenFile, "all", fails)
        clocks.seconds += 2
        assert keeper.authenticate(bearer(token)).name == "web"
    clocks.seconds += 2
    assert refused(keeper, bearer(token)).status == 401


def test_a_door_without_tokens_is_open_until_the_first_and_never_again(settings: Settings) -> None:
    tokens, clocks = TokenFile(settings), Clocks()
    here = [(b"host", b"127.0.0.1:8080")]
    keeper = clocks.keeper(settings, open_to_all=True)
    assert keeper.admit(here, "metrics") is ANYONE
    tokens.create("web", ["predict"], ["shop"], 90)
    clocks.seconds += 2
    assert refused(keeper, here).status == 401
    tokens.revoke("web")
    clocks.seconds += 2
    assert refused(keeper, here).status == 401
    tokens.path.unlink()
    clocks.seconds += 2
    assert refused(keeper, here).status == 401
    assert refused(clocks.keeper(settings), here).status == 401


def test_an_open_door_does_not_answer_pages_of_other_sites(settings: Settings) -> None:
    keeper = Clocks().keeper(settings, open_to_all=True)
    here = (b"host", b"localhost:8080")
    for header in (
        (b"host", b"evil.example:8080"),
        (b"origin", b"https://evil.example"),
        (b"origin", b"null"),
        (b"sec-fetch-site", b"cross-site"),
    ):
        error = refused(keeper, [here, header])
        assert (error.status, error.reason) == (403, "origin")
    same = [here, (b"origin", b"http://localhost:8080"), (b"sec-fetch-site", b"same-origin")]
    assert keeper.authenticate(same) is ANYONE


@pytest.mark.parametrize(
    ("host", "local"),
    [
        (b"localhost", True), (b"LOCALHOST:1", True), (b"127.0.0.1:80", True), (b"[::1]:80", True),
        (b"[::1]", True), (b"door", True), (b"a.localhost:3", True), (b"10.0.0.1", False),
        (b"example.com", False), (b"127.0.0.1.example.com", False), (b"localhost.example.com", False),
        (b"", False), (b"null", False), (b"[::2]:80", False), (b"\xff.\xff", False),
    ],
)  # fmt: skip
def test_local_names(host: bytes, local: bool) -> None:
    assert local_name(host) is local


@given(st.binary(max_size=60))
def test_no_host_breaks_it(host: bytes) -> None:
    assert local_name(host) in {True, False}


def test_names_are_unique_while_usable_and_may_come_again(settings: Settings) -> None:
    tokens = TokenFile(settings)
    first = tokens.create("web", ["predict"], ["shop"], 90)
    with pytest.raises(DoorError, match="revoke it first"):
        tokens.create("web", ["predict"], ["shop"], 90)
    tokens.revoke("web")
    with pytest.raises(DoorError, match="no usable one"):
        tokens.revoke("web")
    second = tokens.create("web", ["predict"], ["shop"], 90)
    keeper = Clocks().keeper(settings)
    assert keeper.authenticate(bearer(second)).name == "web"
    assert refused(keeper, bearer(first)).status == 401


@pytest.mark.parametrize("name", ["", " web", "we b", "-x", "a" * 64, "wéb", "a\nb", "../x"])
def test_bad_names_are_refused(settings: Settings, name: str) -> None:
    with pytest.raises(DoorError, match="token name"):
        TokenFile(settings).create(name, ["predict"], ["shop"], 90)


@pytest.mark.parametrize("days", [-1, 0, 3_651, 10**9])
def test_a_token_ends_some_day(settings: Settings, days: int) -> None:
    with pytest.raises(DoorError, match="--days"):
        TokenFile(settings).create("web", ["predict"], ["shop"], days)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b'Z"', b'"'),  # a time without its zone
        (b'"predict"', b'"everything"'),
        (b'"name"', b'"nome"'),
        (b'"schema": 1', b'"schema": 2'),
        (b"{", b"\xff"),
    ],
)
def test_a_file_changed_by_hand_is_told_without_its_content(
    settings: Settings, good: bytes, bad: bytes
) -> None:
    tokens = TokenFile(settings)
    tokens.create("web", ["predict"], ["shop"], 1)
    content = tokens.path.read_bytes()
    assert good in content
    tokens.path.write_bytes(content.replace(good, bad))
    with pytest.raises(DoorError, match=r"tokens\.json") as caught:
        tokens.all()
    assert "everything" not in str(caught.value)


def test_a_token_needs_a_scope_and_a_loop(settings: Settings) -> None:
    with pytest.raises(DoorError, match="--scope"):
        TokenFile(settings).create("web", [], ["shop"], 90)
    with pytest.raises(DoorError, match="--loop"):
        TokenFile(settings).create("web", ["predict", "metrics"], [], 90)


def test_tokens_made_at_the_same_time_are_all_kept(settings: Settings) -> None:
    made: list[str] = []

    def create(place: int) -> None:
        made.append(TokenFile(settings).create(f"t{place}", ["predict"], ["*"], 1))

    threads = [threading.Thread(target=create, args=(place,)) for place in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keeper = Clocks().keeper(settings)
    assert {keeper.authenticate(bearer(token)).name for token in made} == {
        f"t{place}" for place in range(12)
    }
