"""People answer by keyboard in Chromium; whatever breaks, every answer is in the store once."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feedback_assets.door.reviewpage import choices
from feedback_assets_tests.browser.reading import FAINT, NAMELESS, SMALL
from feedback_assets_tests.browser.reviewing import READY, Person, desk, opened
from feedback_assets_tests.browser.test_pages import ARGUMENTS, CHROMIUM
from feedback_assets_tests.door.reviewed import REASON, ReviewedShop

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]
ANSWERS = {"multiclass": {"choice"}, "regression": {"number"}, "text": {"choice"}}
"""Where the Tab key comes to, to answer."""
SAYS = {"binary": "Yes", "multiclass": "look", "regression": "12.5", "text": "Yes"}
"""What the model says, in words."""
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def play() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install playwright"
    )
    with playwright.sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def chromium(play: Any) -> Iterator[Any]:
    browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    browser.close()


def key_of(row: str) -> tuple[str, str]:
    """What a person presses for a row, and what that means."""
    return ("2", "0") if int(row.removeprefix("p")) % 3 == 0 else ("1", "1")


def test_twenty_answers_through_a_closed_page_a_killed_service_and_a_lost_reply(
    play: Any, tmp_path: Path
) -> None:
    now = dt.datetime.now(dt.UTC)
    shop = ReviewedShop(tmp_path)
    tasks = shop.ask(20, now)
    ada = Person(play, tmp_path / "profile", shop.token("ada"))
    with desk(shop, tmp_path) as service:
        ada.come(service.url)
        assert ada.row() == "p0"
        assert ada.page.locator("#reason").inner_text() == REASON
        for _ in range(6):
            ada.press(key_of(ada.row())[0])
        # A slip, taken back.
        slip = ada.row()
        ada.press("2" if key_of(slip)[0] == "1" else "1")
        ada.page.keyboard.press("u")
        ada.page.locator("#again:not([hidden])").wait_for()
        assert ada.row() == slip
        ada.press(key_of(slip)[0])

        # The page is closed over a question: the same one waits for its return.
        open_row = ada.row()
        ada.leave()
        ada.come(service.url)
        assert ada.row() == open_row
        assert ada.page.locator("#today").inner_text() == "7"
        # The browser remembers nothing of before; the service still knows what can be taken back.
        ada.page.keyboard.press("u")
        ada.page.locator("#again").filter(has_text="your last answer").wait_for()
        assert ada.row() == slip
        ada.press(key_of(slip)[0])
        assert ada.row() == open_row

        # The service keeps an answer but its reply is lost: it is sent again, and counts once.
        sent: list[str] = []

        def lose(route: Any) -> None:
            sent.append(route.request.post_data_json["annotation_id"])
            if len(sent) == 1:
                route.fetch()
                route.abort()
            else:
                route.continue_()

        ada.page.route("**/answer", lose)
        before = ada.row()
        ada.page.keyboard.press(key_of(before)[0])
        ada.page.get_by_role("button", name="Try now").click()
        ada.page.wait_for_function(
            'before => document.getElementById("row-id").textContent !== before', arg=before
        )
        ada.page.unroute("**/answer")
        assert len(sent) == 2
        assert len(set(sent)) == 1

        # The service dies under an answer, then the browser does; both come back.
        before = ada.row()
        service.kill()
        ada.page.keyboard.press(key_of(before)[0])
        waiting = ada.page.locator("#trouble-words")
        waiting.filter(has_text="Not saved yet").wait_for()
        assert ada.page.locator(READY).count() == 0  # nothing else is answered meanwhile
        ada.leave()
        service.start()
        assert before not in shop.said()
        ada.come(service.url)
        assert ada.row() != before
        assert ada.page.locator("#today").inner_text() == "9"

        while ada.page.locator("#done").is_hidden():
            ada.press(key_of(ada.row())[0])
        assert "You answered 20 questions today" in ada.page.locator("#done-more").inner_text()
        assert ada.page.evaluate("Object.keys(localStorage)") == []
        ada.leave()
    said = {task.prediction_id: ("ada", key_of(task.prediction_id)[1]) for task in tasks}
    assert shop.said() == said
    assert all("ERR_" in words or "Failed" in words for words in ada.troubles), ada.troubles


def test_a_strangers_answer_is_never_sent_under_another_name(play: Any, tmp_path: Path) -> None:
    shop = ReviewedShop(tmp_path)
    shop.ask(3, dt.datetime.now(dt.UTC))
    ada = Person(play, tmp_path / "profile", shop.token("ada"))
    bob = Person(play, tmp_path / "profile", shop.token("bob"))
    with desk(shop, tmp_path) as service:
        ada.come(service.url)
        ada.page.route("**/answer", lambda route: route.abort())
        row = ada.row()
        ada.page.keyboard.press("1")
        ada.page.locator("#trouble-words").filter(has_text="Not saved yet").wait_for()
        ada.leave()

        bob.come(service.url)
        assert bob.row() != row
        assert "An answer of ada waits" in bob.page.locator("#status").inner_text()
        bob.press("1")
        bob.leave()
        assert set(shop.said().values()) == {("bob", "1")}

        ada.come(service.url)
        ada.page.locator("#done").wait_for()  # bob has the last question in hands
        ada.leave()
    assert shop.said()[row] == ("ada", "1")


def test_a_browser_that_keeps_nothing_and_one_that_kept_rubbish(
    chromium: Any, tmp_path: Path
) -> None:
    shop = ReviewedShop(tmp_path)
    shop.ask(3, dt.datetime.now(dt.UTC))
    with opened(chromium, shop, 800, "light") as page:
        page.evaluate("localStorage.setItem('feedback-assets:unsaved:shop:x', '{')")
        page.reload()
        page.locator(READY).wait_for()
        page.add_init_script(
            "for (const name of ['localStorage', 'sessionStorage'])"
            "Object.defineProperty(window, name, { get() { throw new DOMException('no'); } })"
        )
        page.reload()
        for row in ("p0", "p1", "p2"):
            page.locator("#row-id").filter(has_text=row).wait_for()
            page.locator(READY).wait_for()
            page.keyboard.press("1")
        page.locator("#done").wait_for()
    assert len(shop.said()) == 3


def test_a_refused_token_is_told_and_the_right_one_goes_on(play: Any, tmp_path: Path) -> None:
    shop = ReviewedShop(tmp_path)
    shop.ask(1, dt.datetime.now(dt.UTC))
    app = Person(play, tmp_path / "profile", shop.token("app", "predict"))
    good = shop.token("ada")
    with desk(shop, tmp_path) as service:
        app.come(service.url)
        app.page.locator("#sign-in-error").filter(has_text="needs the scope review").wait_for()
        app.page.locator("#token").fill(good)
        app.page.keyboard.press("Enter")
        assert app.row() == "p0"
        app.page.reload()
        assert app.row() == "p0"  # the tab still knows the token
        app.page.get_by_role("button", name="Sign out").click()
        app.page.locator("#sign-in").wait_for()
        assert app.page.evaluate("Object.keys(sessionStorage)") == []
        app.leave()


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "text"])
def test_every_kind_of_label_by_keys_alone(play: Any, tmp_path: Path, kind: Any) -> None:
    shop = ReviewedShop(tmp_path, kind)
    shop.ask(3, dt.datetime.now(dt.UTC))
    ada = Person(play, tmp_path / "profile", shop.token("ada"))
    with desk(shop, tmp_path) as service:
        ada.come(service.url)
        ada.row()
        assert ada.page.locator("#opinion").is_hidden()
        ada.page.keyboard.press("o")
        ada.page.locator("#opinion").wait_for()
        assert f"It says {SAYS[kind]} (model 7)" in ada.page.locator("#opinion").inner_text()
        ada.page.keyboard.press("c")
        ada.page.keyboard.press("c")
        if kind == "regression":
            ada.page.keyboard.type("1,5")
            ada.page.keyboard.press("Enter")
            ada.page.locator("#number-error").filter(has_text="point").wait_for()
            ada.page.locator("#number").fill("")
            ada.page.keyboard.type("-2.50")
            ada.press("Enter")
        else:
            ada.press("2")
        ada.page.keyboard.press("?")
        assert ada.page.locator("#help").is_visible()
        ada.page.keyboard.press("s")  # keys do nothing behind it
        ada.page.keyboard.press("Escape")
        assert ada.row() == "p1"
        ada.press("s")
        ada.page.get_by_text("Add a note").click()
        ada.page.locator("#note").fill("")
        ada.page.locator("#note").press_sequentially("such sun: 12?")
        assert ada.row() == "p2"  # letters in a text are no answers
        ada.leave()
    first, second = shop.store.answers()
    value = {"regression": "-2.5", "multiclass": "look"}.get(kind, "0")
    assert (first.answer.value, first.answer.confidence) == (value, 0.75)
    assert (first.answer.saw_opinion, second.answer.saw_opinion) == (True, False)
    assert (second.answer.said, second.answer.confidence) == ("skip", None)
    assert 0 < (first.answer.duration_seconds or 0) < 60


def test_one_of_forty_classes_is_found_by_typing(chromium: Any, tmp_path: Path) -> None:
    shop = ReviewedShop(tmp_path, "multiclass")
    label = shop.shop.config.label.model_copy(update={"classes": [f"class {i}" for i in range(40)]})
    shop.shop.config = shop.shop.config.model_copy(update={"label": label})
    shop.ask(2, dt.datetime.now(dt.UTC))
    with opened(chromium, shop, 360, "light") as page:
        page.keyboard.press("/")
        page.keyboard.type("s 39")
        page.keyboard.press("Enter")
        page.locator("#row-id").filter(has_text="p1").wait_for()
        page.locator(READY).wait_for()
        page.keyboard.press("a")
        page.locator("#done").wait_for()
    assert [one.answer.value for one in shop.store.answers()] == ["class 39", "class 9"]


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1100, "dark")])
@pytest.mark.parametrize("kind", ["multiclass", "regression", "text"])
def test_it_can_be_read_and_used_by_all(
    chromium: Any, tmp_path: Path, kind: Any, width: int, scheme: str
) -> None:
    words = {"multiclass": {"look": EVIL}, "text": {"0": EVIL}}.get(kind, {})
    shop = ReviewedShop(tmp_path, kind, question=EVIL * 3, words=words)
    (task,) = shop.ask(1, dt.datetime.now(dt.UTC), reason=EVIL)
    with opened(chromium, shop, width, scheme) as page:
        page.keyboard.press("o")
        page.locator("#opinion").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("main img").count() == 0
        assert page.locator("#reason").inner_text() == EVIL
        assert page.locator("#row [role=row]").count() + page.locator("figure").count() == len(
            task.row
        )
        assert page.evaluate(FAINT) == []
        assert page.evaluate(SMALL) == []
        assert page.evaluate(NAMELESS) == []
        for choice in choices(shop.shop.config):
            assert page.get_by_role("button", name=choice.words).count() == 1
        assert reached(page) >= {"opinion-button", "skip", "undo", "ask-help"} | ANSWERS[kind]


def reached(page: Any) -> set[str]:
    """What the Tab key comes to."""
    found = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        found.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    return found
