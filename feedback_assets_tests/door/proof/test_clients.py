"""Clients that others wrote: curl and httpx, and requests built by hand from the protocols."""

import json
import shutil
import subprocess
import sys
import urllib.request

import pytest

from feedback_assets.door.tls import make_certificate
from feedback_assets_tests.door.proof.live import living
from feedback_assets_tests.door.proof.recount import Recount
from feedback_assets_tests.door.proof.stored import stored
from feedback_assets_tests.serving.shop import CLASSES, LOOP

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="install curl")


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with living(tmp_path_factory.mktemp("clients")) as opened:
        yield opened


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secure")
    pair = make_certificate("localhost", folder / "tls", 2)
    with living(folder, tls=pair) as opened:
        yield opened


def curl(door, *said, token=""):
    """Status, headers in lower case and body."""
    bearer = door.token if token == "" else token
    head = ["-H", f"Authorization: Bearer {bearer}"] if bearer else []
    command = ["curl", "-sS", "--noproxy", "*", "-m", "20", "-i", *head, *said]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        return ran.returncode, {}, ran.stderr
    heads, _, body = ran.stdout.replace("\r\n", "\n").partition("\n\n")
    first, *lines = heads.split("\n")
    named = (line.partition(": ") for line in lines)
    return int(first.split()[1]), {k.lower(): v for k, _, v in named}, body


def as_json(body):
    return ["-H", "Content-Type: application/json", "-d", json.dumps(body)]


@needs_curl
def test_curl_predicts_and_gives_feedback(door):
    url = f"{door.base}/v1/{LOOP}"
    status, _, body = curl(door, f"{url}/predict", *as_json(door.row(1)))
    answer = json.loads(body)
    assert status == 200
    assert answer["score"] == pytest.approx(
        Recount(door.shop, [1]).scores("1", [door.row(1)])[0], abs=1e-6
    )
    assert answer["prediction"] == int(answer["score"] >= 0.5)
    assert (answer["model_version"], answer["answered_by"]) == ("1", "champion")
    event = {"prediction_id": answer["prediction_id"], "value": 1, "event_id": "curl-1"}
    status, _, body = curl(door, f"{url}/feedback", *as_json(event))
    assert (status, json.loads(body)) == (202, {"event_id": "curl-1", "state": "stored"})
    status, _, body = curl(door, f"{url}/feedback", *as_json(event))
    assert json.loads(body) == {"event_id": "curl-1", "state": "repeated"}
    status, _, body = curl(door, f"{url}/feedback", *as_json(event | {"value": 0}))
    assert status == 409
    status, _, body = curl(door, f"{url}/predictions/{answer['prediction_id']}")
    assert status == 200
    assert json.loads(body)["features"] == door.row(1)
    logged = [e for e in stored(door.shop.settings, "feedback") if e["event_id"] == "curl-1"]
    assert [(e["value"], e["prediction_id"]) for e in logged] == [("1", answer["prediction_id"])]


@needs_curl
def test_curl_sends_a_cloud_event_in_binary_mode(door):
    heads = {
        "ce-specversion": "1.0", "ce-id": "cloud-curl", "ce-source": "/tills/7", "ce-type": "shop.order.kept",
        "ce-time": "2026-11-01T10:00:00Z",
    }  # fmt: skip
    said = [part for k, v in heads.items() for part in ("-H", f"{k}: {v}")]
    event = {"prediction_id": "of-yesterday", "value": True, "kind": "label"}
    status, _, body = curl(door, f"{door.base}/v1/{LOOP}/feedback", *said, *as_json(event))
    assert (status, json.loads(body)["event_id"]) == (202, "cloud-curl")
    logged = [e for e in stored(door.shop.settings, "feedback") if e["event_id"] == "cloud-curl"]
    assert [(e["value"], e["kind"], e["event_us"]) for e in logged] == [
        ("true", "label", 1_793_527_200_000_000)
    ]


