"""A door in a process of its own, over a trained shop, on a free loopback port."""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from feedback_assets.door.tokens import Scope, TokenFile
from feedback_assets_tests.door.proof.wire import Wire
from feedback_assets_tests.serving.shop import KINDS, LOOP, Kind, Shop

RULES = {
    "amount": {"min": -1000, "max": 1000},
    "distance": {"required": True, "min": 0},
    "shop_kind": {"required": True, "allowed": KINDS},
}
ALL_SCOPES: tuple[Scope, ...] = ("predict", "feedback", "metrics", "review")
START_SECONDS = 60


@dataclass
class Door:
    """A running service."""

    shop: Shop
    folder: Path
    command: list[str]
    tls: Path | None = None
    tokens: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """May do everything."""
        return self.tokens["all"]

    @property
    def log(self) -> Path:
        """What the process wrote on stdout and stderr."""
        return self.folder / "door.log"

    @property
    def yaml(self) -> Path:
        return self.folder / "configs" / "loops" / f"{LOOP}.yaml"

    def wire(self, token: str | None = "") -> Wire:
        """A raw connection; with the token that may do everything unless another is given."""
        return Wire(self.port, self.token if token == "" else token)

    def http(self, token: str | None = "", **how: Any) -> httpx.Client:
        """An httpx client."""
        said = self.token if token == "" else token
        headers = {"authorization": f"Bearer {said}"} if said else {}
        context: Any = ssl.create_default_context(cafile=str(self.tls)) if self.tls else True
        return httpx.Client(
            base_url=self.base, headers=headers, verify=context, timeout=30, trust_env=False, **how
        )

    def row(self, i: int) -> dict[str, Any]:
        """A whole row: features and what is carried along."""
        return self.shop.row(i) | {"region": "north"}

    def start(self) -> None:
        """Start the service and wait until it answers."""
        self.port = _free_port()
        command = [*self.command, "--port", str(self.port)]
        env = dict(os.environ)
        env["FEEDBACK_ASSETS_HOME"] = str(self.shop.settings.home)
        env["FEEDBACK_ASSETS_CONFIGS"] = str(self.shop.settings.configs)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(httpx.TransportError), self.http(None) as client:
                if client.get("/readyz").status_code in (200, 503):
                    return
            time.sleep(0.1)
        self.stop()
        raise AssertionError(f"the door did not start:\n{self.log.read_text()[-3000:]}")

    def stop(self, sign: int = signal.SIGTERM) -> int | None:
        """End the process; its exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(sign)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        code, self.process = self.process.returncode, None
        return code

    def restart(self) -> None:
        """End and start again, on another port."""
        self.stop()
        self.start()

    def wait_for(self, generation: int, seconds: float = 20) -> None:
        """Wait until the manifest of a generation answers."""
        until = time.monotonic() + seconds
        with self.http() as client:
            while time.monotonic() < until:
                if client.get(f"/v1/{LOOP}/model").json()["generation"] >= generation:
                    return
                time.sleep(0.05)
        raise AssertionError(
            f"generation {generation} did not come: {self.log.read_text()[-2000:]}"
        )


@contextlib.contextmanager
def living(
    folder: Path,
    kind: Kind = "binary",
    serve: dict[str, Any] | None = None,
    *,
    versions: int = 1,
    tls: tuple[Path, Path] | None = None,
    mutant: str | None = None,
    loops: tuple[str, ...] = (LOOP,),
    command: list[str] | None = None,
    rules: dict[str, Any] | None = None,
    guarded: bool = True,
) -> Iterator[Door]:
    """Serve a trained shop.

    Args:
        folder: Becomes the folder of the home and the configs.
        kind: Of the shop.
        serve: The section `serve` of its file.
        versions: How many models are trained; the first is the champion.
        tls: Certificate and key.
        mutant: A function of `mutants.py` that breaks the service before it starts.
        loops: Loops to serve.
        command: Starts it in another way; gets `--port` added.
        rules: Of the columns; strict ones if absent.
        guarded: Make a token; without one every program of the machine is let in.
    """
    limits = {"requests_per_second": 1e6, "burst": 1_000_000} | (serve or {}).get("limits", {})
    shop = Shop(
        folder / "home",
        kind,
        {**(serve or {}), "limits": limits},
        RULES if rules is None else rules,
    )
    for version in range(1, versions + 1):
        shop.train(version, version)
    shop.publish(1)
    file = TokenFile(shop.settings)
    tokens = {"all": file.create("everything", ALL_SCOPES, ["*"], 1)} if guarded else {}
    door = Door(
        shop, folder, command or serving_command(mutant, loops, tls), tls and tls[0], tokens
    )
    try:
        door.start()
        yield door
    finally:
        door.stop()


def serving_command(
    mutant: str | None, loops: tuple[str, ...], tls: tuple[Path, Path] | None = None
) -> list[str]:
    """The command line that serves, without its port."""
    broken = ["--mutant", mutant] if mutant else []
    files = ["--tls-cert", str(tls[0]), "--tls-key", str(tls[1])] if tls else []
    module = "feedback_assets_tests.door.proof.served"
    return [sys.executable, "-m", module, *loops, *broken, *files]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
