"""The pages of a day and of an incident: what they say, hostile and missing values, their cost."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from feedback_assets.causes.findings import FINDINGS_COLUMNS
from feedback_assets.drift.report import REPORT_COLUMNS
from feedback_assets.performance.report import PERFORMANCE_COLUMNS
from feedback_assets.performance.sla import SLA_COLUMNS
from feedback_assets.reports.day_page import day_html, day_page
from feedback_assets.reports.facts import DayFacts, Deed, IncidentFacts, Links
from feedback_assets.reports.incident_page import incident_html, incident_page
from feedback_assets_tests.reports import examples
from feedback_assets_tests.reports.examples import day_facts, incident_facts, quiet_facts, table
from feedback_assets_tests.reports.test_timeline import EVIL, Elements

HIDDEN = "a\u202eb\u2066c\u0000d\u001b[31me\u2028f"
HOSTILE = [
    EVIL,
    HIDDEN,
    "{{ 7 * 7 }}",
    "javascript:alert(1)",
    "]]>--><svg onload=alert(1)>",
    "$\\frac{",
]


def words(html: str) -> str:
    """What a reader sees, roughly: the text between the tags."""
    body = html.split("<body>")[1]
    return re.sub(
        r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"<title[^>]*>.*?</title>", "", body))
    )


def empty_day(**changes: Any) -> DayFacts:
    none = {
        "drift": table(REPORT_COLUMNS, []), "performance": table(PERFORMANCE_COLUMNS, []),
        "sla": table(SLA_COLUMNS, []), "findings": table(FINDINGS_COLUMNS, []),
        "recent_days": table(REPORT_COLUMNS, []), "recent_performance": table(PERFORMANCE_COLUMNS, []),
        "next_steps": (), "links": Links(),
    }  # fmt: skip
    return day_facts(**none | changes)


def empty_incident() -> IncidentFacts:
    none = empty_day()
    return incident_facts(
        days=[none.partition_key], drift=none.drift, performance=none.performance, sla=none.sla,
        findings=none.findings, deeds=(), next_steps=(), pages={},
    )  # fmt: skip


def test_the_day_is_understood_from_its_first_screen() -> None:
    text = words(day_html(day_facts())).split("Columns that moved")[0]
    for part in (
        "temp, carrier and the score have moved since about 2013-02-13",
        "material drift",
        "mean 0.41 sd lower, 9.8 to 5.1",
        "category WN from 3.8% to 11%",
        "2013-02-15: carrier and the score",
        "less than 1 in a billion",
        "About 388 EUR lost on 902 answers (190 to 586)",
        "Log loss 0.541 (0.507 to 0.575), worse than the expected 0.489; on 76% of the labels; estimated 0.536",
        "Log loss 0.522 against 0.51, 4 checks in a row",
        "origin = EWR and temp under 2.1: loss 0.12 higher (0.06 to 0.18)",
        "column temp is now DOUBLE, same day",
        "covariate shift +0.024",
        "Trains version 8 now",
    ):
        assert part in text, part


def test_the_columns_come_in_the_order_of_what_matters() -> None:
    drift = examples.drift_rows(examples.DAY)
    drift.loc[drift["column_name"] == "wind_speed", ["status", "evidence"]] = ["broken", np.nan]
    html = day_html(day_facts(drift=drift))
    names = re.findall(r'<td class="who"><b>([^<]*)</b>', html)
    assert names[:4] == ["wind_speed", "temp", "carrier", "score"]
    assert "wind_speed is broken, temp, carrier and the score have moved since" in html


def test_every_number_of_a_row_is_on_the_page() -> None:
    drift = examples.drift_rows(examples.DAY)
    numbers = {
        "evidence": 3.71, "evidence_changed": 4.82, "size_sd": 0.517, "margin": 0.123, "impact": 0.0345,
        "weight": 2.5, "psi": 0.234, "ks": 0.345, "js": 0.456, "hellinger": 0.567, "wasserstein": 0.678,
        "g": 78.9, "chi2": 89.1, "null_share": 0.111, "null_share_ref": 0.222, "unseen_share": 0.333,
        "out_of_range_share": 0.444, "rows": 4321, "rows_ref": 54321,
    }  # fmt: skip
    for name, value in numbers.items():
        drift.loc[drift["column_name"] == "dewp", name] = value
    text = words(day_html(day_facts(drift=drift))).split("All numbers of the verdict")[1]
    for name, value in numbers.items():
        shown = f"{value:.1%}" if "share" in name else f"{value:,}"
        assert f" {shown} " in text, name


def test_realised_stands_beside_estimated_with_its_maturity() -> None:
    text = words(day_html(day_facts()))
    assert "0.541 0.507 to 0.575 on 76% of labels; 0.531 to 0.552 expected at maturity" in text
    assert "0.536 0.516 to 0.556" in text
    assert "12 labels, 30 needed" in text


def test_a_quiet_day_says_so() -> None:
    text = words(day_html(quiet_facts()))
    assert "Nothing material has changed" in text
    assert "Nothing is planned." in text
    assert "have moved" not in text


def test_a_broken_promise_alone_is_the_headline() -> None:
    quiet = quiet_facts(sla=table(SLA_COLUMNS, [examples.promise(examples.DAY)]))
    assert "<h1>Log loss has missed its target 4 times</h1>" in day_html(quiet)


def test_a_worse_metric_without_drift_is_not_called_quiet() -> None:
    html = day_html(quiet_facts(performance=examples.performance_rows(examples.DAY)))
    assert "<h1>No column has moved, but log loss is worse than expected</h1>" in html


def test_a_slice_that_moved_alone_is_named() -> None:
    drift = examples.drift_rows(examples.DAY, slices=True)
    drift.loc[(drift["segment"] == "") & (drift["role"] != "day"), "status"] = "stable"
    html = day_html(day_facts(drift=drift))
    assert (
        "temp where origin EWR and temp where origin JFK have moved since about 2013-02-13" in html
    )


def test_too_few_rows_claim_nothing() -> None:
    rows = examples.drift_rows("2013-02-10").iloc[:1].assign(
        status="insufficient", reason="40 rows, 60 more needed"
    )  # fmt: skip
    html = day_html(quiet_facts(drift=rows))
    assert "<h1>Too little data to judge</h1>" in html
    assert "40 rows, 60 more needed" in html


def test_the_incident_tells_its_whole_story() -> None:
    text = words(incident_html(incident_facts()))
    for part in (
        "temp, carrier and score moved, and log loss missed its target",
        "2013-02-13 to 2013-02-20 · 8 days",
        "8 days, still going on",
        "1 to 12 February against 13 to 20 February",
        "+0.024 0.013 to 0.034",
        "The order is part of the answer",
        "log loss 0.528 against 0.526 of version 7: not better",
        "3,880 are missing",
        "carrier ZW is new",
    ):
        assert part in text, part


def test_the_incident_links_each_of_its_days() -> None:
    links = [a["href"] for a in Elements(incident_html(incident_facts())).all("a")]
    for key in examples.DAYS[12:]:
        assert f"../days/{key}.html" in links


@pytest.mark.parametrize("page", [day_html, incident_html])
def test_pages_are_whole_and_need_nothing_from_outside(page: Callable[[Any], str]) -> None:
    html = page(day_facts() if page is day_html else incident_facts())
    elements = Elements(html)
    assert elements.open == []
    assert elements.all("script") == []
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", html)
    policy = next(
        a["content"] for a in elements.all("meta") if "content" in a and "http-equiv" in a
    )
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    ids = [a["id"] for _, a in elements.found if "id" in a]
    assert len(ids) == len(set(ids))
    for chart in elements.all("svg"):
        assert chart.get("aria-label") or set((chart["aria-labelledby"] or "").split()) <= set(ids)
    assert not re.search(r"\b(nan|None|NaT|inf)\b", words(html))
    assert len(html.encode()) < 200_000


def poisoned(frame: pd.DataFrame, value: str, keep: tuple[str, ...]) -> pd.DataFrame:
    texts = [n for n in frame if frame[n].dtype == object and n not in keep]
    return frame.assign(**dict.fromkeys(texts, value))


def poisoned_drift(value: str) -> pd.DataFrame:
    """Names and words are the value; the rows stay readable as rows."""
    keep = ("partition_key", "against", "role", "segment", "status")
    drift = poisoned(examples.drift_rows(examples.DAY, slices=True), value, keep)
    drift["segment"] = np.where(drift["segment"] != "", value, "")
    drift["segment_value"] = np.where(drift["segment"] != "", value, "")
    return drift.assign(unseen=json.dumps([[value, 3], [None, 1]]))


def hostile_day(value: str) -> DayFacts:
    kept = ("period", "segment", "model_version", "metric", "kind", "as_of")
    performance = poisoned(examples.performance_rows(examples.DAY), value, kept)
    performance["segment"] = np.where(performance["segment"] != "", value, "")
    performance["model_version"] = np.where(performance["model_version"] != "", value, "")
    findings = poisoned(table(FINDINGS_COLUMNS, examples.findings(examples.DAY)), value, ("kind",))
    return day_facts(
        title=value, reference=value, next_steps=[value], drift=poisoned_drift(value), findings=findings,
        performance=performance, links=Links(value, value, value, value),
    )  # fmt: skip


def hostile_incident(value: str) -> IncidentFacts:
    day = hostile_day(value)
    return incident_facts(
        title=value, reference=value, next_steps=[value], drift=day.drift, findings=day.findings,
        performance=day.performance, compared=value, assumptions=[value], days=[examples.DAY],
        deeds=[Deed(value, value, value, value)], pages={examples.DAY: value},
    )  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("kind", ["day", "incident"])
def test_hostile_values_stay_text(value: str, kind: str) -> None:
    made, tame = (
        (day_html(hostile_day(value)), day_html(hostile_day("tame")))
        if kind == "day"
        else (incident_html(hostile_incident(value)), incident_html(hostile_incident("tame")))
    )
    elements = Elements(made)
    assert elements.open == []
    assert {t for t, _ in elements.found} <= {t for t, _ in Elements(tame).found}
    assert not [a for _, a in elements.found if any(n.startswith("on") for n in a)]
    hrefs = [a["href"] or "" for a in elements.all("a")]
    assert not [h for h in hrefs if ":" in h]
    assert not set(HIDDEN) & set(made) & set("\u202e\u2066\u0000\u001b\u2028")


def test_links_lead_only_to_pages_of_this_site() -> None:
    html = day_html(
        day_facts(links=Links("javascript:alert(1)", "//evil.org/x", "data:text/html,x", "a.html"))
    )
    assert [a["href"] for a in Elements(html).all("a")] == ["a.html"]


def test_nothing_known_is_a_page_still(tmp_path: Path) -> None:
    day_page(empty_day(), tmp_path / "days" / "day.html")
    incident_page(empty_incident(), tmp_path / "incident.html")
    assert "Too little data to judge" in (tmp_path / "days" / "day.html").read_text("utf-8")
    assert Elements((tmp_path / "incident.html").read_text("utf-8")).open == []


def test_values_not_known_are_dashes_not_numbers() -> None:
    facts = day_facts()
    numbers = [n for n in facts.drift if facts.drift[n].dtype == float]
    drift = facts.drift.assign(**dict.fromkeys(numbers, np.nan))
    performance = facts.performance.assign(
        **dict.fromkeys(("value", "low", "high", "expected", "maturity"), np.nan)
    )
    for made in (
        day_html(day_facts(drift=drift, performance=performance)),
        incident_html(incident_facts(drift=drift, performance=performance, days=[examples.DAY])),
    ):
        assert not re.search(r"\b(nan|None|NaT|inf)\b", words(made))


def test_keys_that_are_hours_or_no_dates_are_drawn_or_left_out() -> None:
    hours = [f"2013-02-20T{h:02d}" for h in range(5)]
    recent = pd.concat(
        [examples.drift_rows(examples.DAY).iloc[:1].assign(partition_key=k) for k in hours]
    )
    html = day_html(day_facts(recent_days=recent, partition_key=hours[-1]))
    assert html.count('class="verdict drift"') == 2 * len(hours)
    odd = day_facts(partition_key="soon", recent_days=recent.assign(partition_key="soon"),
                    recent_performance=table(PERFORMANCE_COLUMNS, []))  # fmt: skip
    assert Elements(day_html(odd)).open == []


def test_a_hundred_columns_and_many_slices_stay_one_page() -> None:
    one = examples.drift_rows(examples.DAY, slices=True)
    many = pd.concat([one.assign(column_name=[f"{n}_{i}" if n != "*" else n for n in one["column_name"]])
                      for i in range(6)])  # fmt: skip
    html = day_html(
        day_facts(drift=many.drop_duplicates(["column_name", "segment_value", "against"]))
    )
    assert Elements(html).open == []
    assert len(html.encode()) < 500_000


def test_a_day_page_is_quick() -> None:
    facts = day_facts()
    day_html(facts)
    spent = []
    for _ in range(7):
        began = time.process_time()
        day_html(facts)
        spent.append(time.process_time() - began)
    assert min(spent) < 0.015 * 3  # three times the budget: the machine is shared


def test_the_same_facts_give_the_same_page() -> None:
    assert day_html(day_facts()) == day_html(day_facts())
    assert incident_html(incident_facts()) == incident_html(incident_facts())
