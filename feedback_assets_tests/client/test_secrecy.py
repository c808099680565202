import pickle
import traceback

import httpx
import pytest

from feedback_assets.client import AsyncClient, Client, ClientError
from feedback_assets_tests.client.door import TOKEN, Door, problem


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_shows_its_address_and_no_token(kind):
    client = kind("http://door.test", TOKEN, "shop")
    assert repr(client) == f"{kind.__name__}('http://door.test', loop='shop')"
    assert TOKEN not in str(client) + repr(vars(client))


@pytest.mark.parametrize(
    "failure",
    [httpx.ConnectError("refused"), problem(401), httpx.Response(200, text="<html>")],
    ids=str,
)
def test_no_failure_holds_the_token(call, failure):
    with pytest.raises(ClientError) as caught:
        call(Door(*[failure] * 6), "predict", {})
    error = caught.value
    assert TOKEN not in "".join(traceback.format_exception(error))
    assert TOKEN not in repr(vars(error))
    assert TOKEN.encode() not in pickle.dumps(vars(error))
    assert error.__cause__ is None


@pytest.mark.parametrize("token", ["with space", "line\nbreak", "", "naïve", "tab\t"])
def test_a_token_that_no_header_can_hold_is_refused_without_showing_it(token):
    with pytest.raises(ValueError, match="token") as caught:
        Client("http://door.test", token)
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "door.test",
        "ftp://door.test",
        "http://",
        "http://me:pass@door.test",
        "http://door.test:port",
        "",
    ],
)
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ValueError, match="base_url") as caught:
        Client(address)
    assert "pass@" not in str(caught.value)


def test_values_are_not_in_what_is_raised(call):
    with pytest.raises(ValueError, match="field x") as caught:
        call(Door(), "predict", {"carrier": "a" * 9, "distance": float(0.5 / 3), "x": {4700 + 11}})
    assert "aaaaaaaaa" not in "".join(traceback.format_exception(caught.value))
    assert "4711" not in "".join(traceback.format_exception(caught.value))
    # What went wrong inside may be told with the value, by some releases of Python.
    assert caught.value.__suppress_context__
    assert caught.value.__cause__ is None
