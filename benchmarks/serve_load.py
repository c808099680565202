"""Requests by wrk, and what became of them."""

import json
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

WARM_SECONDS, SECONDS, PAIRS = 2, 5, 5
ID = "@ID@"
"""Stands in a body for what is another one in each request."""
SCRIPT = """
local number, before, after, prefix = 0, "", "", ""
function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. args[1]
  prefix, before, after = args[2], args[3], args[4]
end
function request()
  number = number + 1
  return wrk.format(nil, nil, nil, before .. prefix .. number .. after)
end
function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '\\n{"requests":%d,"seconds":%f,"failed":%d,"mean":%f,"p50":%f,"p95":%f,"p99":%f}\\n',
    summary.requests, summary.duration / 1e6, failed, latency.mean / 1e3,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True)
class Load:
    """One run: requests a second, and latencies in milliseconds."""

    rate: float
    mean: float
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Target:
    """Where requests go: an address, a token, and a body with `ID` in the place that varies."""

    url: str
    token: str
    body: str

    def load(self, connections: int, seconds: int = SECONDS) -> Load:
        """Keep so many connections busy, from one thread.

        Raises:
            RuntimeError: A request failed: then nothing was measured.
            SystemExit: wrk is not there.
        """
        wrk = shutil.which("wrk")
        if wrk is None:
            raise SystemExit("this benchmark needs wrk: apt-get install wrk")
        before, after = self.body.split(ID)
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "requests.lua"
            script.write_text(SCRIPT, encoding="utf-8")
            command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), self.url]
            command += ["--", self.token, secrets.token_hex(6), before, after]
            ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        said = json.loads(ran.stdout.strip().splitlines()[-1])
        if said["failed"] or not said["requests"]:
            raise RuntimeError(
                f"{said['failed']} of {said['requests']} requests to {self.url} failed"
            )
        return Load(
            said["requests"] / said["seconds"], said["mean"], said["p50"], said["p95"], said["p99"]
        )


def in_turn(ours: Target, theirs: Target, connections: int) -> tuple[list[Load], list[Load]]:
    """Measure two targets in turn, so that both feel the same machine, after a warm-up of each."""
    for target in (ours, theirs):
        target.load(connections, WARM_SECONDS)
    pairs = [(ours.load(connections), theirs.load(connections)) for _ in range(PAIRS)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def middle(loads: list[Load], name: str) -> float:
    """The median of one figure."""
    return median(getattr(load, name) for load in loads)


def ratio(ours: list[Load], theirs: list[Load], name: str) -> float:
    """The median of the pairs' ratios of one figure."""
    return median(
        getattr(mine, name) / getattr(other, name) for mine, other in zip(ours, theirs, strict=True)
    )


def details(**loads: list[Load]) -> dict[str, Any]:
    """Every figure of every target, for the file."""
    names = ("rate", "mean", "p50", "p95", "p99")
    return {who: {name: middle(runs, name) for name in names} for who, runs in loads.items()}
