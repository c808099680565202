"""The audit bundle of a period: one zip that answers without this machine.

The same records give the same bytes: nothing in it says when it was made.
"""

import csv
import datetime as dt
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from feedback_assets.assets.ledger import decisions, ledger_of
from feedback_assets.assets.space import LoopSpace
from feedback_assets.audit.bias import bias_audit, bias_document
from feedback_assets.audit.card import model_card
from feedback_assets.audit.facts import folder_of
from feedback_assets.audit.render import to_html, to_markdown
from feedback_assets.audit.story import reigns
from feedback_assets.audit.why import why
from feedback_assets.audit.why_page import why_document
from feedback_assets.errors import AuditError, LedgerError
from feedback_assets.ledger.heads import SignedHead, heads_path
from feedback_assets.ledger.proof import prove, prove_growth
from feedback_assets.ledger.records import Record, exported
from feedback_assets.ledger.verify import verify

Tell = Callable[[str], None]
SCHEMA = 1
EPOCH = (1980, 1, 1, 0, 0, 0)
COLUMNS = ("time", "kind", "version", "previous_version", "actor", "cause", "rule", "reason", "decision_id")  # fmt: skip


@dataclass(frozen=True)
class Bundle:
    """What was written.

    Attributes:
        path: The zip.
        sha256: Of its bytes.
        entries: Names of its files.
        records: Records of the period.
        problems: What an auditor should know: records that are not signed, a ledger that does not
            verify.
    """

    path: Path
    sha256: str
    entries: tuple[str, ...]
    records: int
    problems: tuple[str, ...]


def write_bundle(
    space: LoopSpace, since: dt.datetime, until: dt.datetime, file: Path, tell: Tell
) -> Bundle:
    """Gather a period's records, proofs, cards, evaluations and bias audit in one zip.

    Args:
        space: The loop.
        since: First moment, aware.
        until: First moment after it, aware.
        file: Where it goes, a .zip; replaced whole.
        tell: Is told what is done now.

    Raises:
        AuditError: The period is empty, or the ending is wrong.
    """
    if file.suffix != ".zip":
        raise AuditError(f"{file}: the ending must be .zip")
    if since >= until:
        raise AuditError(f"the period ends ({until:%Y-%m-%d}) before it begins ({since:%Y-%m-%d})")
    records = [r for r in ledger_of(space).records() if since <= r.time < until]
    problems: list[str] = []
    entries = dict(records_of(space, records))
    tell("proving each record")
    entries |= proofs_of(space, records, since, problems)
    tell("verifying the ledger")
    entries |= verification(space, problems)
    entries |= versions_of(space, since, until, records, tell)
    tell("auditing bias")
    audit = bias_audit(space, since, until)
    document = bias_document(audit, space.config)
    entries |= {
        "bias/bias.json": json_text(audit),
        "bias/bias.md": to_markdown(document).encode(),
        "bias/bias.html": to_html(document).encode(),
    }
    entries["check.py"] = (files("feedback_assets.audit") / "check_bundle.py").read_bytes()
    entries["README.md"] = readme(space, since, until, len(records), problems).encode()
    entries["contents.json"] = contents(space, since, until, entries)
    content = zipped(entries)
    place(file, content)
    sha256 = hashlib.sha256(content).hexdigest()
    return Bundle(file, sha256, tuple(sorted(entries)), len(records), tuple(problems))


def records_of(space: LoopSpace, records: list[Record]) -> Iterator[tuple[str, bytes]]:
    """The period's records: as the ledger keeps them, and as a table for people."""
    ledger = ledger_of(space)
    lines = [exported(space.name, ledger.row(record.seq)) for record in records]
    yield "records/records.jsonl", b"".join(line + b"\n" for line in lines)
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(("seq", *COLUMNS))
    for record in records:
        told = {"time": record.time.isoformat(), "kind": record.kind, "actor": record.actor,
                "decision_id": record.subject, **record.body}  # fmt: skip
        writer.writerow((record.seq, *(harmless(told.get(name)) for name in COLUMNS)))
    yield "records/decisions.csv", sheet.getvalue().encode()
    approvers = space.settings.approvers
    if approvers.is_file():
        yield "records/approvers.yaml", approvers.read_bytes()


