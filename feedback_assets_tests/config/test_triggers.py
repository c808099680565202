"""A trigger's conditions in YAML: what loads, and what a bad one is told, with its line."""

import pytest

from feedback_assets.config.jsonschema import json_schema
from feedback_assets.config.load import config_digest
from feedback_assets.config.policy import Trigger
from feedback_assets_tests.config.test_load import GOOD, load, problems

COMPOSED = """\
trigger:
  when:
    any:
      - all:
          - drift: {columns: 2, weight: 1.5}
          - coverage: 0.5
      - at_least:
          n: 2
          of:
            - estimated_loss: {worse_by: 0.1}
            - realised_loss: {worse_by: 0.1, days: 3, metric: roc_auc}
            - sla_streak: 3
      - every_days: 14
  cooldown_days: 3
  rearm: 0.5
  budget_per_month: 4
  office_hours: {time_zone: Europe/Berlin, days: [mon, fri], start: "08:30", end: 12:00}
performance: {sla: [{metric: log_loss, target: 0.4}]}
"""


def trigger(text):
    return load(GOOD + text).trigger


def test_a_composed_policy_loads():
    found = trigger(COMPOSED)
    kinds = [leaf.kind for leaf in found.when.leaves()]
    assert kinds == [
        "drift", "coverage", "estimated_loss", "realised_loss", "sla_streak", "every_days",
    ]  # fmt: skip
    assert found.when.any[1].at_least.n == 2
    assert (found.rearm, found.budget_per_month, found.office_hours.end.hour) == (0.5, 4, 12)


def test_the_default_is_drift_or_enough_labels():
    assert Trigger() == trigger("trigger: {when: {any: [{drift: {}}, {new_labels: 5000}]}}\n")
    assert Trigger().label_quota == 5000


def test_the_quota_is_the_largest_number_of_labels():
    text = "trigger: {when: {any: [{all: [{drift: {}}, {new_labels: 9}]}, {new_labels: 7}]}}\n"
    assert trigger(text).label_quota == 9
    assert trigger("trigger: {when: {every_days: 3}}\n").label_quota is None


def test_only_what_is_said_is_part_of_the_digest_and_the_schema():
    plain = GOOD + "trigger: {when: {every_days: 14}}\n"
    assert load(plain).trigger.model_dump(mode="json")["when"] == {"every_days": 14.0}
    assert config_digest(load(plain)) != config_digest(load(plain.replace("14", "15")))
    condition = json_schema()["$defs"]["Condition"]
    assert (condition["minProperties"], condition["maxProperties"]) == (1, 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "trigger:\n  new_labels: 500\n",
            "16:3: trigger.new_labels: unknown field; did you mean trigger.when.new_labels? Allowed: when,",
        ),
        ("trigger:\n  on_drift: false\n", "16:3: trigger.on_drift: unknown field; Allowed: when,"),
        (
            "trigger:\n  when:\n    any:\n      - drift: {}\n      - nwe_labels: 3\n",
            "19:9: trigger.when.any[1].nwe_labels: unknown field; did you mean new_labels?",
        ),
        (
            "trigger:\n  when:\n    any:\n      - drift: {}\n        new_labels: 3\n",
            (
                "18:9: trigger.when.any[0]: give one condition, not drift and new_labels: list them "
                "below any, all or at_least"
            ),
        ),
        (
            "trigger:\n  when:\n    any:\n      - drift:\n      - every_days: 3\n",
            "18:9: trigger.when.any[0]: give one condition (drift is empty, its defaults are drift: {})",
        ),
        (
            "trigger:\n  when:\n    - drift: {}\n",
            "16:3: trigger.when: several conditions are joined, as in {any: [...]}",
        ),
        ("trigger:\n  when: {}\n", "16:3: trigger.when: give one condition of any, all, at_least"),
        (
            "trigger:\n  when:\n    at_least: {n: 3, of: [{coverage: 0.5}]}\n",
            "17:5: trigger.when.at_least: n is 3, but of lists only 1 conditions",
        ),
        (
            "trigger:\n  when:\n    coverage: 50\n",
            "17:5: trigger.when.coverage: must be less than or equal to 1, but is 50",
        ),
        (
            "trigger:\n  when:\n    estimated_loss: {worse_by: 0}\n",
            "17:22: trigger.when.estimated_loss.worse_by: must be greater than 0, but is 0",
        ),
        (
            "trigger:\n  when:\n    any:\n      - sla_streak: 3\n",
            "18:9: trigger.when.any.0.sla_streak: performance.sla lists no promise that could be missed",
        ),
        (
            "trigger:\n  when:\n    estimated_loss: {worse_by: 0.1}\nperformance: {estimate: false}\n",
            "17:5: trigger.when.estimated_loss: performance.estimate is off: nothing is estimated",
        ),
        (
            "trigger:\n  when:\n    realised_loss: {worse_by: 0.1, metric: mae}\n",
            "17:36: trigger.when.realised_loss.metric: mae does not fit a binary label",
        ),
        (
            "trigger:\n  when:\n    realised_loss: {worse_by: 0.1, metric: value}\n",
            "17:36: trigger.when.realised_loss.metric: value needs kpi.values or kpi.expression",
        ),
        (
            (
                "trigger:\n  when:\n    realised_loss: {worse_by: 0.1, metric: f1}\n"
                "performance: {metrics: [brier]}\n"
            ),
            "17:36: trigger.when.realised_loss.metric: f1 is not among performance.metrics: brier",
        ),
        (
            "trigger:\n  when:\n    sla_streak: 2\nperformance: {sla: []}\n",
            "17:5: trigger.when.sla_streak: performance.sla lists no promise that could be missed",
        ),
        (
            "trigger:\n  when:\n    realised_loss: {worse_by: 0.1}\nperformance: {metrics: [f1]}\n",
            "17:5: trigger.when.realised_loss.metric: log_loss is not among performance.metrics: f1",
        ),
        (
            "trigger:\n  office_hours: {time_zone: Europe/Belin}\n",
            "16:3: trigger.office_hours: there is no time zone Europe/Belin; did you mean Europe/Berlin?",
        ),
        (
            "trigger:\n  office_hours: {time_zone: ../../etc/passwd}\n",
            "16:3: trigger.office_hours: there is no time zone ../../etc/passwd, as in Europe/Berlin",
        ),
        (
            "trigger:\n  office_hours: {start: 9}\n",
            '16:3: trigger.office_hours: write start and end as "09:00", in time_zone',
        ),
        (
            "trigger:\n  office_hours: {days: [mo]}\n",
            (
                "16:25: trigger.office_hours.days[0]: must be one of mon, tue, wed, thu, fri, sat, sun, "
                "but is 'mo'; did you mean mon?"
            ),
        ),
    ],
)
def test_a_bad_policy_is_told_with_its_line_and_the_way_out(text, told):
    (problem,) = problems(GOOD + text)
    assert problem.startswith(f"loops/small.yaml:{told}"), problem


def test_a_misplaced_field_of_any_section_is_shown_its_place():
    (problem,) = problems(GOOD.replace("drift:\n  alpha: 0.02", "margin_sd: 0.02"))
    assert "margin_sd: unknown field; did you mean drift.margin_sd?" in problem
