"""An ingest whose bus is in the test's hands."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from outlay_ingest.api import IngestApi
from outlay_ingest.body import MemoryBudget
from outlay_ingest.progress import Fairness
from outlay_ingest.quotas import Quotas
from outlay_ingest.settings import Settings
from outlay_ingest.writer import Writer
from outlay_kit.clock import FakeClock
from outlay_kit.errors import Retryable
from outlay_kit.health import Health
from outlay_kit.keys import KeyFile, KeyRing, Scope
from outlay_schemas.events import DeadLetter, UsageEvent, dead_letter_decoder, usage_event_decoder
from outlay_schemas.topics import DEAD_LETTER, QUOTAS, USAGE_EVENTS

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
JSON = "application/json"
NDJSON = "application/x-ndjson"


def usage(event_id: str = "1", **changes: object) -> dict[str, Any]:
    """A valid event as its sender writes it; a change of None leaves the field out."""
    event: dict[str, object] = {
        "id": event_id,
        "source": "checkout/api",
        "time": "2026-11-24T11:59:00Z",
        "kind": "llm",
        "provider": "anthropic",
        "sku": "claude-sonnet-4-5",
        "usage": {"input_tokens": 10, "output_tokens": 5},
        **changes,
    }
    return {name: value for name, value in event.items() if value is not None}


def enveloped(
    event_id: str = "1", *, data: dict[str, object] | None = None, **changes: object
) -> dict[str, Any]:
    """A valid CloudEvent."""
    inside = {k: v for k, v in usage().items() if k not in ("id", "source", "time")}
    return {
        "specversion": "1.0",
        "type": "com.outlay.usage",
        "id": event_id,
        "source": "checkout/api",
        "time": "2026-11-24T11:59:00Z",
        "data": inside if data is None else data,
        **changes,
    }


def ndjson(*events: object) -> bytes:
    return b"\n".join(json.dumps(event).encode() for event in events)


class HeldSink:
    """A broker that acknowledges at once (the default), never, or as `answer` says."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.headers: list[Sequence[tuple[str, bytes]]] = []
        self.held: list[Future[None]] = []
        self.hold = False
        self.failure: Exception | None = None
        self.closed = False

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> "Future[None]":
        outcome: Future[None] = Future()
        self.sent.append((topic, value))
        self.headers.append(headers)
        if self.failure is not None:
            outcome.set_exception(self.failure)
        elif self.hold:
            self.held.append(outcome)
        else:
            outcome.set_result(None)
        return outcome

    def close(self) -> None:
        self.closed = True

    def acknowledge(self) -> None:
        for outcome in self.held:
            outcome.set_result(None)
        self.held.clear()

    def records(self, topic: str = USAGE_EVENTS.name) -> list[bytes]:
        return [value for sent_to, value in self.sent if sent_to == topic]

    def events(self) -> list[UsageEvent]:
        return [event for value in self.records() for event in usage_event_decoder.decode_lines(value)]

    def dead_letters(self) -> list[DeadLetter]:
        found: list[DeadLetter] = []
        for value in self.records(DEAD_LETTER.name):
            found += dead_letter_decoder.decode_lines(value)
        return found


class Rig:
    """One endpoint on a held bus, and a client with a key."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.clock = FakeClock(NOW)
        self.sink = HeldSink()
        self.key_file = KeyFile(folder / "keys.json")
        self.key = self.make_key("acme")
        self.keys = KeyRing(folder / "keys.json", self.clock)
        self.settings = Settings.model_validate({"deliver_seconds": 0.3, "linger_ms": 0, **settings})
        self.budget = MemoryBudget(self.settings.max_bytes_in_flight)
        self.writer = Writer(self.sink, self.budget, self.settings, self.clock)
        self.health = Health(self.clock, 60)
        self.health.ready = True
        self.quotas = Quotas("a", lambda key, value: self.sink.send(QUOTAS.name, value, key), self.clock)
        self.fairness = Fairness(self.settings, self.keys, self.clock)
        self.endpoint = IngestApi(
            self.settings,
            self.keys,
            self.writer,
            self.budget,
            self.clock,
            self.health,
            self.quotas,
            self.fairness,
        )
        transport = httpx.ASGITransport(self.endpoint.app(), raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://ingest")

    def make_key(self, tenant: str, *scopes: Scope) -> str:
        return self.key_file.create(tenant, scopes or ("ingest",), NOW)

    async def post(
        self, body: bytes | object, media: str = JSON, key: str | None = None, **headers: str
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": media, "Authorization": f"Bearer {key or self.key}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post("/v1/events", content=content, headers=sent)


AWAY = Retryable("Kafka did not take the record", retry_after=3)
MakeRig = Callable[..., Rig]