@needs_curl
def test_curl_reads_a_problem(door):
    rows = {"rows": [door.row(1), door.row(2) | {"distance": "far-secret"}]}
    status, heads, body = curl(door, f"{door.base}/v1/{LOOP}/predict", *as_json(rows))
    told = json.loads(body)
    assert status == told["status"] == 422
    assert heads["content-type"] == "application/problem+json"
    assert [e["pointer"] for e in told["errors"]] == ["/rows/1/distance"]
    assert "far-secret" not in body
    status, heads, _ = curl(door, f"{door.base}/v1/{LOOP}/model", token=None)
    assert status == 401
    assert heads["www-authenticate"].startswith("Bearer")
    status, heads, _ = curl(door, "-X", "DELETE", f"{door.base}/v1/{LOOP}/predict")
    assert (status, "POST" in heads["allow"]) == (405, True)


@needs_curl
def test_curl_repeats_with_an_idempotency_key(door):
    said = ["-H", "Idempotency-Key: k-1", f"{door.base}/v1/{LOOP}/predict"]
    _, first_heads, first = curl(door, *said, *as_json(door.row(1)))
    status, heads, again = curl(door, *said, *as_json(door.row(1)))
    assert (status, again) == (200, first)
    assert heads["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first_heads
    assert curl(door, *said, *as_json(door.row(2)))[0] == 422


@needs_curl
def test_curl_over_tls_1_3_and_nothing_older(secure):
    url = f"{secure.base.replace('127.0.0.1', 'localhost')}/v1/{LOOP}/predict"
    trusted = ["--cacert", str(secure.tls)]
    status, _, _ = curl(secure, *trusted, "--tlsv1.3", url, *as_json(secure.row(1)))
    assert status == 200
    for refused in (["--tls-max", "1.2"], ["--tls-max", "1.1"]):
        code, _, told = curl(secure, *trusted, *refused, url, *as_json(secure.row(1)))
        assert code in (4, 35), (code, told)
    code, _, _ = curl(secure, url, *as_json(secure.row(1)))
    assert code == 60  # nobody vouches for it unless it is named
    code, _, _ = curl(secure, url.replace("https", "http"), *as_json(secure.row(1)))
    assert code in (1, 52, 56, 400)
    with secure.http() as client:
        assert client.post(f"/v1/{LOOP}/predict", json=secure.row(1)).status_code == 200


def test_httpx_keeps_one_connection_for_many_requests(door):
    with door.http() as client:
        ports = set()
        for n in range(50):
            answer = client.post(f"/v1/{LOOP}/predict", json=door.row(n))
            assert answer.status_code == 200
            ports.add(answer.extensions["network_stream"].get_extra_info("client_addr")[1])
    assert len(ports) == 1


def test_the_standard_library_asks_and_is_answered(door):
    head = {"content-type": "application/json", "authorization": f"Bearer {door.token}"}
    body = json.dumps({"rows": [door.row(n) for n in range(3)]}).encode()
    asked = urllib.request.Request(f"{door.base}/v1/{LOOP}/predict", body, head)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked) as answer:
        assert len(json.load(answer)["predictions"]) == 3


def _tensor(rows, name):
    data = [row[name] for row in rows]
    if isinstance(data[0], str):
        return {"name": name, "shape": [len(rows)], "datatype": "BYTES", "data": data}
    return {"name": name, "shape": [len(rows), 1], "datatype": "FP64", "data": [[v] for v in data]}