def harmless(value: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def proofs_of(
    space: LoopSpace, records: list[Record], since: dt.datetime, problems: list[str]
) -> dict[str, bytes]:
    """For each record its way to a signed root; that the ledger only grew since the period began."""
    lines, unsigned = [], []
    for record in records:
        try:
            lines.append(json.dumps(prove(space.settings, space.name, record.seq), sort_keys=True))
        except LedgerError as error:
            unsigned.append(f"record {record.seq}: {error}")
    if unsigned:
        problems.append(f"{len(unsigned)} records have no proof; {unsigned[0]}")
    found = {"proofs/proofs.jsonl": "".join(f"{line}\n" for line in lines).encode()}
    heads = heads_path(space.settings, space.name)
    if heads.is_file():
        found["proofs/heads.jsonl"] = heads.read_bytes()
        older = sum(record.time < since for record in ledger_of(space).records())
        before = [head for head in heads_in(heads) if 0 < head.size <= older]
        if before:
            grown = prove_growth(space.settings, space.name, before[-1])
            found["proofs/growth.json"] = json_text(grown)
    return found


def heads_in(path: Path) -> Iterator[SignedHead]:
    """The heads of a file that can be read; verification tells of the others."""
    for line in path.read_text("utf-8").splitlines():
        try:
            yield SignedHead.parse(line)
        except LedgerError:
            continue


def verification(space: LoopSpace, problems: list[str]) -> dict[str, bytes]:
    """What `feedback-assets audit verify` finds now."""
    found = verify(space.settings, space.name)
    problems += [f"the ledger does not verify: {p.message}" for p in found.problems]
    return {"proofs/verification.json": json_text(asdict(found))}


def versions_of(
    space: LoopSpace, since: dt.datetime, until: dt.datetime, records: list[Record], tell: Tell
) -> dict[str, bytes]:
    """A card of every version that served or was decided about, why each served, evaluations."""
    known = decisions(space)
    served = [reign.version for reign in reigns(known) if reign.overlaps(since, until)]
    told = [str(record.body["version"]) for record in records if record.body.get("version")]
    entries: dict[str, bytes] = {}
    for version in sorted({*served, *told}, key=_numeric):
        tell(f"version {version}")
        entries |= version_entries(space, version, version in served)
    return entries


def version_entries(space: LoopSpace, version: str, served: bool) -> dict[str, bytes]:
    """What the bundle holds of one version."""
    card = model_card(space, version)
    entries = {
        f"cards/version-{version}.md": to_markdown(card).encode(),
        f"cards/version-{version}.html": to_html(card).encode(),
    }
    if served:
        facts = why(space, version)
        entries[f"why/version-{version}.json"] = json_text(facts)
        entries[f"why/version-{version}.html"] = to_html(why_document(facts)).encode()
    model = folder_of(space, version)
    if model is not None:
        entries[f"versions/{version}/manifest.json"] = (model.folder / "manifest.json").read_bytes()
        for path in sorted(model.folder.glob("evaluation-against-*.json")):
            entries[f"versions/{version}/{path.name}"] = path.read_bytes()
    return entries


def readme(
    space: LoopSpace, since: dt.datetime, until: dt.datetime, records: int, problems: list[str]
) -> str:
    """What is in the bundle and how to check it."""
    last = until - dt.timedelta(microseconds=1)
    found = "".join(f"- {problem}\n" for problem in problems) or "- none\n"
    return f"""# Audit bundle of {space.name}, {since:%Y-%m-%d} to {last:%Y-%m-%d}

{records} records of the decision ledger.

| folder | holds |
| --- | --- |
| records | the period's records as the ledger keeps them, a table of them, public keys of approvers |
| proofs | each record's way to a signed Merkle root, every signed head, that the ledger only grew |
| cards | a model card of every version that served or was decided about |
| why | why each version that served did |
| versions | what each version was made from, and the evaluations that judged it |
| bias | how the answers given in the period treat protected groups |

## To be known
{found}
## To check
- `python check.py FINGERPRINT` (`pip install cryptography rfc8785`) checks every digest of
  `contents.json`, and each record's way to a root that the ledger's key has signed. The fingerprint
  is that of the ledger's key as you know it from elsewhere.
- `proofs/heads.jsonl` has every signed head: compare it with a copy that the writer of this bundle
  could not change.
"""


def contents(
    space: LoopSpace, since: dt.datetime, until: dt.datetime, entries: dict[str, bytes]
) -> bytes:
    """The list of the bundle's files with their digests."""
    digests = {name: hashlib.sha256(entries[name]).hexdigest() for name in sorted(entries)}
    return json_text(
        {
            "schema": SCHEMA, "loop": space.name, "from": since.isoformat(),
            "until": until.isoformat(), "files": digests,
        }
    )  # fmt: skip


def zipped(entries: dict[str, bytes]) -> bytes:
    """The zip's bytes; the same entries give the same bytes."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(info, entries[name])
    return held.getvalue()


def place(file: Path, content: bytes) -> None:
    """Put the zip where it goes, whole or not at all.

    Raises:
        AuditError: It cannot be written.
    """
    hidden = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        hidden.write_bytes(content)
        hidden.replace(file)
    except OSError as error:
        raise AuditError(f"{file} cannot be written: {error}") from error
    finally:
        hidden.unlink(missing_ok=True)


def json_text(value: Any) -> bytes:
    """JSON for people and programs."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def _numeric(version: str) -> tuple[int, str]:
    return (int(version) if version.isdigit() else 0, version)
