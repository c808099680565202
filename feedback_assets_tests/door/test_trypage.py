"""The page to try the service: nothing from elsewhere, and it works in a browser."""

import re
import shutil
import socket
import threading
import time

import pytest

from feedback_assets.door.app import create_app
from feedback_assets.door.options import DoorOptions
from feedback_assets_tests.door.asked import Asked, ask, shop_in

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_stored(tmp_path):
    shop = shop_in(tmp_path, train=False)

    async def work(asked: Asked):
        return [await asked.get(path) for path in ("/docs", "/docs/try.js", "/docs/try.css")]

    page, script, style = ask(shop, work)
    for said in (page, script, style):
        policy = said.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"https?://|localStorage|sessionStorage|cookie|innerHTML", said.text)
    assert not re.search(r"<script>|\son\w+=|style=", page.text)


def test_what_the_yaml_says_is_escaped(tmp_path):
    shop = shop_in(tmp_path, train=False)
    shop.config = shop.config.model_copy(update={"title": "<img src=x>", "description": "</p>&"})
    page = ask(shop, lambda asked: asked.get("/docs")).text
    assert "<img" not in page
    assert "&lt;img src=x&gt;" in page


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="install Debian's chromium")
def test_a_person_sends_a_first_request(tmp_path):
    import uvicorn
    from playwright.sync_api import sync_playwright

    shop = shop_in(tmp_path)
    app = create_app({"shop": shop.config}, shop.settings, DoorOptions(open_to_all=True))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, ws="none", log_level="warning"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1000, "height": 1400})
            troubles: list[str] = []
            page.on("console", lambda said: troubles.append(said.text))
            page.on("pageerror", lambda error: troubles.append(str(error)))
            page.goto(f"http://127.0.0.1:{listener.getsockname()[1]}/docs")
            for end, status in (("predict", "200"), ("feedback", "202"), ("model", "200")):
                form = page.locator(f'form[data-path="/v1/shop/{end}"]')
                form.get_by_role("button", name="Send").click()
                form.locator(".status").wait_for()
                assert form.locator(".status").inner_text().startswith(status)
            logged = page.locator('form[data-path^="/v1/shop/predictions/"]')
            assert "p-1" not in (logged.get_attribute("data-path") or "")
            logged.get_by_role("button", name="Send").click()
            logged.locator(".status.good").wait_for()
            form = page.locator('form[data-path="/v1/shop/predict"]')
            assert '"answered_by": "champion"' in form.locator("pre").inner_text()
            assert troubles == []
            form.locator("textarea").fill('{"amount": "x"}')
            form.get_by_role("button", name="Send").click()
            form.locator(".status.bad").wait_for()
            assert "/amount" in form.locator("pre").inner_text()
            page.screenshot(path=tmp_path / "try.png")
            browser.close()
    finally:
        server.should_exit = True
        thread.join(30)
