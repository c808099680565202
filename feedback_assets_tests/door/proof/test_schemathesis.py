"""Schemathesis against the document that the service gives of itself."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from feedback_assets_tests.door.proof.live import living

ST = Path(sys.executable).with_name("st")
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "unsupported_method", "ignored_auth",
)  # fmt: skip

pytestmark = pytest.mark.skipif(
    not ST.exists() and not shutil.which("st"), reason="install schemathesis (extra dev)"
)


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with living(tmp_path_factory.mktemp("schemathesis")) as opened:
        yield opened


def test_every_operation_keeps_its_word_short(door, tmp_path, record_property):
    _run(
        door,
        tmp_path,
        examples=8,
        phases="examples,fuzzing",
        cases=60,
        record_property=record_property,
    )


@pytest.mark.chaos
def test_every_operation_keeps_its_word_long(door, tmp_path, record_property):
    _run(
        door,
        tmp_path,
        examples=200,
        phases="examples,coverage,fuzzing,stateful",
        cases=2_000,
        record_property=record_property,
    )


def _run(door, folder, examples, phases, cases, record_property):
    with door.http(None) as client:
        document = client.get("/openapi.json").json()
    command = [
        str(ST), "run", f"{door.base}/openapi.json", "--checks", ",".join(CHECKS), "--max-examples", str(examples),
        "-H", f"Authorization: Bearer {door.token}", "--phases", phases, "--continue-on-failure", "--seed", "11",
        "--no-color", "--report", "json", "--report-json-path", str(folder / "report.json"),
    ]  # fmt: skip
    ran = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, timeout=1_500, check=False
    )
    assert ran.returncode == 0, ran.stdout[-8_000:] + ran.stderr[-2_000:]
    report = json.loads((folder / "report.json").read_text())
    operations = sum(len(path) for path in document["paths"].values())
    assert report["operations"]["tested"] == operations >= 15
    assert report["test_cases"]["generated"] >= cases
    assert report["test_cases"]["errored"] == report["test_cases"]["with_failures"] == 0
    record_property(
        "figures", f"schemathesis: cases {report['test_cases']['generated']:,}, failures 0"
    )
