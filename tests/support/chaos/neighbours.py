"""A tenant that does its worst through ingest, and how fresh the figures of a good neighbour are meanwhile."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import httpx
from tests.support.chaos.rig import Pipeline
from tests.support.waiting import until

from outlay_kit.clock import SystemClock
from outlay_schemas.events import UsageEvent, encoder

HOSTILE = "hostile"
_NONCE = "NONCE"
_CONNECTIONS = 4

Line = Callable[[int, datetime], dict[str, object]]


def _event(n: int, time: datetime, **more: object) -> dict[str, object]:
    usage = {"input_tokens": 10, "output_tokens": 5}
    return {
        "id": f"{_NONCE}-{n}", "source": HOSTILE, "time": time.isoformat(), "kind": "llm",
        "provider": "openai", "sku": "gpt-5", "usage": usage, "team": "growth", **more,
    }  # fmt: skip


def _many(n: int, now: datetime) -> dict[str, object]:
    return _event(n, now)


def _huge(n: int, now: datetime) -> dict[str, object]:
    return _event(n, now, tags={f"tag-{k}": f"{n}" * 60 for k in range(60)})


def _slow_to_price(n: int, now: datetime) -> dict[str, object]:
    return _event(n, now, sku=f"ft:gpt-5-{_NONCE}-{n}", usage={f"meter_{n}_{k}": 1 for k in range(60)})


def _high_cardinality(n: int, now: datetime) -> dict[str, object]:
    return _event(n, now, project=f"p-{_NONCE}-{n}", user=f"u-{_NONCE}-{n}")


def _future(n: int, now: datetime) -> dict[str, object]:
    return _event(n, now + timedelta(minutes=n % 1400))


def _old(n: int, now: datetime) -> dict[str, object]:
    return _event(n, now - timedelta(minutes=130 + n * 37 % 100_000))


def _conflicting(n: int, now: datetime) -> dict[str, object]:
    return _event(n, now - timedelta(seconds=n % 3600), id=f"same-{n}", project=_NONCE)


def _malformed(n: int, now: datetime) -> dict[str, object]:
    return _event(n, now, usage={"input_tokens": "many"})


KINDS: dict[str, tuple[Line, int]] = {
    "many": (_many, 5000),
    "many requests": (_many, 1),
    "huge": (_huge, 1000),
    "slow to price": (_slow_to_price, 2000),
    "high cardinality": (_high_cardinality, 5000),
    "future": (_future, 5000),
    "old": (_old, 5000),
    "conflicting": (_conflicting, 5000),
    "malformed": (_malformed, 1000),
}
"""How each hostile tenant makes its events, and how many it puts in a request."""


class Hostile:
    """Sends as fast as it is let, over several connections, and comes back at once when it is turned away."""

    def __init__(self, pipeline: Pipeline, kind: str) -> None:
        line, count = KINDS[kind]
        now = SystemClock().now()
        self._body = b"\n".join(json.dumps(line(n, now)).encode() for n in range(count))
        self._url = pipeline.ingest.url
        self._key = pipeline.ingest.keys.create(HOSTILE, ("ingest",), now)
        self._count, self._over, self._numbers = count, threading.Event(), itertools.count()
        self.accepted = self.turned_away = 0

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Send until the block ends."""
        threads = [threading.Thread(target=self._send, daemon=True) for _ in range(_CONNECTIONS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop()
            for thread in threads:
                thread.join()

    def stop(self) -> None:
        """Send no further request."""
        self._over.set()

    def _send(self) -> None:
        headers = {"X-API-Key": self._key, "Content-Type": "application/x-ndjson"}
        with httpx.Client(headers=headers, timeout=60) as client:
            while not self._over.is_set():
                nonce = f"{next(self._numbers):x}-{time.monotonic_ns():x}".encode()
                try:
                    answer = client.post(self._url, content=self._body.replace(_NONCE.encode(), nonce))
                except httpx.TransportError:
                    self.turned_away += 1
                    continue
                if answer.status_code in {429, 503}:
                    self.turned_away += 1
                    time.sleep(0.05)
                else:
                    self.accepted += self._count


class Neighbour:
    """A good tenant that sends an event every quarter of a second."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.sent: list[UsageEvent] = []
        self._client = httpx.Client(headers={"X-API-Key": pipeline.ingest.key}, timeout=60)

    def freshness(
        self, count: int, seconds: float = 120, sent_all: Callable[[], object] = lambda: None
    ) -> list[float]:
        """Return the seconds from sending to the rollup, sorted, of `count` events; call `sent_all` in between."""
        sent: dict[str, float] = {}
        seen: dict[str, float] = {}

        def arrived() -> bool:
            now = time.monotonic()
            for row in self._pipeline.clickhouse.rows(
                "SELECT DISTINCT project FROM costs_minutely WHERE tenant = {t:String}",
                {"t": self._pipeline.tenant},
            ):
                seen.setdefault(str(row["project"]), now)
            return sent.keys() <= seen.keys() and not sender.is_alive()

        def send() -> None:
            begun = time.monotonic()
            for n in range(count):
                time.sleep(max(0.0, begun + n * 0.25 - time.monotonic()))
                event = self._event()
                sent[str(event.project)] = time.monotonic()
                answer = self._client.post(self._pipeline.ingest.url, content=encoder.encode(event))
                assert answer.status_code == 202, answer.text
                self.sent.append(event)
            sent_all()

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        until(arrived, seconds, "the neighbour's events")
        return sorted(seen[name] - began for name, began in sent.items())

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _event(self) -> UsageEvent:
        name = f"e{len(self.sent)}"
        return UsageEvent(
            id=name, source="good", time=SystemClock().now(), kind="llm", provider="openai", sku="gpt-5",
            usage={"input_tokens": 10}, team="growth", project=name,
        )  # fmt: skip


def p99(found: list[float]) -> float:
    """Return the 99th percentile (nearest rank) of sorted figures."""
    return found[max(0, -(-99 * len(found) // 100) - 1)]
