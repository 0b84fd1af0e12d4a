"""One run of the demonstration against a running system: publish budgets, stream, watch, settle, count."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import yaml
from pydantic import TypeAdapter

from outlay.catalog import load_default
from outlay.catalog.publish import newest, publish
from outlay.client import IngestClient
from outlay.demo.stream import Stream
from outlay.demo.trace import read_trace
from outlay.demo.view import BudgetState, Frame
from outlay.demo.watch import Follower, Spend
from outlay.demo.workload import usage_events
from outlay.local.state import LocalState
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.offsets import committed_lag
from outlay_kit.settings import KafkaSettings
from outlay_schemas.catalog.watch import Budget
from outlay_schemas.tenants import DEMO_TENANT
from outlay_schemas.topics import READERS

WHOLE = "demo-all"
"""The budget over everything."""
_SETTLE_SECONDS = 90.0
_FRAME_SECONDS = 0.25


def demo_budgets() -> tuple[Budget, ...]:
    """Return the budgets of the demonstration."""
    text = resources.files("outlay.demo").joinpath("budgets.yaml").read_text("utf-8")
    return TypeAdapter(tuple[Budget, ...]).validate_python(yaml.safe_load(text))


def publish_budgets(kafka: KafkaSettings, clock: Clock) -> Sequence[Budget]:
    """Publish the budgets of the demonstration in the catalog in force; return them. Raises Retryable."""
    catalog = newest(kafka) or load_default()
    ours = demo_budgets()
    names = {budget.id for budget in ours}
    others = tuple(budget for budget in catalog.budgets if budget.id not in names)
    publish(kafka, catalog.model_copy(update={"budgets": (*others, *ours)}), clock)
    return ours


_RANGE = "tenant = {tenant:String} AND time >= {start:DateTime} AND time < {end:DateTime}"
_LEDGER = f"""
SELECT count() AS ledger_rows, countIf(NOT c.unpriced) AS priced, countIf(c.unpriced) AS unpriced,
    toString(sum(ifNull(cost, 0))) AS ledger_cost
FROM costs AS c WHERE {_RANGE}"""  # noqa: S608 (what is pasted are constants of this file)
_ROLLUP = f"""
SELECT toString(sum(cost)) AS rollup_cost, sum(events) AS rollup_events
FROM costs_minutely WHERE {_RANGE}"""  # noqa: S608 (the same)
_DEAD_LETTERS = (
    "SELECT count() AS dead_letters FROM dead_letters FINAL"
    " WHERE tenant = {tenant:String} AND at >= {since:DateTime64(6)}"
)
_ALERTS = "SELECT count() AS alerts FROM alerts FINAL WHERE tenant = {tenant:String}"
_STANDING = "SELECT body FROM budget_status FINAL WHERE tenant = {tenant:String} AND budget = {budget:String}"
_SPENT = """
SELECT toString(sum(cost)) AS spent FROM costs_daily
WHERE tenant = {tenant:String} AND time >= {start:DateTime('UTC')} AND time < {end:DateTime('UTC')}"""


class _Standing(msgspec.Struct):
    spent: Decimal
    period_start: datetime
    period_end: datetime


class DemoTotals:
    """Reads the totals of one run of the demonstration."""

    def __init__(self, clickhouse: ClickHouseClient, start: datetime, end: datetime, since: datetime) -> None:
        """`start` and `end` bound the events' own times; `since` is when sending began."""
        self._clickhouse = clickhouse
        whole = end.replace(second=0, microsecond=0) + timedelta(minutes=1)
        self._bound: dict[str, object] = {"tenant": DEMO_TENANT, "start": start, "end": whole, "since": since}

    def read(self) -> dict[str, Any]:
        """Return the figures of the contract that the ledger and the rollups know. Raises Retryable."""
        found: dict[str, Any] = {}
        for sql in (_LEDGER, _ROLLUP, _DEAD_LETTERS, _ALERTS):
            found |= self._clickhouse.rows(sql, self._bound)[0]
        return found

    def settled(self, accepted: int) -> bool:
        """Tell whether everything accepted is in ledger and rollups, or is a dead letter."""
        try:
            found = self.read()
        except Retryable:
            return False
        rows = int(found["ledger_rows"])
        return rows + int(found["dead_letters"]) >= accepted and int(found["rollup_events"]) == rows

    def watched(self, budget: str) -> bool:
        """Tell whether the alerter has seen all that is spent in the period of a budget over everything."""
        try:
            rows = self._clickhouse.rows(_STANDING, {**self._bound, "budget": budget})
            if not rows:
                return False
            seen = msgspec.json.decode(rows[0]["body"], type=_Standing)
            bound = {**self._bound, "start": seen.period_start, "end": seen.period_end}
            return Decimal(self._clickhouse.rows(_SPENT, bound)[0]["spent"]) == seen.spent
        except Retryable:
            return False


