"""A person at the review page: the real service in a process of its own, a real browser."""

import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from feedback_assets.door.app import create_app
from feedback_assets.door.options import DoorOptions
from feedback_assets_tests.browser.test_pages import ARGUMENTS, CHROMIUM
from feedback_assets_tests.door.reviewed import ReviewedShop
from feedback_assets_tests.door.small import Running, started
from feedback_assets_tests.live import free_port
from feedback_assets_tests.serving.shop import LOOP

READY = "#controls:not([disabled])"


class Desk:
    """The service of a shop, which can be killed and started again at the same address."""

    def __init__(self, shop: ReviewedShop, folder: Path) -> None:
        self.shop = shop
        self.port = free_port()
        self._folder = folder
        self._open = contextlib.ExitStack()
        self._running: Running | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/review/{LOOP}"

    def start(self) -> None:
        settings = self.shop.shop.settings
        words = ["serve", LOOP, "--port", str(self.port)]
        self._running = self._open.enter_context(
            started(
                [sys.executable, "-m", "feedback_assets", *words],
                self._folder,
                FEEDBACK_ASSETS_HOME=str(settings.root),
                FEEDBACK_ASSETS_CONFIGS=str(settings.configs),
            )
        )
        self._running.wait_until_ready()

    def kill(self) -> None:
        """As a crash or the kernel would end it."""
        assert self._running is not None
        self._running.end(signal.SIGKILL)

    def close(self) -> None:
        self._open.close()


class Person:
    """Somebody at a browser; what is kept by the browser outlives its windows."""

    def __init__(self, play: Any, profile: Path, token: str) -> None:
        self._play, self._profile, self._token = play, profile, token
        self.troubles: list[str] = []
        self.page: Any = None
        self._browser: Any = None

    def come(self, url: str, width: int = 1100) -> None:
        """Open the browser and the page; sign in by keyboard."""
        self._browser = self._play.chromium.launch_persistent_context(
            self._profile, executable_path=CHROMIUM, args=ARGUMENTS,
            viewport={"width": width, "height": 800}, reduced_motion="reduce",
        )  # fmt: skip
        self.page = self._browser.new_page()
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on(
            "console",
            lambda said: self.troubles.append(said.text) if said.type == "error" else None,
        )
        self.page.goto(url)
        self.page.locator("#sign-in").wait_for()
        self.page.keyboard.type(self._token)
        self.page.keyboard.press("Enter")

    def leave(self) -> None:
        """End the browser as a crash would: nothing is asked, nothing is said goodbye to."""
        self._browser.close()

    def row(self) -> str:
        """The row that waits for an answer."""
        self.page.locator(READY).wait_for()
        return str(self.page.locator("#row-id").inner_text())

    def press(self, key: str) -> None:
        """Answer the row, and wait until another one is there, or none."""
        before = self.row()
        self.page.keyboard.press(key)
        self.page.wait_for_function(
            """([before, ready]) => !document.getElementById("done").hidden ||
               (document.querySelector(ready) && document.getElementById("row-id").textContent !== before)""",
            arg=[before, READY],
        )


@contextlib.contextmanager
def desk(shop: ReviewedShop, folder: Path) -> Iterator[Desk]:
    """A running service."""
    opened = Desk(shop, folder)
    try:
        opened.start()
        yield opened
    finally:
        opened.close()


@contextlib.contextmanager
def opened(
    chromium: Any, shop: ReviewedShop, width: int, scheme: str, **options: Any
) -> Iterator[Any]:
    """The page over a question, served by this process without tokens."""
    import uvicorn

    config = {LOOP: shop.shop.config}
    app = create_app(config, shop.shop.settings, DoorOptions(open_to_all=True))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, ws="none", log_level="critical"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    size = {"width": width, "height": 800}
    page = chromium.new_page(viewport=size, color_scheme=scheme, **options)
    try:
        page.goto(f"http://127.0.0.1:{listener.getsockname()[1]}/review/{LOOP}")
        page.locator(READY).wait_for()
        yield page
    finally:
        page.close()
        server.should_exit = True
        thread.join(30)
