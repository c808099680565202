"""A recorded judgement made again: the same rows, the same rules, the same outcome or what differs."""

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import duckdb

from feedback_assets.assets.acting import numbers_of
from feedback_assets.assets.examination import examined, fresh_rows
from feedback_assets.assets.gate_facts import gate_facts
from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.audit.configs import config_by_digest
from feedback_assets.audit.facts import folder_of
from feedback_assets.audit.pinned import Pinned
from feedback_assets.audit.story import Story
from feedback_assets.config.load import config_digest
from feedback_assets.config.schema import Config
from feedback_assets.errors import FeedbackAssetsError
from feedback_assets.evaluation.suite import suite_digest
from feedback_assets.promotion.approval import Override
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.gates import GateCheck, GateFacts, check_gates
from feedback_assets.promotion.paired import Paired
from feedback_assets.promotion.verdict import verdict

Json = dict[str, Any]
Tell = Callable[[str], None]
CLOSE = 1e-9
"""Relative difference up to which two observed numbers are one."""
MEASURED = ("latency", "memory")
"""Gates on times and memory: these are taken from the record, no machine repeats them."""
OLD_GATES = ("better", "segments", "rows")
"""What decided before there were others."""


def judged_again(
    pinned: Pinned, story: Story, con: duckdb.DuckDBPyConnection, tell: Tell
) -> Json | None:
    """Judge a version again by what its record names; None where nothing was recorded.

    Returns:
        `same`, `outcome` {then, now}, `gates` [{name, then, now, ...}], `suite_digest` {then,
        now}, `verdict` {then, now}, `differences` in words.
    """
    asked = [d for d in (story.last("gate"), story.outcome) if d and d.details.get("gates")]
    recorded = asked[0] if asked else story.outcome
    if recorded is None:
        return None
    before = None
    if recorded.previous_version:
        before = folder_of(pinned.space, recorded.previous_version)
        if before is None:
            return _cannot(f"the champion of then, version {recorded.previous_version}, is gone")
    try:
        if asked:
            return by_gates(pinned, story, recorded, before, con, tell)
        return by_comparison(pinned, recorded, before, con, tell)
    except (FeedbackAssetsError, duckdb.Error) as error:
        return _cannot(str(error))


def by_gates(
    pinned: Pinned,
    story: Story,
    recorded: Decision,
    before: ModelVersion | None,
    con: duckdb.DuckDBPyConnection,
    tell: Tell,
) -> Json:
    """The suite on the recorded rows, every gate, and the verdict on the recorded evidence."""
    asked_with = recorded.evidence.get("config_digest")
    config = config_by_digest(decisions(pinned.space, "config"), asked_with) or pinned.config
    then = LoopSpace(config, pinned.space.settings)
    days = (recorded.details.get("evaluation") or {}).get("days")
    fresh = fresh_rows(then, con, pinned.model, before, days)
    suite = examined(then, con, pinned.model, before, fresh, config, tell)
    said: Mapping[str, Any] = recorded.details.get("suite") or {}
    digests = {"then": said.get("digest"), "now": suite_digest(suite)}
    rows = {
        "then": (recorded.details.get("evaluation") or {}).get("digest"),
        "now": suite["evaluation_digest"],
    }
    checks = check_gates(
        config,
        as_measured(suite, pinned, said.get("file")),
        gate_facts(then, con, pinned.model, recorded.time),
        overrides_of(recorded),
        recorded.time,
        bool(config.rollout.stages),
    )
    gates = beside(recorded.details["gates"], checks)
    said_of_evidence = verdict_again(config, story)
    differing = [gate["difference"] for gate in gates if gate["difference"]]
    if rows["then"] != rows["now"]:
        differing.insert(0, "the evaluation rows or their labels are not the recorded ones")
    elif digests["then"] != digests["now"]:
        differing.insert(0, "the evaluation suite has another digest on the same rows")
    if differing and asked_with and asked_with != config_digest(config):
        differing.append("the configuration that the gates were asked with is not recorded")
    if said_of_evidence and said_of_evidence["then"] != said_of_evidence["now"]:
        differing.append(
            f"the paired evidence said {said_of_evidence['then']}, now {said_of_evidence['now']}"
        )
    outcomes = {"then": outcome(recorded.details["gates"]), "now": outcome(map(asdict, checks))}
    same_verdict = not said_of_evidence or said_of_evidence["then"] == said_of_evidence["now"]
    alike = all(gate["then"] == gate["now"] for gate in gates)
    return {
        "same": alike and same_verdict and rows["then"] == rows["now"],
        "outcome": outcomes,
        "gates": gates,
        "suite_digest": digests,
        "evaluation_digest": rows,
        "verdict": said_of_evidence,
        "differences": differing,
    }


