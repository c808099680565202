"""POST /v1/{loop}/review/label-studio: what Label Studio tells as it happens.

Label Studio has no token of the door: it brings the secret of `review.label_studio.webhook`.
"""

import msgspec

from feedback_assets.door.calls import JSON, Call, Reply
from feedback_assets.door.endpoint import body_of
from feedback_assets.door.problems import Problem
from feedback_assets.door.refusal import Refused
from feedback_assets.door.routes_review import kept, moment
from feedback_assets.door.state import OpenLoop, Service
from feedback_assets.errors import LabelStudioError

SENDER = "label-studio"
UNKNOWN_SENDER = (
    "the header X-Feedback-Assets-Secret must bring the secret that this service knows for the loop"
)


class WebhookRoutes:
    """The handler of one loop, or of a name that is none."""

    def __init__(self, service: Service, name: str) -> None:
        self._service = service
        self._name = name

    async def label_studio(self, call: Call) -> Reply:
        """Store the answers that a notice brings; what it cannot tell alone waits for the next sync."""
        from feedback_assets.review.labelstudio.webhook import parse_webhook

        loop = self._loop()
        body, _ = await body_of(loop, call, (JSON,))
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in call.headers}
        try:
            notice = parse_webhook(loop.config, headers, body)
        except PermissionError:
            raise Refused(401, "secret", UNKNOWN_SENDER) from None
        except LabelStudioError as error:
            loop.meter.reviewed("label_studio", "refused")
            raise Problem(422, "invalid", str(error)) from None
        self._service.allowance.spend(SENDER, self._name, loop.config.serve.limits)
        heard = await kept(loop.desk.hear(notice, moment(call)))
        count = loop.meter.reviewed
        count("label_studio", "stored", heard.stored)
        count("label_studio", "repeated", heard.repeated)
        count("label_studio", "conflict", heard.conflicts)
        count("label_studio", "unknown", heard.unread)
        told = {"stored": heard.stored, "repeated": heard.repeated, "conflicts": heard.conflicts}
        return Reply(200, msgspec.json.encode(told))

    def _loop(self) -> OpenLoop:
        loop = self._service.loops.get(self._name)
        if loop is None:
            raise Problem(404, "no-loop", "this service answers for no loop of that name")
        if loop.config.review.label_studio is None:
            words = "the loop's file has no section review.label_studio"
            raise Problem(404, "no-label-studio", words)
        return loop
