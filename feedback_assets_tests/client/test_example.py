"""The example in the package's docstring runs as it stands, against a service of canned answers."""

import doctest
import json

import httpx
import pytest

import feedback_assets.client
from feedback_assets_tests.client.door import Door, problem


def test_the_example_runs(monkeypatch):
    door = Door()

    def answer(request):
        if json.loads(request.content).get("distance") == -1:
            errors = [{"pointer": "/distance", "detail": "is below 0"}]
            return problem(422, title="Invalid request", errors=errors)
        return door.usual(request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda _, request: answer(request))
    found = doctest.testmod(feedback_assets.client)
    assert found.attempted == 4
    assert found.failed == 0


def test_it_would_notice_a_wrong_example(monkeypatch, capsys):
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda *_: problem(404))
    assert doctest.testmod(feedback_assets.client, verbose=False).failed
    assert "404" in capsys.readouterr().out


@pytest.mark.parametrize("name", feedback_assets.client.__all__)
def test_what_is_public_says_what_it_is(name):
    assert getattr(feedback_assets.client, name).__doc__
