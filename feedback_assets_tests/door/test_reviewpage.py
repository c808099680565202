"""The page for annotators as it is served: nothing from elsewhere, everything escaped, its keys."""

import re

import pytest

from feedback_assets.door.options import DoorOptions
from feedback_assets.door.reviewpage import ANSWER_KEYS, SCRIPTS, choices, question
from feedback_assets_tests.door.asked import Asked, ask
from feedback_assets_tests.door.reviewed import ReviewedShop

FILES = ("/review/shop", "/review/page.css", *(f"/review/{name}" for name in SCRIPTS))


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_read_as_html(tmp_path):
    shop = ReviewedShop(tmp_path)
    shop.token("ada")

    async def work(asked: Asked):
        return [await asked.get(path) for path in FILES]

    found = ask(shop.shop, work, DoorOptions())
    for said in found:
        assert said.status_code == 200
        policy = said.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(
            r"https?://|cookie|innerHTML|insertAdjacent|eval\(|document\.write", said.text
        )
    assert not re.search(r"<script>|\son\w+=|\sstyle=", found[0].text)


def test_what_the_yaml_says_is_escaped(tmp_path):
    evil = '<img src=x onerror="alert(1)">'
    shop = ReviewedShop(tmp_path, question=evil, words={"1": evil, "0": "'\"&"})
    page = ask(shop.shop, lambda asked: asked.get("/review/shop")).text
    assert "<img" not in page
    assert page.count("&lt;img src=x") >= 3


@pytest.mark.parametrize(
    ("positive", "words", "asked"),
    [
        ("1", ["Yes", "No"], "Is the answer yes or no?"),
        ("TRUE", ["Yes", "No"], "Is the answer yes or no?"),
        ("fraud", ["fraud", "not fraud"], "Is it fraud?"),
        ("2", ["2", "not 2"], "Is it 2?"),
    ],
)
def test_a_binary_label_is_asked_in_its_own_words(tmp_path, positive, words, asked):
    config = ReviewedShop(tmp_path).shop.config
    label = config.label.model_copy(update={"positive": positive})
    config = config.model_copy(update={"label": label})
    found = choices(config)
    assert [one.words for one in found] == words
    assert [(one.value, one.keys) for one in found] == [(1, "1y"), (0, "20n")]
    assert question(config) == asked


def test_many_classes_have_keys_of_their_own_until_there_are_none(tmp_path):
    config = ReviewedShop(tmp_path, "multiclass").shop.config
    classes = [f"c{i}" for i in range(40)]
    config = config.model_copy(
        update={"label": config.label.model_copy(update={"classes": classes})}
    )
    found = choices(config)
    keys = [one.keys for one in found if one.keys]
    assert [one.value for one in found] == classes
    assert len(set(keys)) == len(keys) == len(ANSWER_KEYS) == 31
    assert not set("souc?/") & set(keys)
    assert {(one.key, one.keys) for one in found[31:]} == {("", "")}


def test_words_of_the_file_are_what_people_read(tmp_path):
    shop = ReviewedShop(tmp_path, question="Was it late?", words={"1": "late", "0": "in time"})
    assert [one.words for one in choices(shop.shop.config)] == ["late", "in time"]
    assert "Was it late?" in ask(shop.shop, lambda asked: asked.get("/review/shop")).text
