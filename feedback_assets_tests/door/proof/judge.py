"""Sends hostile payloads and holds every answer against the oracle."""

import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass, field, replace

from feedback_assets_tests.door.proof.live import Door
from feedback_assets_tests.door.proof.mutate import Hostile, Mutations
from feedback_assets_tests.door.proof.oracle import Oracle
from feedback_assets_tests.door.proof.shapes import Shapes
from feedback_assets_tests.door.proof.strict import BAD, GOOD, Verdict
from feedback_assets_tests.door.proof.wire import Reply
from feedback_assets_tests.serving.shop import LOOP

PROBLEM = "application/problem+json"


@dataclass
class Findings:
    """What was seen; every list but the counts should be empty."""

    sent: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    server_errors: list[str] = field(default_factory=list)
    invalid_taken: list[str] = field(default_factory=list)
    valid_refused: list[str] = field(default_factory=list)
    echoed: list[str] = field(default_factory=list)
    misshaped: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> dict[str, list[str]]:
        """Everything that should not have happened, a few of each."""
        kinds = ("server_errors", "invalid_taken", "valid_refused", "echoed", "misshaped")
        return {kind: getattr(self, kind)[:8] for kind in kinds if getattr(self, kind)}

    @property
    def refused(self) -> int:
        """Requests that were answered with 4xx."""
        return sum(n for status, n in self.statuses.items() if 400 <= status < 500)


def verdict_of(oracle: Oracle, hostile: Hostile) -> Verdict:
    """What must become of a payload."""
    judge = {
        "predict": oracle.predict,
        "feedback": oracle.feedback,
        "cloud_event": oracle.cloud_event,
        "cloud_batch": oracle.cloud_batch,
        "cloud_binary": oracle.cloud_binary,
        "infer": oracle.infer,
        "invocations": oracle.invocations,
    }[hostile.ask.surface]
    return judge(hostile.body)


def assail(door: Door, count: int, seed: int) -> Findings:
    """Send `count` hostile payloads over one connection that is kept alive."""
    oracle = replace(Oracle.of(door.yaml), now=dt.datetime.now(dt.UTC))
    shapes = Shapes(LOOP, door.row, seed)
    mutations = Mutations(shapes.any, seed)
    found = Findings()
    with door.wire() as wire:
        for number in range(count):
            hostile = mutations.next()
            reply = wire.send("POST", hostile.target, hostile.body, hostile.headers)
            _judge(found, oracle, hostile, reply, number)
    return found


def _judge(found: Findings, oracle: Oracle, hostile: Hostile, reply: Reply, number: int) -> None:
    verdict = verdict_of(oracle, hostile) if hostile.plain else None
    found.sent += 1
    found.statuses[reply.status] += 1
    found.verdicts[verdict.name if verdict is not None else "wire"] += 1
    told = (
        f"#{number} {hostile.ask.surface}: {hostile.how} -> {reply.status} "
        f"{reply.body[:200]!r} for {hostile.body[:300]!r}"
    )
    if reply.status >= 500 or reply.status == 0:
        found.server_errors.append(told)
    if verdict is BAD and reply.status < 400:
        found.invalid_taken.append(told)
    # An id that was drawn before with other content is a conflict, and no refusal of the payload.
    if verdict is GOOD and reply.status >= 400 and reply.status != 409:
        found.valid_refused.append(told)
    if reply.status < 400:
        return
    heads = " ".join(f"{k}: {v}" for k, v in reply.headers.items()).encode("latin-1", "replace")
    if hostile.mark and hostile.mark.encode() in reply.body + heads:
        found.echoed.append(told)
    if hostile.mark:
        found.marks.append(hostile.mark)
    if hostile.plain and not _is_problem(reply):
        found.misshaped.append(told)


def _is_problem(reply: Reply) -> bool:
    if not reply.headers.get("content-type", "").startswith(PROBLEM) or len(reply.body) > 8_192:
        return False
    try:
        said = json.loads(reply.body)
    except ValueError:
        return False
    return (
        said.get("status") == reply.status
        and bool(said.get("title"))
        and isinstance(said.get("type"), str)
        and all(e.get("detail") and "pointer" in e for e in said.get("errors", []))
    )
