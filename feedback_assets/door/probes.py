"""Routes that look at the service itself: alive, ready, counted."""

import msgspec

from feedback_assets.door.calls import Call, Reply
from feedback_assets.door.metrics import CONTENT_TYPE
from feedback_assets.door.oip import server_metadata
from feedback_assets.door.state import Service


class Probes:
    """Handlers that need no token, and /metrics, which needs one."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def health(self, _call: Call) -> Reply:
        """GET /healthz: whether the process can take and keep anything."""
        stopped = bool(self._service.inbox.stopped())
        told = {"status": "stopped: the inbox takes nothing more" if stopped else "ok"}
        return Reply(503 if stopped else 200, msgspec.json.encode(told))

    async def ready(self, _call: Call) -> Reply:
        """GET /readyz, /ping, /v2/health/ready: whether every loop can answer."""
        loops = {name: loop.engine.state().ready for name, loop in self._service.loops.items()}
        ready = all(loops.values()) and not self._service.inbox.stopped()
        return Reply(200 if ready else 503, msgspec.json.encode({"ready": ready, "loops": loops}))

    async def live(self, _call: Call) -> Reply:
        """GET /v2/health/live."""
        return Reply(200, msgspec.json.encode({"live": True}))

    async def server(self, _call: Call) -> Reply:
        """GET /v2."""
        return server_metadata()

    async def metrics(self, call: Call) -> Reply:
        """GET /metrics."""
        self._service.keeper.admit(call.headers, "metrics")
        text = await self._service.counters.scrape()
        return Reply(200, text, CONTENT_TYPE.encode())
