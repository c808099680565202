"""Breaks valid requests in the ways that clients, proxies and attackers do.

Every draw comes from one seed, so a failure is found again by its number.
"""

import copy
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from feedback_assets_tests.door.proof.shapes import JSON, Ask
from feedback_assets_tests.door.proof.writing import Doubles, Raw, places, written

HUGE = "x" * 20_000
NAMES = (
    "__proto__",
    "constructor",
    "toString",
    "__class__",
    "$where",
    "rows",
    "events",
    "",
    " ",
    "\u0131d",
)
SPELLS = (
    "'; DROP TABLE inbox; --", '" OR 1=1 --', "../../etc/passwd", "..\\..\\boot.ini", "%2e%2e%2f",
    "${jndi:ldap://x}", "{{7*7}}", "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "\r\nx: y",
)  # fmt: skip
NUMBERS = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"-0", b"-0.0", b"1e308", b"5e-324", b"0x10",
    b"1.", b".5", b"01", b"+1", b"1_000", b"9" * 30, b"9" * 400, b"9" * 5_000, b"-9223372036854775809",
    b"18446744073709551616", b"4294967296", b"1e-400", b"123456789012345678901234567890.5",
)  # fmt: skip
STRINGS = (
    b'"\\ud800"', b'"\\udc00x"', b'"\\u0000"', b'"a\\u0000b"', b'"\\u202e"', b'"\xff\xfe"', b'"\xc0\xaf"',
    b'"\xed\xa0\x80"', b'"\x01"', b'"\n"', b'"\\x41"', b"'single'", b'"unfinished', b'"\\ud83d\\ude00"',
)  # fmt: skip


@dataclass(frozen=True)
class Hostile:
    """A broken (or by luck still valid) request."""

    ask: Ask
    body: bytes
    how: str
    target: str
    headers: dict[str, str | bytes]
    mark: str = ""
    """A secret that stands in the body's values, if it does; no answer may hold it."""
    plain: bool = True
    """Only the body was changed, so the body alone tells whether it is valid."""


