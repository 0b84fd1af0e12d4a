"""The whole pipeline as processes that may be killed, fed with events that an oracle holds."""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
from tests.support.chaos.stores import Stores
from tests.support.oracle import Cell, cells
from tests.support.processes import Ingest, Service
from tests.support.waiting import until

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_kit.offsets import Offsets, behind
from outlay_schemas.events import UsageEvent, encoder
from outlay_schemas.topics import AGGREGATED, USAGE_EVENTS

from kafka import KafkaConsumer, TopicPartition  # isort: skip (outlay_kit.kafka takes care of its warnings)
from kafka.structs import OffsetAndMetadata  # isort: skip

MODELS = (
    ("anthropic", "claude-sonnet-4-5"),
    ("openai", "gpt-5"),
    ("openai", "gpt-5-mini"),
    ("unknown", "unknown-1"),
)
_CUT: dict[str, dict[str, int]] = {"minute": {}, "hour": {"minute": 0}, "day": {"minute": 0, "hour": 0}}
READ_BY = {"outlay-pricer": (USAGE_EVENTS,), "outlay-aggregator": AGGREGATED}
"""The topics that the group of a service reads."""
_VIEWS = {"minute": "costs_minutely", "hour": "costs_hourly", "day": "costs_daily"}
Book = dict[Cell, tuple[Decimal, int, int]]


def make(count: int, seed: int = 1, source: str = "chaos") -> list[UsageEvent]:
    """Events of the last hours, out of order, of few teams, models and users."""
    dice = random.Random(seed)  # noqa: S311 (the same events every time)
    start = SystemClock().now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    made = []
    for n in range(count):
        provider, sku = dice.choice(MODELS)
        made.append(
            UsageEvent(
                id=f"e{n}",
                source=source,
                time=start + timedelta(seconds=dice.randrange(2 * 3600), microseconds=dice.randrange(10**6)),
                kind="llm",
                provider=provider,
                sku=sku,
                usage={"input_tokens": dice.randrange(1, 5000), "output_tokens": dice.randrange(1, 500)},
                team=dice.choice(["growth", "search", ""]) or None,
                project=dice.choice(["assistant", "batch"]),
                user=f"u{dice.randrange(20)}",
            )
        )
    return made


class Sender(threading.Thread):
    """Sends events through ingest until each is accepted, some of them twice; `rate` events a second at most.

    Of several ingests it takes the next one when one does not answer or cannot, as a balancer does.
    """

    def __init__(self, ingest: Ingest | Sequence[Ingest], events: Sequence[UsageEvent], rate: float) -> None:
        super().__init__(daemon=True)
        self._endpoints = [ingest] if isinstance(ingest, Ingest) else list(ingest)
        self._events, self._rate, self._batch = events, rate, 100
        self.accepted = 0
        self.refused = 0
        """Answers 503, or 429 where other tenants have keys too."""
        self.failed = 0
        """Requests that no ingest took at once."""
        self.start()

    def run(self) -> None:
        started = time.monotonic()
        with httpx.Client(headers={"X-API-Key": self._endpoints[0].key}, timeout=15) as client:
            for at in range(0, len(self._events), self._batch):
                part = self._events[max(0, at - 3) : at + self._batch]
                body = b"\n".join(encoder.encode(event) for event in part)
                while not any(self._send(client, body) for _ in self._endpoints):
                    self.failed += 1
                    time.sleep(0.1)
                self.accepted = at + self._batch
                ahead = self.accepted / self._rate - (time.monotonic() - started)
                time.sleep(max(0.0, ahead))

    def _send(self, client: httpx.Client, body: bytes) -> bool:
        media = {"Content-Type": "application/x-ndjson"}
        try:
            answer = client.post(self._endpoints[0].url, content=body, headers=media)
        except httpx.TransportError:
            self._endpoints.append(self._endpoints.pop(0))
            return False
        assert answer.status_code in {202, 429, 503}, answer.text
        if answer.status_code != 202:
            self.refused += 1
            self._endpoints.append(self._endpoints.pop(0))
        return answer.status_code == 202

    def done(self) -> bool:
        return not self.is_alive()


