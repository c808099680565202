"""The client: its tokens stay with it, and it asks again only where that may help."""

import logging
import traceback
from dataclasses import replace

import pytest

from feedback_assets.config.review import LabelStudio
from feedback_assets.errors import LabelStudioError
from feedback_assets.review.labelstudio.address import checked_url, token_of
from feedback_assets.review.labelstudio.client import TRIES, Client
from feedback_assets_tests.review.labelstudio.errands import Errands
from feedback_assets_tests.review.labelstudio.simulated import LEGACY, PERSONAL, Fault, running

USERS = "api/users/"


@pytest.mark.parametrize("token", [LEGACY, PERSONAL])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("users", "400", times=99, value="{0} {1}"),
        Fault("users", "500", times=99, value="{0} {1}"),
        Fault("users", "403", times=99, value="{0} {1}"),
        Fault("users", "html502", times=99, value="{0} {1}"),
        Fault("users", "html", times=99, value="{0} {1}"),
        Fault("users", "text", times=99, value='["{0} {1}'),
        Fault("users", "redirect", times=99, value="http://127.0.0.1:9/?{0}&{1}"),
        Fault(".", "reset", times=99),
        Fault("users|refresh", "401", times=99, value="{0}"),
    ],
    ids=lambda fault: fault.kind,
)
def test_no_message_no_log_and_no_trace_shows_a_token(
    errands: Errands, caplog: pytest.LogCaptureFixture, fault: Fault, token: str
) -> None:
    caplog.set_level(logging.INFO)
    own = [LEGACY] if token == LEGACY else [PERSONAL, "eyJ.access.1"]
    errands.studio.faults = [replace(fault, value=fault.value.format(*own, own[0]))]
    client = errands.client(token)
    with pytest.raises(LabelStudioError) as caught:
        client.ask("GET", USERS)
    whole = "".join(traceback.format_exception(caught.type, caught.value, caught.tb, chain=True))
    said = whole + caplog.text + repr(client) + str(vars(caught.value))
    for secret in own:
        assert secret not in said
    # An httpx error holds the request with its headers, and error trackers follow causes.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("token", [LEGACY, PERSONAL])
@pytest.mark.parametrize("code", ["http://{host}/api/users/", "/elsewhere", "//{host}/x"])
def test_a_redirect_is_not_followed(errands: Errands, token: str, code: str) -> None:
    with running() as other:
        place = code.format(host=other.url.removeprefix("http://"))
        errands.studio.faults = [Fault("users", "redirect", value=place)]
        with pytest.raises(LabelStudioError, match="is not followed with the token") as caught:
            errands.client(token).ask("GET", USERS)
        assert caught.value.status == 302
        assert other.seen == []


def test_a_redirected_refresh_does_not_carry_the_personal_token(errands: Errands) -> None:
    with running() as other:
        errands.studio.faults = [Fault("refresh", "redirect", value=other.url + "/api/token/")]
        with pytest.raises(LabelStudioError, match="not followed"):
            errands.client().ask("GET", USERS)
        assert other.seen == []


def test_a_personal_token_is_exchanged_and_again_when_refused(errands: Errands) -> None:
    errands.studio.access_uses = 2
    client = errands.client(PERSONAL)
    for _ in range(5):
        assert client.ask("GET", USERS)[0]["email"] == "ann@example.com"
    assert errands.studio.seen.count("POST /api/token/refresh/") == 3
    assert not any(PERSONAL in header for header in errands.studio.tokens)


def test_a_token_refused_twice_ends_it(errands: Errands) -> None:
    client = errands.client(PERSONAL)
    client.ask("GET", USERS)
    errands.studio.faults = [Fault("users", "401", times=99)]
    with pytest.raises(LabelStudioError, match=r"answered 401.*expired or was revoked"):
        client.ask("GET", USERS)
    assert errands.studio.seen.count("POST /api/token/refresh/") == 2


@pytest.mark.parametrize("kind", ["500", "503", "429", "reset", "truncated", "html502", "lost"])
def test_reading_is_tried_again(errands: Errands, kind: str) -> None:
    errands.studio.faults = [Fault("users", kind, times=TRIES - 1)]
    assert errands.client(LEGACY).ask("GET", USERS)
    assert len(errands.studio.seen) == TRIES
    assert len(errands.waited) == TRIES - 1


@pytest.mark.parametrize("kind", ["500", "503", "reset", "done500", "truncated", "html", "lost"])
def test_what_would_be_done_twice_is_not_tried_again(errands: Errands, kind: str) -> None:
    errands.studio.faults = [Fault("POST", kind, times=99)]
    with pytest.raises(LabelStudioError):
        errands.client(LEGACY).ask("POST", "api/projects/", body={}, again=False)
    assert len(errands.studio.seen) == 1
    assert errands.waited == []


def test_what_was_not_taken_is_tried_again_whatever_it_is(errands: Errands) -> None:
    errands.studio.faults = [Fault("POST", "429", times=2)]
    assert errands.client(LEGACY).ask("POST", "api/projects/", body={}, again=False)
    assert len(errands.studio.projects) == 1


@pytest.mark.parametrize("kind", ["400", "403", "404", "html"])
def test_a_refusal_is_not_tried_again(errands: Errands, kind: str) -> None:
    errands.studio.faults = [Fault("users", kind, times=99)]
    with pytest.raises(LabelStudioError):
        errands.client(LEGACY).ask("GET", USERS)
    assert len(errands.studio.seen) == 1


def test_a_refusal_does_not_repeat_a_row(errands: Errands) -> None:
    words = "Error at item 0: data['row']={'name': 'Ann'} is of type 'dict', but :: {'name': 'Ann'}"
    errands.studio.faults = [Fault("users", "400", value=words)]
    with pytest.raises(LabelStudioError, match=r"data\['row'\] is of type 'dict', but$") as caught:
        errands.client(LEGACY).ask("GET", USERS)
    assert "Ann" not in str(caught.value)


def test_nobody_there_is_said_with_the_address(errands: Errands) -> None:
    client = Client("http://127.0.0.1:9", LEGACY, 1, errands.waited.append)
    with pytest.raises(LabelStudioError, match=r"http://127\.0\.0\.1:9 gave no answer: Connect"):
        client.ask("GET", USERS)
    client.close()
    assert len(errands.waited) == TRIES - 1


@pytest.mark.parametrize(
    "url",
    [
        "labels.example.com",
        "ftp://labels.example.com",
        "https://",
        "https://ann:secret@labels.example.com",
        "https://labels.example.com/?a=1",
        "https://labels.example.com/#a",
        "http://[::1",
        "http://example.com:99999999",
        "",
    ],
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(LabelStudioError, match=r"review\.label_studio\.url") as caught:
        checked_url(url)
    assert "secret" not in str(caught.value)


def test_an_address_with_a_path_keeps_it() -> None:
    assert checked_url("https://example.com/labels/") == "https://example.com/labels"


def test_the_token_comes_from_the_environment() -> None:
    settings = LabelStudio(url="https://labels.example.com", token="MINE")
    assert token_of(settings, {"MINE": f" {LEGACY}\n"}) == LEGACY
    with pytest.raises(LabelStudioError, match="MINE is not set"):
        token_of(settings, {})
    with pytest.raises(LabelStudioError, match="no access token") as caught:
        token_of(settings, {"MINE": "s3cret\r\nX-Evil: 1"})
    assert "s3cret" not in str(caught.value)
