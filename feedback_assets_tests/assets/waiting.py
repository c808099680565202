"""A loop whose version 2 waits for people, without any training."""

import datetime as dt
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from feedback_assets.assets.approvals import bound_of
from feedback_assets.assets.ledger import record
from feedback_assets.ledger.keys import load_private, new_private, sign_statement
from feedback_assets.ledger.registry import Approver, register
from feedback_assets.promotion.decisions import Decision, Kind
from feedback_assets.promotion.gates import GateCheck
from feedback_assets.promotion.statement import Statement
from feedback_assets.settings import Settings
from feedback_assets_tests.promotion.suites import suite
from feedback_assets_tests.worlds import World, moment

NOW = moment("2024-03-01T12:00")
SLOW = GateCheck("latency", False, 300.0, 200.0, "slow")


class WaitingWorld(World):
    """Version 2 was trained by ann and passed its gates; ann, bob and cid have keys."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        # `Settings` is frozen; the keys must not be those of whoever runs the tests.
        object.__setattr__(self, "settings", keyed(self.settings, root))
        self.loop = type(self.loop)(self.config, self.settings)
        self.at(NOW.isoformat())
        folder = self.space.models / "2"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps({"onnx_digest": "a" * 64}))
        (folder / "evaluation-against-none.json").write_text(json.dumps(suite()))
        for name in ("ann", "bob", "cid"):
            self.person(name)
        self.decide("retrain", actor="person:ann")

    def person(self, name: str, **changes: Any) -> None:
        """Somebody who may approve."""
        key = new_private(self.settings, name)
        register(
            self.settings, Approver(name, key.public, ("*",), NOW - dt.timedelta(days=9), **changes)
        )

    def decide(self, kind: Kind, actor: str = "sensor:rollout", **details: Any) -> Decision:
        """Record any decision on version 2."""
        return record(
            self.space,
            Decision(
                loop="tiny", kind=kind, time=self.clock.now(), version="2", actor=actor, cause="",
                rule="", reason="", details=details,
                evidence={"kind": kind, "at": self.clock.now().isoformat()},
            ),
        )  # fmt: skip

    def gated(self, *checks: GateCheck) -> Decision:
        """The gates' record."""
        return self.decide("gate", gates=[asdict(check) for check in checks])

    def asked(self) -> Decision:
        """The request for people."""
        statement = asdict(bound_of(self.space, 2))
        return self.decide("request", risk="high", why=["so"], people=2, statement=statement)

    def signature(self, statement: Statement) -> str:
        """What the author of a statement signs."""
        return sign_statement(load_private(self.settings, statement.by), statement.to_dict())


def keyed(settings: Settings, root: Path) -> Settings:
    """The settings with keys of their own."""
    return Settings(home=settings.home, configs=settings.configs, keys=root / "keys")