@dataclass(frozen=True)
class Plan:
    """What to play: a trace (None: the bundled one), when its first call is (UTC), and how fast."""

    trace: Path | None
    start: datetime
    speed: float


class Demo:
    """Plays one plan into a running system."""

    def __init__(self, system: LocalState, key: str, plan: Plan, clock: Clock) -> None:
        self._clock = clock
        self._plan = plan
        self._system = system
        self._key = key
        self._events = usage_events(read_trace(plan.trace), plan.start)
        self._spend = Spend(DEMO_TENANT)
        self._budgets: Sequence[Budget] = ()
        self._began = clock.monotonic()
        self._rate = (self._began, 0, 0.0)

    def play(self, draw: Callable[[Frame], None]) -> dict[str, Any]:
        """Stream everything and return the figures of the contract. Raises SendError, Retryable."""
        kafka = self._system.kafka_settings()
        self._budgets = publish_budgets(kafka, self._clock)
        since = self._clock.now() - timedelta(seconds=1)
        client = IngestClient(self._system.ingest, self._key, self._clock)
        clickhouse = ClickHouseClient(self._system.clickhouse_settings())
        with Follower(kafka, self._spend, self._clock) as follower:
            stream = Stream(self._events, client, self._spend, follower.lock, self._clock)
            totals = DemoTotals(clickhouse, self._plan.start, self._events[-1].time, since)
            try:
                stream.start(self._plan.speed)
                self._watch(stream, follower, draw)
                figures = self._settle(stream, follower, totals, draw)
            finally:
                stream.stop()
                clickhouse.close()
        if stream.error is not None:
            raise stream.error
        return figures

    def _watch(self, stream: Stream, follower: Follower, draw: Callable[[Frame], None]) -> None:
        while not stream.done:
            draw(self._frame(stream, follower, "Ctrl-C stops"))
            self._clock.sleep(_FRAME_SECONDS)

    def _settle(
        self, stream: Stream, follower: Follower, totals: DemoTotals, draw: Callable[[Frame], None]
    ) -> dict[str, Any]:
        deadline = self._clock.monotonic() + _SETTLE_SECONDS
        while self._clock.monotonic() < deadline:
            draw(self._frame(stream, follower, "all is sent; waiting until all of it is counted"))
            if totals.settled(stream.sent.accepted) and self._all_read() and totals.watched(WHOLE):
                break
            self._clock.sleep(_FRAME_SECONDS)
        draw(self._frame(stream, follower, ""))
        found = totals.read()
        with follower.lock:
            latencies = sorted(self._spend.latencies)
        counts = {
            name: int(found[name]) for name in ("priced", "unpriced", "dead_letters", "ledger_rows", "alerts")
        }
        costs = {name: f"{Decimal(found[name]).normalize():f}" for name in ("ledger_cost", "rollup_cost")}
        sent = {"sent": stream.sent.sent, "accepted": stream.sent.accepted}
        return {**sent, **counts, **costs, "latency_p99_ms": _percentile(latencies, 0.99)}

    def _all_read(self) -> bool:
        kafka = self._system.kafka_settings()
        return all(committed_lag(kafka, group, names) == 0 for group, names in READERS.values())

    def _frame(self, stream: Stream, follower: Follower, hint: str) -> Frame:
        sent, spend = stream.sent, self._spend
        with follower.lock:
            latency = sorted(spend.latencies[-50:])
            return Frame(
                playing=stream.playing,
                events_per_second=self._per_second(sent.accepted),
                total=len(self._events),
                sent=sent.sent,
                counted=spend.events,
                unpriced=spend.unpriced,
                dead_letters=len(sent.refused),
                latency=latency[len(latency) // 2] if latency else None,
                teams=_top(spend.by("team")),
                models=_top(spend.by("sku")),
                minutes=[cost for _, cost in spend.by_minute()],
                budgets=[self._state_of(budget) for budget in self._budgets],
                alerts=list(spend.alerts),
                hint=hint,
            )

    def _state_of(self, budget: Budget) -> BudgetState:
        groups = (group for window in self._spend.windows.values() for group in window.groups)
        scope = budget.scope.items()
        costs = (Decimal(g.cost) for g in groups if all(getattr(g, name) in values for name, values in scope))
        return BudgetState(budget.name, sum(costs, Decimal(0)), Decimal(budget.amount))

    def _per_second(self, accepted: int) -> float:
        at, before, rate = self._rate
        now = self._clock.monotonic()
        if now - at >= 1.0:
            rate = (accepted - before) / (now - at)
            self._rate = (now, accepted, rate)
        return rate


def _top(spend: dict[str, Decimal], count: int = 7) -> list[tuple[str, Decimal]]:
    return sorted(spend.items(), key=lambda item: (-item[1], item[0]))[:count]


def _percentile(values: Sequence[float], share: float) -> int | None:
    return round(values[math.ceil(len(values) * share) - 1] * 1000) if values else None
