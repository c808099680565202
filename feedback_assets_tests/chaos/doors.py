"""A trained loop, and the service for it in processes that are forked quickly."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from feedback_assets.settings import Settings
from feedback_assets_tests.chaos.forks import Forks
from feedback_assets_tests.chaos.inbox_rounds import wait_until
from feedback_assets_tests.serving.shop import Shop

MODULE = "feedback_assets_tests.chaos.door_load"


@dataclass
class Door:
    """A trained loop and the processes that serve it, one after the other on one port."""

    forks: Forks
    root: Path
    shop: Shop
    port: int

    @property
    def settings(self) -> Settings:
        return self.shop.settings

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def begin(self, mutant: str = "") -> int:
        """Begin the service and wait until it is ready; its id."""
        told = (str(self.settings.home), str(self.settings.configs), self.port, mutant)
        pid = self.forks.begin(f"{MODULE}:serve", self.root / "errors", *told)
        wait_until(self.ready, "the service does not begin")
        return pid

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks(MODULE, "uvicorn", "onnxruntime", "feedback_assets.door.app") as forks:
        yield forks


@pytest.fixture
def door(forks, tmp_path) -> Door:
    shop = Shop(tmp_path / "var", serve={"limits": {"requests_per_second": 1e6, "burst": 10**6}})
    shop.train()
    shop.publish()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return Door(forks, tmp_path, shop, port)