class Mutations:
    """Draws hostile requests from valid ones."""

    def __init__(self, draw: Callable[[], Ask], seed: int) -> None:
        self._ask = draw
        self._draw = random.Random(seed)
        self._trees = [
            self._swap_type, self._odd_number, self._odd_string, self._null, self._drop, self._extra,
            self._double, self._nest, self._spell, self._huge, self._bool, self._wrap, self._secret, self._time, self._quoted,
        ]  # fmt: skip
        self._bytes = [
            self._truncate, self._flip, self._bom, self._invalid_utf8, self._empty, self._trail,
            self._utf16, self._deep, self._scalar,
        ]  # fmt: skip
        self._wire = [self._content_type, self._path, self._header]

    def next(self) -> Hostile:
        """Draw one."""
        ask = self._ask()
        kind = self._draw.random()
        if kind < 0.72:
            tree = copy.deepcopy(ask.tree)
            how, tree, mark = self._draw.choice(self._trees)(tree)
            return Hostile(ask, written(tree), how, ask.target, dict(ask.headers), mark)
        if kind < 0.92:
            how, body = self._draw.choice(self._bytes)(ask.body)
            return Hostile(ask, body, how, ask.target, dict(ask.headers))
        how, target, headers = self._draw.choice(self._wire)(ask)
        return Hostile(ask, ask.body, how, target, headers, plain=False)

    def _place(self, tree: Any, leaves_only: bool = False) -> tuple[Any, Any]:
        """Return a container and a key in it."""
        found = [
            (box, key)
            for box, key in places(tree)
            if not (leaves_only and isinstance(box[key], dict | list))
        ]
        return self._draw.choice(found)

    def _put(self, tree: Any, value: Any, how: str, mark: str = "") -> tuple[str, Any, str]:
        box, key = self._place(tree, leaves_only=True)
        box[key] = value
        return f"{how} at {key}", tree, mark

    def _swap_type(self, tree: Any) -> tuple[str, Any, str]:
        value = self._draw.choice(
            ["12", 12, 1.5, [], {}, [1], {"a": 1}, True, "true", "", [[]], -1]
        )
        box, key = self._place(tree)
        box[key] = value
        return f"type swapped at {key}", tree, ""

    def _odd_number(self, tree: Any) -> tuple[str, Any, str]:
        return self._put(tree, Raw(self._draw.choice(NUMBERS).decode("latin-1")), "odd number")

    def _odd_string(self, tree: Any) -> tuple[str, Any, str]:
        return self._put(tree, Raw(self._draw.choice(STRINGS).decode("latin-1")), "odd string")

    def _quoted(self, tree: Any) -> tuple[str, Any, str]:
        numbers = [(b, k) for b, k in places(tree) if isinstance(b[k], int | float)]
        if not numbers:
            return "unchanged", tree, ""
        box, key = self._draw.choice(numbers)
        box[key] = str(box[key])
        return f"number quoted at {key}", tree, ""

    def _null(self, tree: Any) -> tuple[str, Any, str]:
        box, key = self._place(tree)
        box[key] = None
        return f"null at {key}", tree, ""

    def _bool(self, tree: Any) -> tuple[str, Any, str]:
        return self._put(tree, self._draw.choice([True, False]), "boolean")

    def _drop(self, tree: Any) -> tuple[str, Any, str]:
        box, key = self._place(tree)
        del box[key]
        return f"missing {key}", tree, ""

    def _extra(self, tree: Any) -> tuple[str, Any, str]:
        mark = f"mark{uuid.UUID(int=self._draw.getrandbits(128)).hex}"
        boxes = [box[key] for box, key in places([tree]) if isinstance(box[key], dict)]
        if not boxes:
            return "unchanged", tree, ""
        name = self._draw.choice([*NAMES, *SPELLS, "extra", "n" * 5_000, "a\x00b"])
        self._draw.choice(boxes)[name] = mark
        return f"extra {name[:20]!r}", tree, mark

    def _double(self, tree: Any) -> tuple[str, Any, str]:
        holder = [tree]
        objects = [(b, k) for b, k in places(holder) if isinstance(b[k], dict) and b[k]]
        if not objects:
            return "unchanged", tree, ""
        box, key = self._draw.choice(objects)
        pairs = list(box[key].items())
        name, value = self._draw.choice(pairs)
        pairs.insert(
            self._draw.randrange(len(pairs) + 1), (name, self._draw.choice([value, None, "x", 1]))
        )
        box[key] = Doubles(pairs)
        return f"doubled {name}", holder[0], ""

    def _nest(self, tree: Any) -> tuple[str, Any, str]:
        inner: Any = 1
        for _ in range(self._draw.choice([3, 12, 17, 40])):
            inner = self._draw.choice([[inner], {"a": inner}])
        return self._put(tree, inner, "nested")

    def _spell(self, tree: Any) -> tuple[str, Any, str]:
        mark = f"mark{self._draw.getrandbits(64):x}"
        return self._put(tree, self._draw.choice(SPELLS) + mark, "spell", mark)

    def _secret(self, tree: Any) -> tuple[str, Any, str]:
        mark = f"mark{self._draw.getrandbits(64):x}"
        return self._put(tree, mark, "secret", mark)

    def _huge(self, tree: Any) -> tuple[str, Any, str]:
        return self._put(tree, HUGE * self._draw.choice([1, 5, 60]), "huge string")

    def _time(self, tree: Any) -> tuple[str, Any, str]:
        boxes = [
            box
            for box, key in places([tree])
            if isinstance(box[key], str) and key in ("event_time", "time")
        ]
        value = self._draw.choice(
            [
                0, -1, 2**63, 2**63 - 1, -(2**63), 10**30, 1e18, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
                "2026-02-30T00:00:00Z", "2026-01-01T23:59:60Z", "2026-01-01T24:00:00Z", "2026-W01-1", "2026-01-01",
                "99999-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "now", "", "2026-01-01T00:00:00+99:99",
                "2026-01-01T00:00:00.1234567890123Z", "٢٠٢٦-01-01T00:00:00Z", "2026-01-01T00:00:00", True,
            ]
        )  # fmt: skip
        if not boxes:
            return self._put(tree, value, "odd time")
        box = self._draw.choice(boxes)
        box["event_time" if "event_time" in box else "time"] = value
        return f"odd time {value!r}", tree, ""

    def _wrap(self, tree: Any) -> tuple[str, Any, str]:
        made = self._draw.choice(
            [[tree], {"rows": tree}, {"rows": [tree]}, {"events": tree}, {"data": tree}]
        )
        return "wrapped", made, ""

    def _truncate(self, body: bytes) -> tuple[str, bytes]:
        return "truncated", body[: self._draw.randrange(len(body))]

    def _flip(self, body: bytes) -> tuple[str, bytes]:
        changed = bytearray(body)
        for _ in range(self._draw.randint(1, 3)):
            changed[self._draw.randrange(len(changed))] = self._draw.randrange(256)
        return "bytes flipped", bytes(changed)

    def _bom(self, body: bytes) -> tuple[str, bytes]:
        return "byte order mark", b"\xef\xbb\xbf" + body

    def _invalid_utf8(self, body: bytes) -> tuple[str, bytes]:
        at = self._draw.choice([n for n, byte in enumerate(body) if byte == 0x22]) + 1
        wrong = self._draw.choice(
            [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\x00"]
        )
        return "invalid UTF-8", body[:at] + wrong + body[at:]

    def _empty(self, body: bytes) -> tuple[str, bytes]:
        return "empty", self._draw.choice([b"", b" ", b"\n\n", b"\x00", b"{}", b"[]", b"null"])

    def _trail(self, body: bytes) -> tuple[str, bytes]:
        return "trailing", body + self._draw.choice(
            [b"{}", b",", b"]", b"\x00", b" x", b"// c", body]
        )

    def _utf16(self, body: bytes) -> tuple[str, bytes]:
        return "other encoding", body.decode().encode(
            self._draw.choice(["utf-16", "utf-32", "cp500"])
        )

    def _deep(self, body: bytes) -> tuple[str, bytes]:
        size = self._draw.choice([17, 500, 50_000])
        opened = self._draw.choice([b"[", b'{"a":', b'{"rows":[', b'{"inputs":['])
        return "deep", opened * size + self._draw.choice([b"", b"1", b"]" * size])

    def _scalar(self, body: bytes) -> tuple[str, bytes]:
        return "scalar", self._draw.choice(
            [b"1", b'"row"', b"true", b"[1]", b"[[]]", b"[null]", b"NaN"]
        )

    def _content_type(self, ask: Ask) -> tuple[str, str, dict[str, str | bytes]]:
        kind = self._draw.choice(
            [
                "text/plain", "application/xml", "multipart/form-data; boundary=x", "", "application/json; charset=utf-16",
                "application/x-www-form-urlencoded", "application/cloudevents+json", "text/csv", "a" * 3_000,
                "application/cloudevents-batch+json", b"application/json\xff", "application/octet-stream", JSON.upper(),
            ]
        )  # fmt: skip
        return f"content type {kind[:30]!r}", ask.target, {**ask.headers, "content-type": kind}

    def _path(self, ask: Ask) -> tuple[str, str, dict[str, str | bytes]]:
        trick = self._draw.choice(
            [
                "..", "%2e%2e", "..%2fshop", "shop%00", "shop%2f", "SHOP", "shop;x=1", "%ff", "%c0%af", "a" * 3_000,
                "shop'--", "*", "%", "%zz", "shop%0d%0ax:y", "shop?x=1", "", "__proto__", "shop%20", "%F0%9F%92%A9",
            ]
        )  # fmt: skip
        target = (
            ask.target.replace("/shop", f"/{trick}")
            if "/shop" in ask.target
            else f"/{trick}{ask.target}"
        )
        return f"path {trick[:20]!r}", target, dict(ask.headers)

    def _header(self, ask: Ask) -> tuple[str, str, dict[str, str | bytes]]:
        name, value = self._draw.choice(
            [
                ("idempotency-key", b"\xff\xfe"), ("idempotency-key", ""), ("idempotency-key", "k" * 4_000),
                ("idempotency-key", "a\tb"), ("ce-id", b"\xff"), ("ce-id", "%"), ("ce-id", "%00"), ("ce-specversion", "9"),
                ("ce-time", "yesterday"), ("ce-id", ""), ("x-loop", "../shop"), ("x-loop", b"\xff"),
                ("content-encoding", "gzip"), ("accept", "image/png"), ("traceparent", "00-zz"), ("ce-source", "%FF%FE"),
            ]
        )  # fmt: skip
        return f"header {name}", ask.target, {**ask.headers, name: value}
