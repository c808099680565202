"""A year of flights through the real daemon: 365 days, three assets, a chunk of days a run.

The home holds January's champion, the year's predictions with its answers and the year's feedback
events; what is measured is the backfill of prediction_log and all that follows from it as the
UI submits it, from the click to its end. The baseline is the same work in one process without a
daemon (`feedback-assets backfill`), in a copy of the home.
"""

import contextlib
import datetime as dt
import json
import os
import shutil
import socket
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from rich.console import Console

from benchmarks.result import Result
from feedback_assets.assets.space import DATAFLOW
from feedback_assets.backfill import backfill_range
from feedback_assets.commands.run import DEMO_FROM, DEMO_TO, loop_config
from feedback_assets.config.grain import partition_range
from feedback_assets.instance import open_instance
from feedback_assets.loop import FeedbackLoop
from feedback_assets.settings import Settings
from feedback_assets.simulation.delivery import History
from feedback_assets.simulation.flights import flights_history
from feedback_assets.simulation.replay import Period, Replay
from feedback_assets.ui import end_group, start_dagster

LOOP = "flights"
ASSETS = DATAFLOW
DAYS = partition_range("daily", "2013-01-01", "2013-12-31")
FIRST, LAST = dt.datetime(2013, 1, 1, tzinfo=dt.UTC), dt.datetime(2013, 12, 31, tzinfo=dt.UTC)
TARGET_SECONDS = 600.0
PATIENCE_SECONDS = 2_400.0
BOOT_SECONDS = 180.0
DONE = {"COMPLETED_SUCCESS", "COMPLETED_FAILED", "COMPLETED", "FAILED", "CANCELED"}

SENSORS = """query($location: String!) {
  sensorsOrError(repositorySelector: {
    repositoryName: "__repository__", repositoryLocationName: $location}) {
    ... on Sensors { results { sensorState { id } } } } }"""
STOP = """mutation($id: String!) { stopSensor(id: $id) { __typename } }"""
LAUNCH = """mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message } } }"""
STATUS = """query($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    __typename ... on PartitionBackfill { status } } }"""


def measure() -> list[Result]:
    """Seconds for a year.

    Raises:
        RuntimeError: A run failed, or a partition's own event does not tell its own digest.
    """
    with tempfile.TemporaryDirectory(prefix="backfill-year-") as folder:
        settings = Settings(home=Path(folder) / "home")
        twin = Settings(home=Path(folder) / "twin")
        prepare(settings)
        shutil.copytree(settings.root, twin.root)
        baseline = without_daemon(twin)
        value, runs = with_daemon(settings)
        right, wanted = own_digests(settings), len(DAYS) * len(ASSETS)
    if right != wanted:
        raise RuntimeError(f"{right} of {wanted} partitions tell their own digest")
    return [
        Result(
            "backfill_year",
            "365 days of flights through three assets by the daemon",
            value,
            "s",
            TARGET_SECONDS,
            baseline,
            value / baseline,
            judged="value",
            details={
                "baseline": "the same in one process without a daemon",
                "runs": runs,
                "partitions_with_own_digest": right,
                "load": os.getloadavg(),
            },
        )
    ]


def prepare(settings: Settings) -> None:
    """January's champion; the year's files at the sources; the year's feedback events stored."""
    history = flights_history(settings.root / "flights.parquet")
    loop = FeedbackLoop(loop_config(settings, LOOP), settings)
    with open_instance(settings) as instance:
        period = Period(DEMO_FROM, DEMO_TO, dt.timedelta(days=31))
        replay = Replay(loop, History(loop.config, settings, history), period, instance)
        for _ in replay.begin():
            pass
        for start, end in period.steps():
            replay.deliver(start, end)
        backfill_range(loop, instance, ["feedback_events"], FIRST, LAST, Console(quiet=True))


def without_daemon(settings: Settings) -> float:
    """Seconds that the command line needs for the same."""
    loop = FeedbackLoop(loop_config(settings, LOOP), settings)
    with open_instance(settings) as instance:
        begin = time.perf_counter()
        if not backfill_range(loop, instance, ASSETS, FIRST, LAST, Console(quiet=True)):
            raise RuntimeError("the backfill without a daemon failed")
        return time.perf_counter() - begin


def with_daemon(settings: Settings) -> tuple[float, int]:
    """Seconds from submission to the end of the backfill, and how many runs it took."""
    source = settings.root / "sources" / LOOP / "predictions"
    aside = source.rename(source.with_name("later"))  # the arrivals sensor looks at the start
    with served(settings) as url:
        aside.rename(source)
        begin = time.perf_counter()
        answer = ask(
            url,
            LAUNCH,
            params={
                "assetSelection": [{"path": [LOOP, asset]} for asset in ASSETS],
                "partitionNames": DAYS,
                "title": "a year",
            },
        )["launchPartitionBackfill"]
        if "backfillId" not in answer:
            raise RuntimeError(f"the backfill was refused: {answer}")
        status = ""
        while status not in DONE:
            if time.perf_counter() - begin > PATIENCE_SECONDS:
                raise RuntimeError(f"the backfill is still {status}")
            time.sleep(1)
            found = ask(url, STATUS, id=answer["backfillId"])["partitionBackfillOrError"]
            status = found["status"]
        seconds = time.perf_counter() - begin
    if status != "COMPLETED_SUCCESS":
        raise RuntimeError(f"the backfill ended {status}")
    with open_instance(settings) as instance:
        tags = {"dagster/backfill": answer["backfillId"]}
        return seconds, instance.get_runs_count(dg.RunsFilter(tags=tags))


def own_digests(settings: Settings) -> int:
    """Partitions whose newest event tells the digest that is stored for that very partition."""
    space = FeedbackLoop(loop_config(settings, LOOP), settings).space
    right = 0
    with open_instance(settings) as instance:
        for asset in ASSETS:
            stored = space.table(asset).snapshot().partitions()
            newest = instance.get_latest_storage_id_by_partition(
                space.key(asset), dg.DagsterEventType.ASSET_MATERIALIZATION, set(DAYS)
            )
            records = instance.fetch_materializations(
                dg.AssetRecordsFilter(
                    asset_key=space.key(asset), storage_ids=list(newest.values())
                ),
                limit=len(DAYS),
            ).records
            events = [record.asset_materialization for record in records]
            right += sum(
                event is not None
                and event.partition in stored
                and event.metadata["digest"].value == stored[event.partition].digest
                for event in events
            )
    return right


@contextlib.contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The real UI and daemon on a home, its sensors stopped: the backfill is to run alone."""
    port = free_port()
    dagster = start_dagster(settings, port, free_port())
    url = f"http://127.0.0.1:{port}/graphql"
    try:
        stop_sensors(url)
        yield url
    finally:
        end_group(dagster)


def stop_sensors(url: str) -> None:
    """Wait until the UI answers, then stop every sensor."""
    until = time.monotonic() + BOOT_SECONDS
    sensors: list[dict[str, Any]] = []
    while not sensors:
        if time.monotonic() > until:
            raise RuntimeError("the UI did not come up")
        time.sleep(1)
        with contextlib.suppress(OSError, KeyError):
            found = ask(url, SENSORS, location="feedback_assets")
            sensors = found["sensorsOrError"]["results"]
    for sensor in sensors:
        ask(url, STOP, id=sensor["sensorState"]["id"])


def ask(url: str, query: str, **variables: Any) -> dict[str, Any]:
    """One GraphQL question, as the UI asks."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    if answer.get("errors"):
        raise RuntimeError(f"GraphQL: {answer['errors']}")
    return dict(answer["data"])


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