class Pipeline:
    """Ingest, pricer and aggregator over stores; every start is of a new process."""

    def __init__(
        self, stores: Stores, folder: Path, broken: Mapping[str, str] | None = None, **clickhouse: str
    ) -> None:
        """`broken`: services that are negative controls, and how (tests/support/chaos/broken.py)."""
        self.stores = stores
        self._broken = broken or {}
        self.env = {
            "OUTLAY_KAFKA": stores.kafka.bootstrap,
            "OUTLAY_CLICKHOUSE": clickhouse.get("url", stores.writer.url),
            "OUTLAY_CLICKHOUSE_USER": stores.writer.user,
            "OUTLAY_CLICKHOUSE_PASSWORD": stores.writer.password.get_secret_value(),
            "OUTLAY_CLICKHOUSE_DATABASE": clickhouse.get("database", stores.writer.database),
        }
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.ingest = Ingest(stores.kafka, folder)
        self.pricer = self.service("pricer")
        self.aggregator = self.service("aggregator")
        self.others: list[Service] = []
        self.clickhouse = ClickHouseClient(stores.writer, self.env["OUTLAY_CLICKHOUSE_DATABASE"])
        self.kills = 0
        self._began: dict[str, Mapping[int, int]] = {}

    @property
    def tenant(self) -> str:
        return self.ingest.tenant

    @property
    def services(self) -> list[Service]:
        return [self.ingest, self.pricer, self.aggregator, *self.others]

    def service(self, name: str, **env: str) -> Service:
        """Return another process of a service, or of its negative control."""
        log = self.folder / f"{name}-{len(list(self.folder.iterdir()))}.log"
        if how := self._broken.get(name):
            return Service("tests.support.chaos.broken", log, {**self.env, "OUTLAY_BROKEN": how, **env})
        return Service(f"outlay_{name}.main", log, {**self.env, **env})

    def start(self) -> "Pipeline":
        if how := self._broken.get("ingest"):
            self.ingest.module, self.ingest.env["OUTLAY_BROKEN"] = "tests.support.chaos.broken", how
        with closing(Offsets(self.stores.kafka)) as offsets:
            self._began = {topic.name: offsets.ends(topic.name) for topic in (USAGE_EVENTS, *AGGREGATED)}
        for service in reversed(self.services):
            service.start()
        return self

    def read_again(self, name: str) -> str:
        """Have the pricer or the aggregator read all that was written since this pipeline started, as another group,
        which is returned. What other tests wrote before that may take an hour."""
        service = {"pricer": self.pricer, "aggregator": self.aggregator}[name]
        assert service.stop() == 0
        group = f"again-{self.tenant}"
        self._commit(group, {topic.name: self._began[topic.name] for topic in READ_BY[f"outlay-{name}"]})
        service.env[f"OUTLAY_{name.upper()}_GROUP"] = group
        service.start()
        return group

    def stop(self) -> None:
        for service in self.services:
            assert service.stop() == 0, service.log.read_text()[-2000:]

    def kill(self, service: Service) -> None:
        service.kill()
        self.kills += 1

    def die_at(self, service: Service, place: str, seconds: float = 60) -> None:
        """Start a service that dies at a failpoint, wait until it did, start it again."""
        self.kill(service)
        service.env["OUTLAY_FAILPOINT"] = place
        service.launch()
        until(service.ended, seconds, f"death at {place}")
        assert service.running.returncode == -9, service.log.read_text()[-2000:]
        self.kills += 1
        service.env["OUTLAY_FAILPOINT"] = ""
        service.start()

    def settle(
        self,
        seconds: float = 120,
        pricer: str = "outlay-pricer",
        aggregator: str = "outlay-aggregator",
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        """Wait until all that was accepted is priced and written; `meanwhile` is called again and again."""
        offsets = Offsets(self.stores.kafka)

        def arrived() -> bool:
            meanwhile()
            ends = offsets.ends(USAGE_EVENTS.name)
            if behind(offsets.committed(pricer, USAGE_EVENTS.name), ends):
                return False
            counted = (topic.name for topic in AGGREGATED)  # the requests come last: ask for their end last
            return not any(behind(offsets.committed(aggregator, t), offsets.ends(t)) for t in counted)

        until(arrived, seconds, "the end of the lag")
        offsets.close()

    def skip(self) -> None:
        """Stop, and have the groups go on after all that waits: the backlog of a control delays no other test."""
        self.stop()
        with closing(Offsets(self.stores.kafka)) as offsets:
            for group, topics in READ_BY.items():
                self._commit(group, {topic.name: offsets.ends(topic.name) for topic in topics})

    def _commit(self, group: str, places: Mapping[str, Mapping[int, int]]) -> None:
        offsets = {
            TopicPartition(topic, partition): OffsetAndMetadata(offset, "", -1)
            for topic, found in places.items()
            for partition, offset in found.items()
        }
        with closing(
            KafkaConsumer(bootstrap_servers=self.stores.kafka.bootstrap, group_id=group)
        ) as consumer:
            consumer.assign(list(offsets))
            consumer.commit(offsets)

    def book(self, grain: str) -> Book:
        """What a reader sees."""
        rows = self.clickhouse.rows(
            f"SELECT toUnixTimestamp(time) AS at, team, project, provider, sku, user, cost, events, unpriced_events"  # noqa: S608
            f" FROM {_VIEWS[grain]} WHERE tenant = {{t:String}}",
            {"t": self.tenant},
        )
        return {
            (datetime.fromtimestamp(r["at"], UTC), r["team"], r["project"], r["provider"], r["sku"], r["user"]): (
                r["cost"], r["events"], r["unpriced_events"],
            )
            for r in rows
        }  # fmt: skip

    def mismatches(self, events: Sequence[UsageEvent]) -> int:
        """How many cells, of all rollups, are not what the oracle says."""
        right = cells(events)
        wrong = 0
        for grain, cut in _CUT.items():
            wide: Book = defaultdict(lambda: (Decimal(0), 0, 0))
            for (at, *names), measures in right.items():
                cell: Cell = (at.replace(**cut), *names)  # type: ignore[assignment, arg-type]
                before = wide[cell]
                wide[cell] = (before[0] + measures[0], before[1] + measures[1], before[2] + measures[2])
            found = self.book(grain)
            wrong += sum(found.get(cell) != wide.get(cell) for cell in found.keys() | wide.keys())
        return wrong
