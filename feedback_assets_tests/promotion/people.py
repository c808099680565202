"""People with keys, and what they sign."""

import datetime as dt
from dataclasses import asdict, replace
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from feedback_assets.ledger.keys import PrivateKey, sign_statement
from feedback_assets.ledger.registry import Approver, Registry
from feedback_assets.promotion.decisions import Decision, Kind
from feedback_assets.promotion.statement import Action, Bound, Statement

START = dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)
BOUND = Bound("a" * 64, "b" * 64, "c" * 64)


@cache
def key_of(name: str) -> PrivateKey:
    """A person's key, the same all through the tests."""
    return PrivateKey(name, Ed25519PrivateKey.generate())


def approver(name: str, **changes: Any) -> Approver:
    """A person's entry, of long ago and for every loop."""
    entry = Approver(name, key_of(name).public, ("*",), START - dt.timedelta(days=100))
    return replace(entry, **changes)


def registry(*names: str) -> Registry:
    """These people may approve."""
    return Registry(tuple(approver(name) for name in names))


def hours(count: float) -> dt.datetime:
    """So many hours after the start."""
    return START + dt.timedelta(hours=count)


def statement(by: str, action: Action = "approve", **changes: Any) -> Statement:
    """What a person says of version 2 an hour after the start; it holds for two days."""
    said = Statement("toy", "2", action, BOUND, "looks right", by, hours(1), hours(49))
    return replace(said, **changes)


def recorded(said: Statement, key: PrivateKey | None = None, **changes: Any) -> Decision:
    """A statement in the ledger, signed by its author's key unless another is given."""
    signer = key or key_of(said.by)
    signature = sign_statement(signer, said.to_dict())
    made = Decision(
        loop="toy",
        kind=said.action,
        time=said.at,
        version=said.version,
        actor=f"person:{said.by}",
        cause="by hand",
        rule="signed",
        reason=said.reason,
        evidence={"signature": signature},
        details={
            "statement": said.to_dict(),
            "signature": signature,
            "key": signer.fingerprint,
        },
    )
    return replace(made, **changes)


def decision(kind: Kind, actor: str = "sensor:rollout", at: float = 0, **changes: Any) -> Decision:
    """Any other decision on version 2."""
    made = Decision(
        loop="toy", kind=kind, time=hours(at), version="2", actor=actor, cause="", rule="",
        reason="", evidence={"kind": kind, "at": at},
    )  # fmt: skip
    return replace(made, **changes)


def request(at: float = 0, people: int = 2, actor: str = "sensor:rollout") -> Decision:
    """Version 2 asks for people."""
    details = {"people": people, "statement": asdict(BOUND)}
    return decision("request", actor, at, details=details)
