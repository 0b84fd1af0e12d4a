"""The real engine in this process (chDB), one database for all tests: each test has tenants of its own."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from tests.support.fake_broker import FakeBroker, FakeSink, FakeSource

from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.domain.record_parser import id_of
from outlay_aggregator.domain.windows import Window
from outlay_aggregator.owners import Owners
from outlay_aggregator.service import Aggregator
from outlay_aggregator.settings import Settings
from outlay_kit.broker import RecordSink
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.health import Health
from outlay_kit.loop import Bounds, Loop, Stop
from outlay_schemas.events import CostEvent, Grain, PriceStatus, encoder
from outlay_schemas.identity import partition_of
from outlay_schemas.money import Usd
from outlay_schemas.topics import AGGREGATED, COST_EVENTS

GROUP = "outlay-aggregator"
START = datetime(2026, 11, 24, 1, 2, tzinfo=UTC)
VIEWS: dict[Grain, str] = {"minute": "costs_minutely", "hour": "costs_hourly", "day": "costs_daily"}
TRUNCATE: dict[Grain, dict[str, int]] = {
    "minute": {"second": 0, "microsecond": 0},
    "hour": {"minute": 0, "second": 0, "microsecond": 0},
    "day": {"hour": 0, "minute": 0, "second": 0, "microsecond": 0},
}

Cell = tuple[Any, ...]
Measures = tuple[Decimal, int, int, dict[str, Decimal], int, Decimal, Decimal, int]
"""Cost, events, unpriced events, usage, estimated events, their cost, charged, free events."""


def fingerprint(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big") % 2**20


def cost_event(
    tenant: str,
    id: str,  # noqa: A002
    time: datetime = START,
    cost: str | None = "1.25",
    *,
    revision: int = 1,
    team: str = "growth",
    user: str = "u-1",
    tokens: int = 10,
    sku: str = "gpt-5",
    accepted: int = 0,
) -> CostEvent:
    mark = fingerprint(id, time, tokens, sku)
    statuses: tuple[PriceStatus, ...] = ("estimated", "priced", "free")
    status: PriceStatus = "unpriced" if cost is None else statuses[mark % 3]
    marked_up = None if cost is None or mark % 2 else Usd(str(Decimal(cost) + Decimal("0.5")))
    return CostEvent(
        id=id, source="test", time=time, kind="llm", sku=sku, usage={"input_tokens": tokens},
        activity="inference", provider="openai", tenant=tenant, revision=revision,
        fingerprint=mark, charged=marked_up, cost=None if cost is None else Usd(cost),
        price_status=status, price_ref=f"book/{revision}", team=team, user=user, project="p",
        accepted_ms=accepted, accepted_seq=(7 * accepted) % 5,
    )  # fmt: skip


def lines(events: Iterable[CostEvent]) -> bytes:
    return b"\n".join(encoder.encode(event) for event in events)


_NOTHING: Measures = (Decimal(0), 0, 0, {}, 0, Decimal(0), Decimal(0), 0)


def expected(events: Iterable[CostEvent], grain: Grain) -> dict[Cell, Measures]:
    """The oracle: a Decimal sum over the last accepted body of each identity; knows nothing of SQL."""
    winners: dict[Cell, CostEvent] = {}
    for event in events:
        key = (event.tenant, event.source, event.id)
        known = winners.get(key)
        if known is None or _order(event) > _order(known):
            winners[key] = event
    cells: dict[Cell, Measures] = {}
    for e in winners.values():
        cell = (e.time.replace(**TRUNCATE[grain]), e.project, e.team, e.provider, e.sku, e.user)  # type: ignore[arg-type]
        cost, events_, unpriced, usage, guessed, guessed_cost, charged, free = cells.get(cell, _NOTHING)
        mine = Decimal(e.cost or 0)
        estimated = e.price_status == "estimated"
        for meter, quantity in e.usage.items():
            usage = {**usage, meter: usage.get(meter, Decimal(0)) + quantity}
        cells[cell] = (
            cost + mine,
            events_ + 1,
            unpriced + (e.price_status == "unpriced"),
            usage,
            guessed + estimated,
            guessed_cost + mine * estimated,
            charged + (mine if e.charged is None else Decimal(e.charged)),
            free + (e.price_status == "free"),
        )
    return cells


def _order(event: CostEvent) -> tuple[int, ...]:
    """The body accepted last counts, by its newest price; what has no stamp goes by price, then by content."""
    stamp = (event.accepted_ms, event.accepted_seq)
    return (
        (*stamp, event.fingerprint, event.revision)
        if stamp[0]
        else (*stamp, event.revision, event.fingerprint)
    )


def stored(clickhouse: ClickHouseClient, tenant: str, grain: Grain) -> dict[Cell, Measures]:
    """What a reader of the view sees: no FINAL, whatever parts are still unmerged."""
    rows = clickhouse.rows(
        f"SELECT * FROM {VIEWS[grain]} WHERE tenant = {{t:String}}",  # noqa: S608
        {"t": tenant},
    )
    found: dict[Cell, Measures] = {}
    for r in rows:
        time = r["time"].replace(tzinfo=UTC)
        cell = (time, r["project"], r["team"], r["provider"], r["sku"], r["user"])
        assert cell not in found, "a cell is shown twice"
        found[cell] = (
            r["cost"], r["events"], r["unpriced_events"], dict(r["usage"]), r["estimated_events"],
            r["estimated_cost"], r["charged"], r["free_events"],
        )  # fmt: skip
    return found


class CrashError(BaseException):
    """kill -9: nothing may catch it."""


class CrashingStore(LedgerStore):
    """Dies at the given calls, before or after the work."""

    def __init__(
        self, clickhouse: ClickHouseClient, crashes: Sequence[tuple[int, bool]] = (), cells: int = 1000
    ) -> None:
        super().__init__(clickhouse, cells)
        self._crashes = dict(crashes)
        self._calls = 0

    def _step(self) -> bool | None:
        self._calls += 1
        return self._crashes.pop(self._calls, None)

    def append(self, table: str, lines: bytes) -> None:
        after = self._step()
        if after is False:
            raise CrashError
        super().append(table, lines)
        if after is True:
            raise CrashError

    def recompute(self, grain: Grain, windows: Sequence[Window]) -> list[bytes]:
        after = self._step()
        if after is False:
            raise CrashError
        answer = super().recompute(grain, windows)
        if after is True:
            raise CrashError
        return answer


def alone(sink: RecordSink) -> Owners:
    """Every window belongs to the one aggregator there is."""
    return Owners(sink, lambda _: (0,), 1)


@dataclass
class System:
    """One broker, one engine; services come and go."""

    clickhouse: ClickHouseClient
    broker: FakeBroker

    def send(self, body: bytes) -> None:
        """Write cost events as the pricer does: all of an identity to one partition."""
        shares: dict[int, list[bytes]] = {}
        try:
            for line in body.splitlines():
                shares.setdefault(partition_of(id_of(line), self.broker.partitions), []).append(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            shares = {0: [body]}  # poison
        for number, share in shares.items():
            self.broker.append(COST_EVENTS.name, b"\n".join(share), partition=number)

    def run(
        self,
        store: LedgerStore,
        source_class: type[FakeSource] = FakeSource,
        settings: Settings | None = None,
        members: int = 1,
    ) -> None:
        """Run aggregators in turns, as main.py wires them, until they have read everything; CrashError comes out."""
        clock, topics = FakeClock(START), [topic.name for topic in AGGREGATED]
        sources = [source_class(self.broker, GROUP, topics, clock, max_records=3) for _ in range(members)]
        loops = []
        for source in sources:
            sink = FakeSink(self.broker)
            owners = Owners(sink, source.owned, self.broker.partitions)
            service = Aggregator(store, sink, clock, settings, owners=owners)
            loop = Loop(
                source,
                service.handle,
                clock=clock,
                health=Health(clock, 60),
                stop=Stop(),
                bounds=Bounds(max_records=4),
                settled=service.settled,
            )
            loops.append(loop)
        try:
            while self.broker.behind(GROUP, topics):
                for loop in loops:
                    loop.turn()
        finally:
            for source in sources:
                source.close()

    def run_through(self, crashes: Sequence[tuple[int, bool]], cells: int = 1000, members: int = 1) -> int:
        """Run, start all again after each crash, until everything is read. Return how often it crashed."""
        crashed = 0
        while True:
            store = CrashingStore(self.clickhouse, crashes[crashed : crashed + 1], cells)
            try:
                self.run(store, members=members)
            except CrashError:
                crashed += 1
                continue
            return crashed
