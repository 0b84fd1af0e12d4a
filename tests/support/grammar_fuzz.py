"""Millions of usage and cost events with values at the edges of the grammar, quickly: no two runs of a seed differ.

Hypothesis (`odd_events.py`) finds the smallest failing case; this finds the rare one.
"""

import json
import random
from collections.abc import Callable

_NUMBERS = (
    "0", "1", "10", "0.5", "1e3", "1E+3", "1e-9", "1e-10", "0.000000001", "0.0000000001", "1e15", "1000000000000000",
    "1000000000000001", "1e16", "0e9999", "0e-9999", "0e15", "0e16", "1e999999999", "-0", "-0.0", "-1", "-1e-9", "00",
    "01", ".5", "5.", "+1", "NaN", "Infinity", "-Infinity", "0x10", "1_000", "true", "null", '""', '"1"', '"1.5"',
    '"1e3"', '"0e9999"', '" 1"', '"1 "', '"-1"', '"NaN"', '"inf"', '"1,5"', '"\uff11"', "9" * 40, "9" * 400,
    "0." + "0" * 8 + "1", "0." + "0" * 12 + "1", "1" + "0" * 29, "[1]", "{}", "1.0000000000000000000000000",
)  # fmt: skip
_TIMES = (
    "2026-11-24T11:00:00Z", "2026-11-24T11:00:00.1Z", "2026-11-24T11:00:00.123456Z", "2026-11-24T11:00:00.1234567Z",
    "2026-11-24T11:00:00.123456789Z", "2026-11-24T11:00:00.1234567891Z", "2026-11-24T11:00:00+05:00",
    "2026-11-24T11:00:00+05:00Z", "2026-11-24T11:00:00-23:59", "2026-11-24T11:00:00+24:00", "2026-11-24t11:00:00z",
    "2026-11-24 11:00:00Z", "2026-11-24T11:00:00", "2026-11-24", "2026-02-29T11:00:00Z", "2024-02-29T11:00:00Z",
    "2026-11-24T24:00:00Z", "2026-11-24T23:59:60Z", "2026-11-24T11:60:00Z", "1999-12-31T23:59:59Z",
    "1999-12-31T23:59:59-01:00", "2000-01-01T00:00:00Z", "2000-01-01T00:00:00+01:00", "2099-12-31T23:59:59Z",
    "2100-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00", "1700000000", "",
    "2026-11-24T11:00Z", "2026-W48-2T11:00:00Z", "20261124T110000Z", "2026-11-24T11:00:00,5Z",
    "\uff12026-11-24T11:00:00Z",
)  # fmt: skip
_TEXTS = (
    "a", "", " ", "\u0000", "a\u0000b", "\u202e", "\ud83d\ude00", "x" * 256, "x" * 257, "x" * 5000, "\\", '"', "'",
    "\n", "\t", "NULL", "\\N", "é", "e\u0301", "\ufeff", "\uffff", "../..", "{t:String}", "=1+1", "0", "a\u2028b",
    "\u007f",
)  # fmt: skip
_RAW_TEXTS = (r'"\ud800"', r'"\u0000"', r'"\x00"', '"\x01"', '"a', "1", "null", "true", "[]", "{}", r'"\/"')
_METERS = (
    "input_tokens",
    "output_tokens",
    "gb",
    "seconds",
    "A",
    "a" * 64,
    "a" * 65,
    "",
    "a-b",
    "é",
    "__proto__",
)


