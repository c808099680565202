"""The surfaces that other clients know: Open Inference Protocol, MLflow and SageMaker."""

import json

import pytest

from feedback_assets_tests.door.asked import Asked, ask, shop_in

INFER = "/v2/models/shop/infer"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return shop_in(tmp_path_factory.mktemp("aliases"))


def tensor(name, data, datatype=None, **more):
    kind = datatype or ("BYTES" if any(isinstance(v, str) for v in data) else "FP32")
    return {"name": name, "shape": [len(data)], "datatype": kind, "data": data} | more


def tensors(rows):
    return [tensor(name, [row[name] for row in rows]) for name in rows[0]]


def test_infer_answers_what_predict_answers(shop):
    async def work(asked: Asked):
        rows = shop.rows(3)
        body = {"id": "call-7", "parameters": {"x": 1}, "inputs": tensors(rows)}
        said = await asked.post(INFER, body)
        plain = await asked.predict({"rows": rows})
        ids = next(o["data"] for o in said.json()["outputs"] if o["name"] == "prediction_id")
        return said, plain.json()["predictions"], await asked.stored("predictions", ids[0])

    said, plain, stored = ask(shop, work)
    told = said.json()
    assert (said.status_code, told["id"], told["model_name"], told["model_version"]) == (
        200, "call-7", "shop", "1",
    )  # fmt: skip
    outputs = {o["name"]: o for o in told["outputs"]}
    assert outputs["score"]["data"] == pytest.approx([item["score"] for item in plain])
    assert outputs["prediction"] == {
        "name": "prediction", "datatype": "INT64", "shape": [3],
        "data": [item["prediction"] for item in plain],
    }  # fmt: skip
    assert stored["features"] == shop.row(0) | {"region": None}


def test_only_the_outputs_asked_for_and_ids_given(shop):
    body = {
        "inputs": [tensor("amount", [[1.0], [2.0]], shape=[2, 1]), tensor("prediction_id", ["x", "y"])],
        "outputs": [{"name": "prediction_id"}],
    }  # fmt: skip
    said = ask(shop, lambda asked: asked.post(INFER, body)).json()
    assert [(o["name"], o["data"]) for o in said["outputs"]] == [("prediction_id", ["x", "y"])]
    assert "id" not in said


@pytest.mark.parametrize(
    ("inputs", "pointer"),
    [
        ([], "/inputs"),
        ([tensor("colour", [1])], "/inputs/0/name"),
        ([tensor("amount", [1]), tensor("amount", [1])], "/inputs/1/name"),
        ([tensor("amount", [1, 2]), tensor("distance", [1])], "/inputs"),
        ([tensor("amount", [1], "BYTES")], "/inputs/0/datatype"),
        ([tensor("amount", [True], "BOOL")], "/inputs/0/datatype"),
        ([tensor("amount", [True])], "/inputs/0/data/0"),
        ([tensor("amount", [1.5], "INT32")], "/inputs/0/data"),
        ([tensor("amount", ["1"], "FP32")], "/inputs/0/data/0"),
        ([tensor("amount", [1], shape=[2])], "/inputs/0/data"),
        ([tensor("amount", [1], shape=[1, 2])], "/inputs/0/shape"),
        ([tensor("amount", [1], shape=[10**30])], "/inputs/0/data"),
        ([tensor("amount", [1], shape=[-1])], "/inputs/0/shape"),
        ([tensor("amount", [[[1]]])], "/inputs/0/data"),
        ([tensor("country", [1, "de"])], "/inputs/0/data/0"),
        ([tensor("amount", [1], extra=1)], "/inputs/0/extra"),
        ([tensor("prediction_id", ["a b"])], "/inputs/0/data/0"),
    ],
)
def test_a_wrong_tensor_is_refused_in_the_protocols_words(shop, inputs, pointer):
    said = ask(shop, lambda asked: asked.post(INFER, {"inputs": inputs}))
    assert said.status_code == 422
    assert isinstance(said.json()["error"], str)
    assert pointer in [error["pointer"] for error in said.json()["errors"]]


def test_the_protocols_other_routes(shop):
    async def work(asked: Asked):
        paths = ["/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/shop",
                 "/v2/models/shop/ready", "/v2/models/none"]  # fmt: skip
        return [await asked.get(path) for path in paths]

    found = ask(shop, work)
    assert [said.status_code for said in found] == [200] * 5 + [404]
    metadata = found[3].json()
    assert metadata["versions"] == ["1"]
    assert {"name": "country", "datatype": "BYTES", "shape": [-1]} in metadata["inputs"]
    assert "error" in found[5].json()


def shapes(shop):
    rows = shop.rows(2)
    names = list(rows[0])
    lists = [[row[name] for name in names] for row in rows]
    return {
        "dataframe_split": {"columns": names, "data": lists, "index": [0, 1]},
        "dataframe_records": rows,
        "instances": lists,
        "inputs": {name: [row[name] for row in rows] for name in names},
    }


