"""Finds price changes ahead, and their effect at the usage of the last 30 days."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock
from outlay_kit.telemetry import get_logger
from outlay_pricer.domain import CompiledCatalog
from outlay_pricer.domain.compare import CostChange, change_dates, cost_change
from outlay_pricer.domain.repricing import usage_of
from outlay_pricer.ledger import LedgerReader, Selection
from outlay_schemas.events import UsageEvent

log = get_logger(__name__)
REACH, BACK = timedelta(days=90), timedelta(days=30)
"""How far ahead changes are looked for, and how much past usage their effect is computed from."""
EVERY = 6 * 3600.0
_PROBE, _SAMPLE = 20, 2000
"""Events of a name that tell whether its price changes at all, and from which the change is computed."""
_USED = (
    "SELECT tenant, provider, sku, toString(sum(cost)) AS spent, sum(events) AS many,"
    " toUnixTimestamp(max(time)) AS last FROM costs_daily WHERE time >= toDateTime({since:UInt32}, 'UTC')"
    " AND events > 0 GROUP BY tenant, provider, sku HAVING sum(cost) > 0"
)


class PriceChangeScanner:
    """Stateless: a scan that was cut short is repeated."""

    def __init__(
        self, clickhouse: ClickHouseClient, clock: Clock, progress: Callable[[], None] = lambda: None
    ) -> None:
        self._clickhouse, self._clock, self._progress = clickhouse, clock, progress
        self._next, self._revision = clock.monotonic(), -1

    def turn(self, catalog: CompiledCatalog) -> None:
        """Look, if the catalog is another one or the last look is old. Raises Retryable."""
        if catalog.revision == self._revision and self._clock.monotonic() < self._next:
            return
        now = self._clock.now()
        dates = change_dates(catalog.catalog, now, now + REACH)
        if dates:
            rows = list(self._found(catalog, dates, now))
            lines = b"\n".join(map(msgspec.json.encode, rows))
            if lines:
                self._clickhouse.insert_json_lines("price_changes", lines)
            log.info("looked for price changes ahead", dates=len(dates), found=len(rows))
        self._next, self._revision = self._clock.monotonic() + EVERY, catalog.revision

    def _found(
        self, catalog: CompiledCatalog, dates: Sequence[datetime], now: datetime
    ) -> Iterator[dict[str, object]]:
        since = now - BACK
        for used in self._clickhouse.rows(_USED, {"since": int(since.timestamp())}):
            self._progress()
            name = (used["tenant"], used["provider"], used["sku"])
            last = datetime.fromtimestamp(used["last"], UTC)
            probe = self._events(name, last, _PROBE)
            turning = [at for at in dates if _differs(cost_change(catalog, probe, at))]
            if not turning:
                continue
            events = self._events(name, since, _SAMPLE)
            for at in turning:
                found = cost_change(catalog, events, at)
                if found.before > 0 and _differs(found):
                    yield self._row(used, found, at, whole=found.events == used["many"])

    def _events(self, name: tuple[str, str, str], since: datetime, most: int) -> list[UsageEvent]:
        """Return at most so many events of a name since then, spread over all of them by their ids."""
        named = dict(zip(("tenant", "provider", "sku"), name, strict=True))
        ids = self._clickhouse.rows(
            "SELECT source, id, toUnixTimestamp64Micro(time) AS at FROM costs WHERE tenant = {tenant:String}"
            " AND provider = {provider:String} AND sku = {sku:String}"
            " AND minute >= toDateTime({since:UInt32}, 'UTC') ORDER BY cityHash64(source, id) LIMIT {most:UInt32}",
            {**named, "since": int(since.timestamp()), "most": most},
        )
        wanted = {(row["source"], row["id"]) for row in ids}
        if not wanted:
            return []
        times = [row["at"] for row in ids]
        low = datetime.fromtimestamp(min(times) // 1_000_000, UTC)
        high = datetime.fromtimestamp(max(times) // 1_000_000 + 1, UTC)
        selection = Selection(low, high, *name)
        events = LedgerReader(self._clickhouse).events(selection)
        return [usage_of(event) for event in events if (event.source, event.id) in wanted]

    def _row(
        self, used: dict[str, object], found: CostChange, at: datetime, *, whole: bool
    ) -> dict[str, object]:
        """Scale what the sample says to all that was spent."""
        spent = Decimal(str(used["spent"]))
        before = found.before if whole else spent
        after = found.after if whole else spent * found.after / found.before
        place = Decimal("1e-12")
        return {
            "tenant": used["tenant"], "at": int(at.timestamp()), "provider": used["provider"], "sku": used["sku"],
            "before": f"{before.quantize(place):f}", "after": f"{after.quantize(place):f}",
            "events": used["many"], "priced": found.events,
            "evaluated_at": f"{self._clock.now():%Y-%m-%d %H:%M:%S.%f}"[:-3],
        }  # fmt: skip


def _differs(found: CostChange) -> bool:
    return found.events > 0 and found.before != found.after
