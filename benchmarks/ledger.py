"""The decision ledger: durable appends, and a million records verified."""

import datetime as dt
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.process import spent
from benchmarks.result import Result
from feedback_assets.ledger.heads import sign_head
from feedback_assets.ledger.records import Entry
from feedback_assets.ledger.store import Ledger
from feedback_assets.settings import Settings

RECORDS, BATCH, SINGLES = 1_000_000, 1_000, 200
LOOP = "bench"
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
VERIFY = """
import time
from pathlib import Path
from feedback_assets.ledger.verify import verify
from feedback_assets.settings import Settings
settings = Settings(home=Path(HOME), configs=Path(HOME), witness=Path(HOME) / "witness.jsonl")
from cryptography.hazmat.primitives.asymmetric import ed25519
_begin()
began = time.perf_counter()
finding = verify(settings, "bench")
Path(HOME, "seconds").write_text(str(time.perf_counter() - began))
assert finding.good and finding.size == RECORDS, finding
"""


def entry(number: int) -> Entry:
    """An entry of the size of a gate's decision (1.1 kB with its columns)."""
    check = {
        "name": "segments", "passed": True, "observed": 0.0081 + number * 1e-9, "threshold": 0.02,
        "reason": "no segment is worse beyond the margin", "overridden_by": "",
    }  # fmt: skip
    body = {
        "version": str(number), "previous_version": str(number - 1), "cause": "drift: 2 columns",
        "rule": "gates", "reason": "log loss 0.4931 is better than 0.5012 by 0.0081 on 1,234 rows",
        "evidence": {"candidate": f"{number:064x}", "champion": "b" * 64, "rows": "c" * 64},
        "numbers": {"candidate": 0.4931, "champion": 0.5012, "lower": 0.001, "rows": 1234.0},
        "details": {"gates": [check]},
    }  # fmt: skip
    return Entry(f"{number:064x}", "gate", NOW, "sensor:bench_rollout", body)


def measure(records: int = RECORDS) -> list[Result]:
    """Appends on the disk that holds the home, then the verification in a process of its own."""
    root = Settings().root
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-ledger-", dir=root) as folder:
        home = Path(folder)
        singles = [
            single_figure(home / "single", signed=False), single_figure(home / "signed", signed=True)
        ]  # fmt: skip
        return [appended(home, records), *singles, verified(home, records)]


def appended(home: Path, records: int) -> Result:
    """So many records in batches of a commit each, with a signed head for each batch."""
    settings = Settings(home=home, configs=home, witness=home / "witness.jsonl")
    ledger, spent_on = Ledger(settings.ledger, LOOP), {"append": 0.0, "sign": 0.0}

    def timed(what: str, work: Callable[[], Any]) -> None:
        began = time.perf_counter()
        work()
        spent_on[what] += time.perf_counter() - began

    cpu = time.process_time()
    for first in range(0, records, BATCH):
        entries = [entry(first + n) for n in range(min(BATCH, records - first))]
        timed("append", lambda batch=entries: ledger.append(batch))  # type: ignore[misc]
        timed("sign", lambda: sign_head(settings, LOOP, NOW))
    return Result(
        "ledger_append",
        f"durable appends to the ledger, {BATCH:,} a commit",
        records / spent_on["append"],
        "records/s",
        5_000,
        judged="value",
        least=True,
        details={
            "records": records,
            "sign_ms": 1_000 * spent_on["sign"] / (records / BATCH),
            "cpu_s_with_making_the_entries": time.process_time() - cpu,
            "bytes": ledger.path.stat().st_size,
            "load": os.getloadavg()[0],
        },
    )


def single_figure(home: Path, signed: bool) -> Result:
    """A commit for each record, as decisions come; beside a bare SQLite row with the same care."""
    settings = Settings(home=home, configs=home, witness=home / "witness.jsonl")
    ledger = Ledger(settings.ledger, LOOP)
    ledger.append([entry(0)])
    began = time.perf_counter()
    for number in range(1, SINGLES + 1):
        ledger.append([entry(number)])
        if signed:
            sign_head(settings, LOOP, NOW)
    ours = SINGLES / (time.perf_counter() - began)
    bare = bare_rows(home / "bare.db")
    how = "and signed, witness too" if signed else "alone"
    return Result(
        f"ledger_append_{'signed' if signed else 'single'}",
        f"durable appends to the ledger, each {how} / a row in bare SQLite, opened anew",
        ours,
        "records/s",
        10,
        bare,
        ours / bare,
        judged="value",
        least=True,
        details={"load": os.getloadavg()[0]},
    )


def bare_rows(path: Path) -> float:
    """Rows a second that SQLite commits (WAL, FULL), with a connection for each."""
    began = time.perf_counter()
    for number in range(SINGLES):
        con = sqlite3.connect(path, isolation_level=None)
        con.execute("PRAGMA journal_mode = WAL")
        con.execute("PRAGMA synchronous = FULL")
        con.execute("CREATE TABLE IF NOT EXISTS rows (seq INTEGER PRIMARY KEY, body TEXT)")
        con.execute("INSERT INTO rows VALUES (?, ?)", (number, "x" * 1_000))
        con.close()
    return SINGLES / (time.perf_counter() - began)


def verified(home: Path, records: int) -> Result:
    """Everything that `audit verify` does with the ledger's own files and one witness."""
    used = spent(f"HOME, RECORDS = {str(home)!r}, {records}\n{VERIFY}")
    return Result(
        "ledger_verify",
        f"{records:,} records and {records // BATCH:,} heads, twice, verified",
        float((home / "seconds").read_text()),
        "s",
        60 * records / RECORDS,
        judged="value",
        details={"cpu_s": used.cpu, "memory_mb": used.memory, "load": os.getloadavg()[0]},
    )
