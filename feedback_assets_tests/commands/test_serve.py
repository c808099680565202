"""The service by its commands: tokens, certificates, and a real loop behind `serve`."""

import contextlib
import re
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import Result
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from feedback_assets.cli import app
from feedback_assets.commands.serve import chosen_loops
from feedback_assets.door.tokens import TokenFile
from feedback_assets.errors import ConfigError, DoorError
from feedback_assets_tests.door.small import Running, started
from feedback_assets_tests.serving.shop import Shop

Ask = Callable[..., Result]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = Shop(tmp_path_factory.mktemp("serve") / "home")
    shop.train(1)
    shop.publish(1)
    return shop


@pytest.fixture
def ask(tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Commands on an own home with the loop `shop`."""
    monkeypatch.setenv("FEEDBACK_ASSETS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FEEDBACK_ASSETS_CONFIGS", str(shop.settings.configs))
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_a_token_is_printed_once_alone_and_never_again(ask: Ask) -> None:
    made = ask(
        "token", "create", "web", "--scope", "predict", "--scope", "feedback", "--loop", "shop"
    )
    token = made.stdout.strip()
    assert re.fullmatch(r"fa_[\w-]{43}", token)
    assert "feedback shop, predict shop" in made.stderr
    assert token not in made.stderr
    listed = ask("token", "list").output
    assert "web" in listed
    assert "usable" in listed
    assert token[-4:] in listed
    assert token not in listed
    ended = ask("token", "revoke", "web")
    assert ended.exit_code == 0
    assert "revoked" in ask("token", "list").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["web", "--scope", "everything", "--loop", "shop"], "choose from predict"),
        (["web", "--scope", "predict"], "--loop"),
        (["web", "--scope", "predict", "--loop", "shopp"], "there are: shop"),
        (["we b", "--scope", "metrics"], "token name"),
    ],
)
def test_a_wrong_token_is_not_made(ask: Ask, words: list[str], said: str) -> None:
    result = ask("token", "create", *words)
    assert isinstance(result.exception, DoorError)
    assert said in str(result.exception)
    assert "no token" in ask("token", "list").output


def test_a_certificate_says_how_to_use_it(ask: Ask, tmp_path: Path) -> None:
    result = ask("certificate", "--host", "door.example", "--out", tmp_path / "tls", "--days", "3")
    assert result.exit_code == 0
    key = tmp_path / "tls" / "key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    for words in (f"--tls-key {key}", "curl --cacert", "https://door.example:8080", "cafile"):
        assert words in result.output
    again = ask("certificate", "--out", tmp_path / "tls")
    assert isinstance(again.exception, DoorError)


def test_the_loops_to_serve_are_named_or_all(shop: Shop, tmp_path: Path) -> None:
    assert list(chosen_loops(shop.settings, ["shop", "shop"], every=False)) == ["shop"]
    assert list(chosen_loops(shop.settings, [], every=True)) == ["shop"]
    for names, every in (([], False), (["shop"], True), (["nothing"], False)):
        with pytest.raises(DoorError, match="there are: shop"):
            chosen_loops(shop.settings, names, every)
    empty = shop.settings.model_copy(update={"configs": tmp_path})
    with pytest.raises(DoorError, match="no loop to serve"):
        chosen_loops(empty, [], every=True)


def test_a_broken_loop_is_told_before_anything_listens(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "loops").mkdir()
    (tmp_path / "loops" / "bad.yaml").write_text("title: [")
    broken = shop.settings.model_copy(update={"configs": tmp_path})
    with pytest.raises(ConfigError, match=r"bad\.yaml"):
        chosen_loops(broken, ["bad"], every=False)


def test_the_help_says_why_there_are_no_workers(ask: Ask) -> None:
    text = " ".join(ask("serve", "--help").output.split())
    assert "There is no --workers: SQLite has one writer" in text
    assert ask("serve", "shop", "--workers", "2").exit_code == 2


@contextlib.contextmanager
def serving(shop: Shop, folder: Path, *words: str) -> Iterator[Running]:
    command = [sys.executable, "-m", "feedback_assets", "serve", "shop", "--port", "0", *words]
    folder.mkdir(exist_ok=True)
    home = {
        "FEEDBACK_ASSETS_HOME": str(shop.settings.root),
        "FEEDBACK_ASSETS_CONFIGS": str(shop.settings.configs),
        "FEEDBACK_ASSETS_INBOX_FREE_MB": "1",
    }
    with started(command, folder, **home) as running:
        running.wait_until_ready()
        yield running


@pytest.fixture
def own_shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path / "home")
    shop.train(1)
    shop.publish(1)
    return shop


def scraped(client: httpx.Client) -> dict[str, float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def counters(found: dict[str, float]) -> dict[str, float]:
    ends = ("_total", "_bucket", "_count")
    return {
        name: value for name, value in found.items()
        if name.partition("[")[0].endswith(ends) and not name.startswith("process_")
    }  # fmt: skip


def total(found: dict[str, float], name: str) -> float:
    return sum(value for key, value in found.items() if key.startswith(f"{name}["))


def test_an_open_service_predicts_takes_feedback_and_counts_it(
    own_shop: Shop, tmp_path: Path
) -> None:
    with serving(own_shop, tmp_path / "log") as running:
        base = f"http://127.0.0.1:{running.port}"
        with httpx.Client(base_url=base) as client:
            given = client.post("/v1/shop/predict", json=own_shop.row(1))
            assert given.status_code == 200
            event = {"prediction_id": given.json()["prediction_id"], "value": 1}
            assert client.post("/v1/shop/feedback", json=event).status_code == 202
            assert client.post("/v1/shop/feedback", json={"value": 1}).status_code == 422
            found = scraped(client)
            assert total(found, "prediction_success_total") == 1
            assert (
                found[
                    "feedback_samples_total[('kind', 'label'), ('model', 'shop'), ('outcome', 'accepted')]"
                ]
                == 1
            )
            assert total(found, "feedback_write_latency_seconds_count") == 1
            assert total(found, "model_predictions_total") == 1
            assert found["model_version[('model', 'shop'), ('stage', 'prod')]"] == 1
            assert total(found, "quarantined_total") == 1
            assert total(found, "request_latency_seconds_count") >= 3
        assert httpx.get(f"{base}/docs").status_code == 200
        assert running.end() == 0
        assert running.err.read_text() == ""


def test_counters_survive_an_end_and_never_go_down_after_a_kill(
    own_shop: Shop, tmp_path: Path
) -> None:
    before: dict[str, float] = {}
    for life, sign in enumerate([signal.SIGTERM, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]):
        with serving(own_shop, tmp_path / f"log{life}") as running:
            with httpx.Client(base_url=f"http://127.0.0.1:{running.port}") as client:
                for place in range(10):
                    client.post("/v1/shop/predict", json=own_shop.row(place))
                found = scraped(client)
                assert not [
                    name for name, value in counters(before).items() if found.get(name, 0) < value
                ]
                assert total(found, "prediction_success_total") >= (life + 1) * 10
                before = found
                client.post("/v1/shop/predict", json=own_shop.row(0))
            running.end(sign)
    assert 41 <= total(before, "prediction_success_total") <= 43


def test_tokens_open_only_what_they_say_and_are_nowhere_to_be_seen(
    own_shop: Shop, tmp_path: Path
) -> None:
    tokens = TokenFile(own_shop.settings)
    web = tokens.create("web", ["predict"], ["shop"], 1)
    prom = tokens.create("prom", ["metrics"], [], 1)
    with serving(own_shop, tmp_path / "log") as running:
        seen = ""
        with httpx.Client(base_url=f"http://127.0.0.1:{running.port}") as client:
            for token, path, status in (
                (web, "/v1/shop/predict", 200),
                (prom, "/v1/shop/predict", 403),
                ("fa_wrong", "/v1/shop/predict", 401),
                (web, "/v1/shop/feedback", 403),
                (web, "/v1/nothing/predict", 404),
                (web, f"/v1/{web}/predict?token={web}", 404),
            ):
                headers = {"Authorization": f"Bearer {token}"}
                answer = client.post(path, json=own_shop.row(1), headers=headers)
                assert answer.status_code in {status, 403 if status == 404 else status}
                if token not in path:
                    seen += answer.text + str(answer.headers)
            assert client.get("/metrics").status_code == 401
            assert (
                client.get("/metrics", headers={"Authorization": f"Bearer {web}"}).status_code
                == 403
            )
            assert client.get("/healthz").status_code == 200
            client.headers["Authorization"] = f"Bearer {prom}"
            found = scraped(client)
            seen += str(found)
            assert total(found, "door_requests_refused_total") >= 4
        running.end()
        seen += running.said
        seen += "".join(
            path.read_bytes().decode("latin-1")
            for path in own_shop.settings.root.rglob("*") if path.is_file()
        )  # fmt: skip
    for token in (web, prom):
        assert token not in seen
        assert token[3:-4] not in seen


def test_a_second_service_on_one_home_is_told_why_not(own_shop: Shop, tmp_path: Path) -> None:
    with serving(own_shop, tmp_path / "one"):
        with started(
            [sys.executable, "-m", "feedback_assets", "serve", "shop", "--port", "0"],
            tmp_path,
            FEEDBACK_ASSETS_HOME=str(own_shop.settings.root),
            FEEDBACK_ASSETS_CONFIGS=str(own_shop.settings.configs),
        ) as second:
            until = time.monotonic() + 60
            while second.process.poll() is None and time.monotonic() < until:
                time.sleep(0.1)
            assert second.process.returncode == 1
        assert "InboxError" in second.err.read_text()
        assert "Traceback" not in second.err.read_text()
