"""A Label Studio of a few lines on the loopback, which can go wrong in every way that one can.

It keeps projects, tasks and annotations and answers in the documented shapes. A `Fault` says which
request goes wrong and how; what it does then is done to the connection itself.
"""

import json
import os
import re
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

LEGACY = "0123456789abcdef0123456789abcdef01234567"
PERSONAL = "eyJhbGciOiJIUzI1NiJ9.cGVyc29uYWw.c2VjcmV0LXNpZ25hdHVyZQ"
CREATED = "2024-05-01T08:00:00.123456Z"


@dataclass
class Fault:
    """One request that goes wrong.

    Kinds: `500`, `503`, `429` (with `value` as Retry-After), `400`, `401`, `403`, `404` before
    anything is done; `half` (an import stores its first half, then 500); `done500` (all is done, then
    500); `lost` (all is done, the connection is reset); `reset` (before anything); `truncated` (done,
    half of the JSON comes); `html` (a page with 200), `html502`; `redirect` (to `value`); `text`
    (200 with `value`); `kill` and `done_kill` (the process `value` is killed before or after).
    """

    match: str
    """Regular expression on `METHOD path`."""
    kind: str
    value: str = ""
    skip: int = 0
    """So many that match go well first."""
    times: int = 1


@dataclass
class Studio:
    """Everything that stands in it."""

    projects: dict[int, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[int, dict[str, Any]] = field(default_factory=dict)
    users: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    """`METHOD path` of every request."""
    tokens: list[str] = field(default_factory=list)
    """Every Authorization header that came."""
    access_uses: int = 10**9
    """Requests for which an access token lives."""
    background: bool = False
    """Whether imports are done in the background."""
    page_limit: int = 10**9
    url: str = ""
    refused: int = 0
    """Requests without a token that is good."""
    numbers: int = 0
    _access: str = ""
    _uses: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def task_of(self, task_id: str) -> dict[str, Any]:
        """The one task that asks a question."""
        (found,) = [t for t in self.tasks.values() if t["data"]["task_id"] == task_id]
        return found

    def asked(self) -> list[str]:
        """Question ids in the order they stand there, copies too."""
        return [task["data"]["task_id"] for task in self.tasks.values()]

    def annotate(self, task: dict[str, Any], value: Any = None, by: int = 1, **more: Any) -> Any:
        """Somebody answers; a skip if the value is None."""
        kind = "number" if isinstance(value, int | float) else "choices"
        said = {
            "id": self.number(),
            "result": []
            if value is None
            else [
                {
                    "id": "r1",
                    "from_name": "label",
                    "to_name": "row",
                    "type": kind,
                    "value": {kind: value if kind == "number" else [value]},
                    "origin": "manual",
                }
            ],
            "was_cancelled": value is None,
            "ground_truth": False,
            "created_at": CREATED,
            "updated_at": CREATED,
            "lead_time": 4.25,
            "task": task["id"],
            "project": task["project"],
            "completed_by": by,
            "parent_prediction": None,
            "created_username": " ann@example.com, 1",
        } | more
        task["annotations"].append(said)
        return said

    def handle(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        """Do what a request asks."""
        for pattern, act in _ROUTES:
            found = re.fullmatch(pattern, f"{method} {path}")
            if found:
                status, said = act(self, *map(int, found.groups()), query=query, body=body)
                return status, said
        return 404, {"detail": "Not found."}

    def authorize(self, header: str) -> bool:
        if header == f"Token {LEGACY}":
            return True
        if self._access and header == f"Bearer {self._access}" and self._uses < self.access_uses:
            self._uses += 1
            return True
        return False

    def refresh(self, body: Any) -> tuple[int, Any]:
        if body != {"refresh": PERSONAL}:
            return 401, {"detail": "Token is invalid or expired", "code": "token_not_valid"}
        self._access, self._uses = f"eyJ.access.{self.number()}", 0
        return 200, {"access": self._access}

    def fault(self, line: str) -> Fault | None:
        for one in self.faults:
            if not re.search(one.match, line) or one.times <= 0:
                continue
            if one.skip > 0:
                one.skip -= 1
                continue
            one.times -= 1
            return one
        return None

    def _projects(self, query: dict[str, str], body: Any) -> tuple[int, Any]:
        return 200, {
            "count": len(self.projects),
            "next": None,
            "results": [*self.projects.values()],
        }

    def _new_project(self, query: dict[str, str], body: Any) -> tuple[int, Any]:
        number = self.number()
        self.projects[number] = {"id": number, **body}
        return 201, self.projects[number]

    def _project(self, number: int, query: dict[str, str], body: Any) -> tuple[int, Any]:
        there = self.projects.get(number)
        return (200, there) if there else (404, {"detail": "Not found."})

    def _change(self, number: int, query: dict[str, str], body: Any) -> tuple[int, Any]:
        self.projects[number] |= body
        return 200, self.projects[number]

    def _import(
        self, number: int, query: dict[str, str], body: Any, most: int | None = None
    ) -> tuple[int, Any]:
        if number not in self.projects:
            return 404, {"detail": "Not found."}
        if any("poison" in one["data"]["why"] for one in body):
            return 400, {"validation_errors": ["Error at item 0: bad :: {'data': 'private words'}"]}
        own = []
        for one in body[:most]:
            task = self.number()
            own.append(task)
            self.tasks[task] = {
                "id": task,
                "data": one["data"],
                "project": number,
                "annotations": [],
                "predictions": one["predictions"],
                "overlap": self.projects[number].get("maximum_annotations", 1),
                "total_annotations": 0,
                "is_labeled": False,
            }
        if self.background:
            return 201, {"import": self.number()}
        return 201, {"task_count": len(own), "annotation_count": 0, "task_ids": own}

    def _imported(
        self, number: int, import_pk: int, query: dict[str, str], body: Any
    ) -> tuple[int, Any]:
        return 200, {"id": import_pk, "status": "completed", "task_ids": [], "error": None}

    def _tasks(self, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if int(query["project"]) not in self.projects:
            return 404, {"detail": "Not found."}
        own = [t for t in self.tasks.values() if t["project"] == int(query["project"])]
        size = min(int(query["page_size"]), self.page_limit)
        start = (int(query["page"]) - 1) * size
        if start and start >= len(own):
            return 404, {"detail": "Invalid page."}
        page = own[start : start + size]
        return 200, {"total": len(own), "total_annotations": 0, "tasks": page}

    def _task(self, number: int, query: dict[str, str], body: Any) -> tuple[int, Any]:
        there = self.tasks.get(number)
        return (200, there) if there else (404, {"detail": "Not found."})

    def _change_task(self, number: int, query: dict[str, str], body: Any) -> tuple[int, Any]:
        self.tasks[number] |= body
        return 200, self.tasks[number]

    def _delete_task(self, number: int, query: dict[str, str], body: Any) -> tuple[int, Any]:
        del self.tasks[number]
        return 204, None

    def _users(self, query: dict[str, str], body: Any) -> tuple[int, Any]:
        return 200, self.users


_ROUTES = [
    (r"GET /api/projects/", Studio._projects),
    (r"POST /api/projects/", Studio._new_project),
    (r"GET /api/projects/(\d+)/", Studio._project),
    (r"PATCH /api/projects/(\d+)/", Studio._change),
    (r"POST /api/projects/(\d+)/import", Studio._import),
    (r"GET /api/projects/(\d+)/imports/(\d+)/", Studio._imported),
    (r"GET /api/tasks/", Studio._tasks),
    (r"GET /api/tasks/(\d+)/", Studio._task),
    (r"PATCH /api/tasks/(\d+)/", Studio._change_task),
    (r"DELETE /api/tasks/(\d+)/", Studio._delete_task),
    (r"GET /api/users/", Studio._users),
]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    studio: Studio

    def log_message(self, *_: Any) -> None:
        pass

    def _do(self) -> None:
        with self.studio._lock:
            self._answer()

    do_GET = do_POST = do_PATCH = do_DELETE = _do

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(raw) if raw else None
        studio, line = self.studio, f"{self.command} {parts.path}"
        studio.seen.append(line)
        header = self.headers.get("Authorization", "")
        studio.tokens.append(header)
        fault = studio.fault(line)
        if fault and self._before(fault):
            return
        if line == "POST /api/token/refresh/":
            status, said = studio.refresh(body)
        elif not studio.authorize(header):
            studio.refused += 1
            status, said = 401, {"detail": "Authentication credentials were not provided."}
        elif fault and fault.kind == "half":
            studio._import(int(parts.path.split("/")[3]), query, body, most=len(body) // 2)
            status, said = 500, {"detail": "half of it"}
        else:
            status, said = studio.handle(self.command, parts.path, query, body)
        if not (fault and self._after(fault, said)):
            self._say(status, json.dumps(said).encode() if said is not None else b"")

    def _before(self, fault: Fault) -> bool:
        """What goes wrong before anything is done."""
        match fault.kind:
            case "429":
                self._say(429, b'{"detail": "slow down"}', **{"Retry-After": fault.value or "0"})
            case "500" | "503" | "400" | "401" | "403" | "404":
                words = json.dumps({"detail": fault.value or "went wrong"}).encode()
                self._say(int(fault.kind), words)
            case "reset":
                self._reset()
            case "html" | "html502":
                page = b"<!doctype html><title>Sign in</title>" + fault.value.encode()
                status = 502 if fault.kind == "html502" else 200
                self._say(status, page, **{"Content-Type": "text/html"})
            case "redirect":
                self._say(302, b"", Location=fault.value)
            case "text":
                self._say(200, fault.value.encode())
            case "kill":
                os.kill(int(fault.value), signal.SIGKILL)
                self._reset()
            case _:
                return False
        return True

    def _after(self, fault: Fault, said: Any) -> bool:
        """What goes wrong when all is done."""
        match fault.kind:
            case "done500":
                self._say(500, b'{"detail": "too late to say so"}')
            case "lost":
                self._reset()
            case "truncated":
                self._say(200, json.dumps(said).encode()[:-2])
            case "done_kill":
                os.kill(int(fault.value), signal.SIGKILL)
                self._reset()
            case _:
                return False
        return True

    def _say(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _reset(self) -> None:
        # Lingering for no time makes the kernel reset the connection instead of ending it.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        pass


@contextmanager
def running() -> Iterator[Studio]:
    """A Label Studio that answers until the block ends."""
    studio = Studio(users=[{"id": 1, "username": "ann", "email": "ann@example.com"}])
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"studio": studio}))
    studio.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield studio
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
