"""The section `serve` fits the rest of the file, or says which field does not."""

from typing import Any

import pytest
from pydantic import ValidationError

from feedback_assets.config.schema import Config
from feedback_assets_tests.worlds import LOOP


def loop(kind: str = "binary", classes: list[str] | None = None, **serve: Any) -> Config:
    label = {"kind": kind, "classes": classes or []}
    return Config.model_validate({**LOOP, "label": label, "serve": serve})


def test_a_loop_serves_without_a_word_about_it() -> None:
    routing = Config.model_validate(LOOP).serve.routing
    assert (routing.key, routing.shadow_percent, routing.canary_percent) == ("prediction_id", 5, 10)


@pytest.mark.parametrize(
    ("kind", "classes", "said"),
    [
        ("binary", [], 1), ("binary", [], 0.0), ("binary", [], "1"), ("regression", [], 2.5),
        ("multiclass", ["a", "b"], "a"),
    ],
)  # fmt: skip
def test_a_default_answer_that_the_label_has(kind: str, classes: list[str], said: Any) -> None:
    assert loop(kind, classes, default={"prediction": said}).serve.default is not None


@pytest.mark.parametrize(
    ("kind", "classes", "said"),
    [
        ("binary", [], "yes"), ("binary", [], 2), ("regression", [], "much"),
        ("multiclass", ["a", "b"], "c"), ("multiclass", ["a", "b"], 1.0),
    ],
)  # fmt: skip
def test_a_default_answer_that_the_label_has_not(kind: str, classes: list[str], said: Any) -> None:
    with pytest.raises(ValidationError, match=r"serve\.default\.prediction must be"):
        loop(kind, classes, default={"prediction": said})


def test_the_key_of_routing_is_a_column() -> None:
    assert loop(routing={"key": "region"}).serve.routing.key == "region"
    with pytest.raises(ValidationError, match=r"serve\.routing\.key regoin"):
        loop(routing={"key": "regoin"})


def test_only_classes_can_be_explored() -> None:
    with pytest.raises(ValidationError, match=r"serve\.exploration\.epsilon"):
        loop("regression", exploration={"epsilon": 0.1})


def test_a_fallback_is_named_once() -> None:
    with pytest.raises(ValidationError, match="names one twice"):
        loop(fallback=["cache", "cache"])