def test_open_inference_protocol_by_its_specification(door):
    """KServe's `docs/predict-api/v2`: health, metadata and inference, over REST."""
    rows = [door.row(n) | {"amount": 5.0 + n, "country": "de", "empty": 1.0} for n in range(3)]
    with door.http() as client:
        assert client.get("/v2/health/live").status_code == 200
        assert client.get("/v2/health/ready").status_code == 200
        server = client.get("/v2").json()
        assert server["name"]
        assert server["version"]
        assert isinstance(server["extensions"], list)
        model = client.get(f"/v2/models/{LOOP}").json()
        assert model["name"] == LOOP
        assert model["versions"] == ["1"]
        assert isinstance(model["platform"], str)
        kinds = {t["name"]: (t["datatype"], t["shape"]) for t in model["inputs"]}
        assert kinds["amount"][0] in ("FP32", "FP64")
        assert kinds["country"][0] == "BYTES"
        assert all(shape[0] == -1 for _, shape in kinds.values())
        assert model["outputs"]
        assert client.get(f"/v2/models/{LOOP}/ready").status_code == 200
        assert client.get("/v2/models/nothing/ready").status_code == 404

        asked = {"id": "by-hand-42", "inputs": [_tensor(rows, name) for name in rows[0]]}
        answer = client.post(f"/v2/models/{LOOP}/infer", json=asked)
        said = answer.json()
        assert answer.status_code == 200, said
        assert said["id"] == "by-hand-42"
        assert said["model_name"] == LOOP
        assert said["model_version"] == "1"
        for tensor in said["outputs"]:
            assert set(tensor) >= {"name", "shape", "datatype", "data"}
            assert tensor["shape"][0] == 3
        outputs = {t["name"]: t["data"] for t in said["outputs"]}
        assert outputs["score"] == pytest.approx(
            Recount(door.shop, [1]).scores("1", rows), abs=1e-6
        )

        broken = asked | {"inputs": asked["inputs"][:1]}
        refused = client.post(f"/v2/models/{LOOP}/infer", json=broken)
        assert refused.status_code in (400, 422)
        assert isinstance(refused.json()["error"], str)


def test_mlflow_shapes_give_the_same_scores(door):
    rows = [door.row(n) for n in range(4)]
    names = list(rows[0])
    split = {"columns": names, "data": [[r[n] for n in names] for r in rows], "index": [0, 1, 2, 3]}
    bodies = [
        {"dataframe_split": split}, {"dataframe_records": rows}, {"instances": rows},
        {"inputs": {n: [r[n] for r in rows] for n in names}},
    ]  # fmt: skip
    with door.http() as client:
        assert client.get("/ping").status_code == 200
        answers = [client.post("/invocations", json=body) for body in bodies]
    assert [a.status_code for a in answers] == [200] * 4, [a.text for a in answers]
    expected = [int(s >= 0.5) for s in Recount(door.shop, [1]).scores("1", rows)]
    for answer in answers:
        assert (
            answer.json()["predictions"] == expected
            or [p["prediction"] for p in answer.json()["predictions"]] == expected
        )


def test_sagemaker_csv(door):
    """`text/csv`, with and without a first line that names the columns."""
    row = door.row(3) | {"amount": 7.5, "country": "de"}
    order = [n for n in row if n != "empty"]
    named = ",".join(order) + "\n" + ",".join(str(row[n]) for n in order) + "\n"
    with door.http() as client:
        head = {"content-type": "text/csv"}
        answer = client.post("/invocations", content=named, headers=head)
        assert answer.status_code == 200, answer.text
        wrong = client.post("/invocations", content="amount,nothing\n1,2\n", headers=head)
        assert wrong.status_code in (400, 422)
        assert wrong.headers["content-type"] == "application/problem+json"
    logged = stored(door.shop.settings, "predictions")[-1]
    assert {n: v for n, v in logged["features"].items() if v is not None} == {
        n: row[n] for n in order
    }


def test_many_classes_are_told_with_their_probabilities(tmp_path):
    with living(tmp_path, "multiclass") as door, door.http() as client:
        answer = client.post(f"/v1/{LOOP}/predict", json=door.row(1)).json()
        assert sorted(answer["class_scores"]) == sorted(CLASSES)
        assert sum(answer["class_scores"].values()) == pytest.approx(1, abs=1e-5)
        assert answer["prediction"] == max(answer["class_scores"], key=answer["class_scores"].get)
        assert answer["score"] == pytest.approx(max(answer["class_scores"].values()))


def test_a_number_is_told_as_a_number(tmp_path):
    with living(tmp_path, "regression") as door, door.http() as client:
        answer = client.post(f"/v1/{LOOP}/predict", json=door.row(1)).json()
        assert answer["prediction"] == answer["score"]
        assert abs(answer["score"]) > 1


def test_the_command_line_serves(tmp_path):
    """`feedback-assets serve` as a person starts it, ended by SIGTERM."""
    command = [sys.executable, "-m", "feedback_assets", "serve", LOOP]
    with living(tmp_path, command=command) as door:
        with door.http() as client:
            assert client.post(f"/v1/{LOOP}/predict", json=door.row(1)).status_code == 200
        assert door.stop() == 0