@pytest.mark.parametrize("shape", ["dataframe_split", "dataframe_records", "instances", "inputs"])
def test_invocations_in_each_of_mlflows_shapes(shop, shape):
    async def work(asked: Asked):
        said = await asked.post("/invocations", {shape: shapes(shop)[shape], "params": {}})
        return said.json()["predictions"], (await asked.predict({"rows": shop.rows(2)})).json()

    found, plain = ask(shop, work)
    assert [item["score"] for item in found] == [item["score"] for item in plain["predictions"]]
    assert all(item["prediction_id"] for item in found)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ([], ""),
        ({}, ""),
        ({"instances": [], "inputs": []}, ""),
        ({"instances": []}, "/instances"),
        ({"instances": [[1]]}, "/instances/0"),
        ({"instances": [{"amount": "x"}]}, "/instances/0/amount"),
        ({"instances": [{}], "params": {"top_k": 1}}, "/params"),
        ({"instances": [{}], "more": 1}, "/more"),
        ({"inputs": {"amount": [1], "distance": [1, 2]}}, "/inputs"),
        ({"inputs": {"amount": [1, "x"]}}, "/inputs/amount/1"),
        ({"inputs": {"amount": [1], "distance": 1}}, "/inputs"),
        ({"dataframe_split": {"columns": ["amount"], "data": [[1], ["x"]]}}, "/dataframe_split/data/1/0"),
        ({"dataframe_split": {"columns": ["Zq7"], "data": [[1]]}}, "/dataframe_split/columns/0"),
        ({"dataframe_split": {"columns": ["amount", "amount"], "data": []}}, "/dataframe_split/columns"),
        ({"dataframe_split": {"data": []}}, "/dataframe_split/columns"),
        ({"dataframe_records": {}}, "/dataframe_records"),
    ],
)  # fmt: skip
def test_wrong_invocations_are_refused_and_named(shop, body, pointer):
    said = ask(shop, lambda asked: asked.post("/invocations", body))
    assert said.status_code == 422
    assert pointer in [error["pointer"] for error in said.json()["errors"]]
    assert "Zq7" not in said.text


def test_invocations_in_csv(shop):
    rows = shop.rows(2)
    lines = [
        ",".join("" if v is None else json.dumps(v, ensure_ascii=False) for v in row.values())
        for row in rows
    ]
    named = [",".join(rows[0]), *lines]

    async def work(asked: Asked):
        found = []
        for body, accept in ((lines, "text/csv"), (named, "application/json")):
            found.append(
                await asked.post(
                    "/invocations",
                    "\r\n".join(body).encode(),
                    content_type="text/csv; charset=utf-8",
                    accept=accept,
                )
            )
        return found, (await asked.predict({"rows": rows})).json()["predictions"]

    (as_csv, as_json), plain = ask(shop, work)
    scores = [item["score"] for item in plain]
    assert as_csv.headers["content-type"] == "text/csv"
    assert [float(line.split(",")[0]) for line in as_csv.text.splitlines()] == scores
    assert [item["score"] for item in as_json.json()["predictions"]] == scores


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"\xff", 400),
        (b'"a', 400),
        (b"1,2\n", 422),
        (b"one,2,,de,food\n", 422),
        (b"nan,2,,de,food\n", 422),
        (b"1e999,2,,de,food\n", 422),
        (b"amount,amount\n1,2\n", 422),
        (b"amount\n", 422),
    ],
)
def test_wrong_csv_is_refused(shop, body, status):
    async def work(asked: Asked):
        return await asked.post("/invocations", body, content_type="text/csv")

    assert ask(shop, work).status_code == status


def test_a_key_and_csv_answers_do_not_go_together(shop):
    async def work(asked: Asked):
        body = {"instances": [{}]}
        return await asked.post("/invocations", body, accept="text/csv", idempotency_key="k")

    assert ask(shop, work).status_code == 400


def test_the_loop_is_named_by_a_header(shop):
    async def work(asked: Asked):
        body = {"instances": [{}]}
        names = (b"shop", b"other", b"\xff")
        said = [
            await asked.http.post("/invocations", json=body, headers=[(b"x-loop", name)])
            for name in names
        ]
        return [one.status_code for one in said]

    assert ask(shop, work) == [200, 404, 404]


def test_a_bad_row_sent_by_an_alias_is_kept_apart(shop):
    async def work(asked: Asked):
        await asked.post("/invocations", {"instances": [{"amount": "Zq7"}]})
        await asked.post(INFER, {"inputs": [tensor("amount", ["Zq7"], "FP32")]})
        return [json.loads(entry.body)["path"] for entry in asked.refused]

    assert ask(shop, work) == ["/invocations", INFER]
