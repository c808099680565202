"""The document says what the service does: its examples are taken, its answers fit."""

import json

import jsonschema
import pytest

from feedback_assets_tests.door.asked import Asked, ask, shop_in


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "text"])
def test_examples_are_taken_and_answers_fit(tmp_path, kind):
    shop = shop_in(tmp_path, kind)

    async def work(asked: Asked):
        document = (await asked.get("/openapi.json")).json()
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                await checked(asked, document, path, method, operation)
        return document

    document = ask(shop, work)
    assert document["openapi"] == "3.1.0"
    assert len(document["paths"]) >= 15


async def checked(asked, document, path, method, operation):
    bodies = [None]
    content = operation.get("requestBody", {}).get("content", {})
    if content:
        said = content["application/json"]
        bodies = [example["value"] for example in said["examples"].values()]
        for body in bodies:
            valid(document, said["schema"], body)
    for body in bodies:
        target = path.replace("{id}", "p-1")
        sent = None if body is None else json.dumps(body).encode()
        answer = await asked.http.request(
            method, target, content=sent, headers={"content-type": "application/json"}
        )
        nothing_there = "{id}" in path or path.endswith("/undo")
        assert answer.status_code < 300 or nothing_there, (path, answer.text)
        described = operation["responses"][str(answer.status_code)]["content"]
        media_type = answer.headers["content-type"].partition(";")[0]
        if media_type.endswith("json"):
            valid(document, described[media_type]["schema"], answer.json())
        assert media_type in described


def valid(document, schema, value):
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator(whole).validate(value)


def test_the_schema_of_rows_is_exact(tmp_path):
    rules = {"amount": {"required": True, "min": 0}, "shop_kind": {"allowed": ["food"]}}
    shop = shop_in(tmp_path, train=False, rules=rules)

    async def work(asked: Asked):
        return (await asked.get("/openapi.json")).json()["components"]["schemas"]

    schemas = ask(shop, work)
    row = schemas["shop_row"]
    assert (row["required"], row["additionalProperties"]) == (["amount"], False)
    assert row["properties"]["amount"]["minimum"] == 0
    assert row["properties"]["shop_kind"] == {"enum": ["food", None]}
    jsonschema.Draft202012Validator.check_schema(row)
    check = jsonschema.Draft202012Validator(schemas["shop_event"])
    assert check.is_valid({"prediction_id": "p", "value": "yes"})
    assert check.is_valid({"prediction_id": "p", "kind": "rejection"})
    assert not check.is_valid({"prediction_id": "p", "value": 2})
    assert not check.is_valid({"prediction_id": "p"})
