"""Check an audit bundle where it was unpacked: `python check.py [FINGERPRINT]`.

This file travels in the bundle and needs nothing of the project: Python, and
`pip install cryptography rfc8785`. It computes every file's digest again, and for each record its
hash, its way to the root (RFC 6962), and the signature of that root. Give the fingerprint of the
ledger's key as you know it from elsewhere; without it, compare the one that is printed.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PURPOSE = "feedback_assets ledger head"


def check(folder: Path, trusted: str | None) -> tuple[list[str], str]:
    """What is wrong with a bundle, in words, and how much of it was checked."""
    contents = json.loads((folder / "contents.json").read_text("utf-8"))
    wrong = [
        f"{name}: {'is not the file that was put in' if (folder / name).is_file() else 'is missing'}"
        for name, digest in contents["files"].items()
        if not (folder / name).is_file() or sha256((folder / name).read_bytes()) != digest
    ]
    records = lines(folder / "records" / "records.jsonl")
    proofs = {int(p["record"]["seq"]): p for p in lines(folder / "proofs" / "proofs.jsonl")}
    keys = set()
    for record in records:
        seq = int(record["seq"])
        if seq not in proofs:
            wrong.append(f"record {seq}: has no proof")
            continue
        wrong += [f"record {seq}: {fault}" for fault in faults(record, proofs[seq])]
        keys.add(sha256(base64.b64decode(proofs[seq]["head"]["key"])))
    if trusted and keys - {trusted}:
        wrong.append(f"signed with another key than {trusted}")
    told = f"{len(contents['files'])} files, {len(records)} records"
    return wrong, f"{told}, signed with {', '.join(sorted(keys)) or 'no key'}"


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file, one on a line; numbers in JSON are doubles."""
    text = path.read_text("utf-8") if path.is_file() else ""
    return [json.loads(line, parse_int=float) for line in text.splitlines()]


def faults(record: dict[str, Any], proof: dict[str, Any]) -> list[str]:
    """What is wrong with a record and its proof."""
    head, plain = dict(proof["head"]), {k: v for k, v in record.items() if k != "hash"}
    found = []
    if record != proof["record"]:
        found.append("the proof is of another record")
    if sha256(rfc8785.dumps(plain)) != record["hash"]:
        found.append("it was changed")
    if not signed(head):
        found.append("the head is not signed by the key that it names")
    if head["loop"] != record["loop"] or not leads(record, proof):
        found.append("it does not lead to the signed root")
    return found


def signed(head: dict[str, Any]) -> bool:
    """Whether the key that a head names has signed it."""
    content = rfc8785.dumps({k: v for k, v in head.items() if k != "signature"})
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(head["key"]))
    try:
        key.verify(base64.b64decode(head["signature"]), content)
    except InvalidSignature:
        return False
    return bool(head["purpose"] == PURPOSE)


def leads(record: dict[str, Any], proof: dict[str, Any]) -> bool:
    """Whether the path leads from the record's leaf to the head's root (RFC 9162, 2.1.3.2)."""
    node = hashlib.sha256(b"\x00" + bytes.fromhex(record["hash"])).digest()
    place, last = int(record["seq"]) - 1, int(proof["head"]["size"]) - 1
    for step in map(bytes.fromhex, proof["path"]):
        if place % 2 or place == last:
            node = hashlib.sha256(b"\x01" + step + node).digest()
            while place and place % 2 == 0:
                place, last = place // 2, last // 2
        else:
            node = hashlib.sha256(b"\x01" + node + step).digest()
        place, last = place // 2, last // 2
    return last == 0 and node.hex() == proof["head"]["root"]


def sha256(content: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def main() -> int:
    """Check the bundle that this file lies in."""
    trusted = sys.argv[1] if len(sys.argv) > 1 else None
    wrong, told = check(Path(__file__).parent, trusted)
    sys.stdout.write("".join(f"{fault}\n" for fault in wrong) + told + "\n")
    sys.stdout.write("something is wrong\n" if wrong else "nothing is wrong\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
