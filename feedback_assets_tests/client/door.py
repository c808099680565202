"""A service of canned answers, for tests of the client: it is a transport of httpx, sync and async."""

import json
from collections.abc import Callable

import httpx

ANSWER = {
    "score": 0.25,
    "prediction": 0,
    "model_version": "3",
    "arm": "champion",
    "answered_by": "champion",
}
TOKEN = "tok-5ecret-and-l0ng"


class Door:
    """Answers like the service; `failures` are what the first requests come to instead."""

    def __init__(self, *failures: Exception | httpx.Response | Callable):
        self.failures = list(failures)
        self.seen: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            if callable(failure):
                return failure(request)
            # A response is read once; tests share theirs.
            return httpx.Response(
                failure.status_code, headers=failure.headers, content=failure.content
            )
        return self.usual(request)

    def usual(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/readyz":
            return httpx.Response(200, json={})
        if request.method == "GET":
            return httpx.Response(200, json={"path": path})
        said = json.loads(request.content)
        if path.endswith("/predict"):
            if "rows" not in said:
                return httpx.Response(200, json=predicted(said, 0))
            rows = [predicted(row, n) for n, row in enumerate(said["rows"])]
            return httpx.Response(200, json={"predictions": rows})
        if "events" not in said:
            return httpx.Response(202, json={"event_id": "e0", "state": "stored"})
        events = [{"event_id": f"e{n}", "state": "stored"} for n, _ in enumerate(said["events"])]
        return httpx.Response(202, json={"events": events})

    @property
    def keys(self) -> list[str]:
        return [request.headers["Idempotency-Key"] for request in self.seen]

    @property
    def bodies(self) -> list:
        return [json.loads(request.content) for request in self.seen]


def predicted(row: dict, n: int) -> dict:
    return {"prediction_id": row.get("prediction_id", f"p{n}"), **ANSWER}


def problem(status: int, headers: dict[str, str] | None = None, **fields) -> httpx.Response:
    content = json.dumps({"title": "Refused", "status": status, **fields}).encode()
    return httpx.Response(
        status,
        content=content,
        headers={"content-type": "application/problem+json", **(headers or {})},
    )
