"""The parts of an OpenAPI document that operations share."""

from typing import Any

from feedback_assets.door.schemas import PROBLEM, Schema

WORDS = {
    400: "The body is no JSON, or a header is wrong",
    401: "No usable token",
    403: "The token lacks the scope",
    404: "There is no such thing",
    408: "The body came too slowly",
    409: "The id is known with other content, or the Idempotency-Key is in use",
    413: "The body is too large",
    415: "The media type is not taken",
    422: "The body breaks the schema",
    429: "Too many requests",
    503: "Nothing was stored; try again after Retry-After",
}
SENDING = (400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 503)
ASKING = (400, 401, 403, 404, 429, 503)
KEY_PARAMETER: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and body again: the same answer, status 200.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}


def operation(
    name: str,
    summary: str,
    answer: Schema | None,
    *,
    status: int = 200,
    body: dict[str, Schema] | None = None,
    problems: tuple[int, ...] = (),
    parameters: tuple[Schema, ...] = (),
    answer_type: str = "application/json",
    public: bool = False,
    tag: str = "service",
) -> dict[str, Any]:
    """One operation.

    Args:
        name: Its operationId.
        summary: One line.
        answer: Schema of a good answer.
        status: Of a good answer; requests with an Idempotency-Key are answered 200 when repeated.
        body: Media type to schema, or to schema and examples.
        problems: Statuses of its problem documents.
        parameters: Its parameters.
        answer_type: Media type of a good answer.
        public: Needs no token.
        tag: Its group.
    """
    good = {
        "description": "Done",
        "content": {answer_type: {"schema": answer if answer is not None else {}}},
    }
    responses: dict[str, Any] = {str(status): good}
    if KEY_PARAMETER in parameters:
        repeated = {**good, "headers": {"Idempotency-Replayed": {"schema": {"const": "true"}}}}
        responses["200"] = repeated
    responses |= {str(code): problem(code) for code in problems}
    found: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "tags": [tag],
        "responses": responses,
    }
    if parameters:
        found["parameters"] = list(parameters)
    if body is not None:
        found["requestBody"] = {"required": True, "content": body}
    if public:
        found["security"] = []
    return found


def problem(status: int) -> Schema:
    """The response of a status that tells a problem."""
    found: Schema = {
        "description": WORDS[status],
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    if status in (429, 503):
        found["headers"] = {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}}}
    return found


def base_document(title: str, number: str) -> dict[str, Any]:
    """A document without operations."""
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": number},
        "security": [{"token": []}],
        "paths": {},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": PROBLEM},
        },
    }