def as_measured(suite: Json, pinned: Pinned, file: str | None) -> Json:
    """The suite with the latency and the memory of then, where the file of then is there."""
    path = pinned.space.settings.root / file if file else None
    if path is None or not path.is_file():
        return suite
    kept = json.loads(path.read_text("utf-8"))
    return {**suite, "latency": kept.get("latency"), "size": kept.get("size")}


def overrides_of(recorded: Decision) -> tuple[Override, ...]:
    """The overrides that the record says were used, as if they were given now."""
    until = recorded.time + dt.timedelta(hours=1)
    return tuple(
        Override(gate["name"], gate["overridden_by"], "as recorded", until, recorded.decision_id)
        for gate in recorded.details["gates"]
        if gate.get("overridden_by")
    )


def beside(then: Sequence[Mapping[str, Any]], now: Sequence[GateCheck]) -> list[Json]:
    """Every gate as it was and as it is."""
    old, new = {g["name"]: g for g in then}, {c.name: asdict(c) for c in now}
    return [
        {
            "name": name,
            "then": passed(old.get(name)),
            "now": passed(new.get(name)),
            "observed_then": (old.get(name) or {}).get("observed"),
            "observed_now": (new.get(name) or {}).get("observed"),
            "difference": difference(name, old.get(name), new.get(name)),
        }
        for name in dict.fromkeys([*old, *new])
    ]


def passed(gate: Mapping[str, Any] | None) -> bool | None:
    """Whether a gate passed; None where it was not asked."""
    return None if gate is None else bool(gate["passed"])


def difference(name: str, then: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> str:
    """What differs between two answers of a gate; empty where nothing does."""
    if then is None or now is None:
        return f"gate {name}: asked only {'now' if then is None else 'then'}"
    if bool(then["passed"]) != bool(now["passed"]):
        words = ("failed", "passed")
        return (
            f"gate {name}: {words[bool(then['passed'])]} then ({then['reason']}), "
            f"{words[bool(now['passed'])]} now ({now['reason']})"
        )
    a, b = then.get("observed"), now.get("observed")
    if name in MEASURED or a == b:
        return ""
    if a is None or b is None or not math.isclose(a, b, rel_tol=CLOSE, abs_tol=CLOSE):
        return f"gate {name}: observed {a} then, {b} now"
    return ""


def outcome(gates: Any) -> str:
    """What the gates lead to."""
    return "passed" if all(gate["passed"] for gate in gates) else "refused"


def verdict_again(config: Config, story: Story) -> Json | None:
    """The rule on the recorded paired evidence; None where no evidence is recorded."""
    look = story.detail("look")
    if not look or not look.get("verdict") or not look.get("paired"):
        return None
    again = verdict(config, Paired.from_dict(look["paired"]), look.get("rows_per_day"))
    return {"then": look["verdict"]["outcome"], "now": again.outcome, "reason": again.reason}


def by_comparison(
    pinned: Pinned,
    recorded: Decision,
    before: ModelVersion | None,
    con: duckdb.DuckDBPyConnection,
    tell: Tell,
) -> Json:
    """A decision of an older release: its rule was the gates `better`, `segments` and `rows` of now."""
    then = LoopSpace(pinned.config, pinned.space.settings)
    days = list(pinned.model.manifest["pool"]["partitions"])
    rows = fresh_rows(then, con, pinned.model, before, days)
    suite = examined(then, con, pinned.model, before, rows, pinned.config, tell)
    facts = GateFacts(parity=None, columns_problem="", data_problems=None, label_audit=None)
    checks = check_gates(pinned.config, suite, facts, (), recorded.time, staged=False)
    failed = [check for check in checks if check.name in OLD_GATES and not check.passed]
    now = "refuse" if before is not None and failed else "promote"
    numbers = numbers_of(suite)
    differing = [
        f"{name}: {value} then, {numbers.get(name)} now"
        for name, value in recorded.numbers.items()
        if not _alike(value, numbers.get(name, math.nan))
    ]
    digests = {"then": recorded.evidence.get("evaluation"), "now": suite["evaluation_digest"]}
    if digests["then"] != digests["now"]:
        differing.insert(0, "the evaluation rows or their labels are not the recorded ones")
    if now != recorded.kind:
        reasons = "; ".join(check.reason for check in failed) or "no gate fails"
        differing.append(f"it was {recorded.kind}d then: {recorded.reason}; now: {reasons}")
    return {
        "same": now == recorded.kind and digests["then"] == digests["now"],
        "outcome": {"then": recorded.kind, "now": now},
        "gates": [],
        "suite_digest": None,
        "evaluation_digest": digests,
        "verdict": None,
        "differences": differing,
    }


def _alike(a: float, b: float) -> bool:
    return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=CLOSE, abs_tol=CLOSE)


def _cannot(why: str) -> Json:
    """A judgement that cannot be made again."""
    return {
        "same": False, "outcome": None, "gates": [], "suite_digest": None,
        "evaluation_digest": None, "verdict": None,
        "differences": [f"it cannot be judged again: {why}"],
    }  # fmt: skip