class Fuzz:
    """Writes events of a seed. Most fields are right, so that each edge is reached alone and together."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)  # noqa: S311 (the same events each time)
        self._number = 0

    def usage_event(self) -> bytes:
        """Write a line for `usage.events`."""
        fields: dict[str, str | Callable[[], str]] = {
            "id": json.dumps(self._next()), "source": '"fuzz"', "time": self._time, "tenant": '"acme"',
            "kind": '"storage"', "sku": '"box"', "provider": '"acme"', "usage": self._meters, "user": self._text,
            "tags": self._labels, "attributes": self._labels, "reported_cost": self._number_or("1"),
        }  # fmt: skip
        return self._line(fields, ("id", "source", "time", "tenant", "kind", "sku", "usage"))

    def cost_event(self) -> bytes:
        """Write a line for `cost.events`, as no pricer would."""
        amount = self._number_or('"1.25"')
        fields: dict[str, str | Callable[[], str]] = {
            "id": json.dumps(self._next()), "source": '"fuzz"', "time": self._time, "tenant": '"acme"',
            "kind": '"storage"', "sku": '"box"', "provider": '"acme"', "usage": self._meters, "activity": '"storage"',
            "revision": self._number_or("1"), "fingerprint": self._number_or("7"), "cost": amount, "charged": amount,
            "list_cost": amount, "price_status": '"priced"', "price_ref": self._text, "tags": self._labels,
            "cost_parts": self._meters, "accepted_ms": self._number_or("0"), "accepted_seq": self._number_or("0"),
            "reported_cost": amount, "user": self._text,
        }  # fmt: skip
        return self._line(
            fields,
            ("id", "source", "time", "tenant", "kind", "sku", "usage", "activity", "revision", "fingerprint", "cost",
             "price_status", "price_ref"),
        )  # fmt: skip

    def _next(self) -> str:
        self._number += 1
        return f"{self._number}"

    def _odd(self, chance: float = 0.05) -> bool:
        return self._draw.random() < chance

    def _line(self, fields: dict[str, str | Callable[[], str]], required: tuple[str, ...]) -> bytes:
        draw, parts = self._draw, []
        for name, value in fields.items():
            if name not in required and draw.random() < 0.7:
                continue
            if self._odd(0.01):
                continue
            text = value if isinstance(value, str) else value()
            if self._odd(0.01):
                text = draw.choice((*_RAW_TEXTS, *_NUMBERS, self._text(always=True), self._deep()))
            parts.append(f'"{name}":{text}')
            if self._odd(0.003):
                parts.append(parts[-1])
        if self._odd(0.01):
            parts.append(f'"{draw.choice(("more", "Time", "id ", "cost"))}":{draw.choice(_NUMBERS)}')
        if self._odd():
            draw.shuffle(parts)
        line = ("{" + ",".join(parts) + "}").encode("utf-8", "surrogatepass").replace(b"\n", b" ")
        return self._damage(line) if self._odd(0.01) else line

    def _damage(self, line: bytes) -> bytes:
        at = self._draw.randrange(1, len(line))
        damaged = (line[:at], line[:at] + b"\xff" + line[at:], line + b"}", b" " + line + b"\t", line + line)
        return self._draw.choice(damaged)

    def _deep(self) -> str:
        return self._draw.choice(("[", '{"a":')) * self._draw.choice((2, 100, 2000, 100_000))

    def _time(self) -> str:
        if not self._odd(0.1):
            return f'"2026-11-24T{self._draw.randrange(12):02}:{self._draw.randrange(60):02}:00Z"'
        return json.dumps(self._draw.choice(_TIMES), ensure_ascii=False)

    def _text(self, always: bool = False) -> str:
        if not always and not self._odd(0.3):
            return '"u-1"'
        return json.dumps(self._draw.choice(_TEXTS), ensure_ascii=self._odd(0.5))

    def _number_or(self, usual: str) -> Callable[[], str]:
        return lambda: self._draw.choice(_NUMBERS) if self._odd(0.1) else usual

    def _meters(self) -> str:
        draw = self._draw
        names = [draw.choice(_METERS) if self._odd(0.05) else "input_tokens"]
        names += ["gb"] if self._odd(0.2) else []
        return (
            "{"
            + ",".join(f'"{name}":{self._number_or(str(draw.randrange(10**6)))()}' for name in names)
            + "}"
        )

    def _labels(self) -> str:
        count = self._draw.choice((0, 1, 2, 40)) if self._odd(0.2) else 1
        return "{" + ",".join(f"{self._text()}:{self._text()}" for _ in range(count)) + "}"
