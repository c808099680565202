"""The rules of a stage beside what a look has seen: what is still missing, for people."""

import datetime as dt

from feedback_assets.assets.trial import Look
from feedback_assets.config.schema import Config
from feedback_assets.reports.canary_page import Rule

PROOF = "a proof that it is safe, better and worth the change"


def stage_rules(config: Config, look: Look) -> list[Rule]:
    """The rules by which the look's stage is left; of a watch, by which the champion is taken back."""
    stage = {"shadow": _shadow, "canary": _canary, "watch": _watch}.get(look.trial.stage)
    return stage(config, look) if stage else []


def _shadow(config: Config, look: Look) -> list[Rule]:
    rules = config.rollout.shadow
    return [
        _verdict(look, "promote", PROOF),
        _at_least("labels", look.labels, rules.min_labels),
        *_stay(look, rules.min_days, rules.max_days),
    ]


def _canary(config: Config, look: Look) -> list[Rule]:
    rules, service = config.rollout.canary, look.service
    arm = service.challenger if service else None
    excess = service.error_excess if service else None
    ratio = service.latency_ratio if service else None
    return [
        _at_least("requests", arm.requests if arm else 0, rules.min_requests),
        Rule(
            "answered by others, beyond the champion's share",
            f"at most {rules.max_error_rate:.2%}",
            "not known" if excess is None else f"{excess:+.2%}",
            None if excess is None else excess <= rules.max_error_rate,
        ),
        Rule(
            "95th percentile latency, by the champion's",
            f"at most {rules.max_latency_ratio:g} times",
            "not known" if ratio is None else f"{ratio:.2f} times",
            None if ratio is None else ratio <= rules.max_latency_ratio,
        ),
        *_stay(look, rules.min_days, rules.max_days),
        _verdict(look, "promote", PROOF),
    ]


def _watch(config: Config, look: Look) -> list[Rule]:
    rules = config.rollout.watch
    return [
        _verdict(look, "rollback", "a proof that it is worse than the one before"),
        _at_least("labels", look.labels, rules.min_labels),
        Rule("days", f"within {rules.days:g}", f"{_days(look):.1f}", _days(look) <= rules.days),
    ]


def _verdict(look: Look, wanted: str, words: str) -> Rule:
    said = look.verdict
    return Rule("verdict", words, said.rule, said.outcome == wanted)


def _at_least(name: str, seen: int, needed: int) -> Rule:
    return Rule(name, f"{needed:,}", f"{seen:,}", seen >= needed)


def _stay(look: Look, least: float, most: float) -> list[Rule]:
    """The shortest and the longest stay."""
    days = _days(look)
    words = f"at least {least:g}, at most {most:g}"
    return [Rule("days in this stage", words, f"{days:.1f}", least <= days <= most)]


def _days(look: Look) -> float:
    return (look.as_of - look.trial.since) / dt.timedelta(days=1)
