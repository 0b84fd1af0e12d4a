"""Scans the events of each tenant for savings at intervals, and stores what it finds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock
from outlay_kit.telemetry import get_logger
from outlay_pricer.ledger import Selection
from outlay_pricer.opportunities.detector import Opportunity
from outlay_pricer.opportunities.search import Opportunities, find
from outlay_schemas.catalog import Catalog
from outlay_schemas.money import to_usd

log = get_logger(__name__)
REACH = timedelta(days=7)
"""How far back a look goes at most."""
_LOOK_WHETHER = 30.0
"""Seconds between looks at whether one is due."""
_MOST_ROWS = 200
_HOURS = (
    "SELECT tenant, toUnixTimestamp(time) AS at, sum(events) AS many FROM costs_hourly"
    " WHERE time >= toDateTime({since:UInt32}, 'UTC') GROUP BY tenant, at HAVING many > 0 ORDER BY tenant, at DESC"
)


@dataclass
class _Last:
    """The last look at a tenant: when it ended (monotonic seconds), and how many events its reach had then."""

    at: float
    events: int


class OpportunityScanner:
    """Stateless: a scan that was cut short is repeated."""

    def __init__(
        self,
        clickhouse: ClickHouseClient,
        clock: Clock,
        *,
        every: float,
        most: int,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        """`every`: seconds between looks. `most`: events of one tenant that are looked at, the newest hours of them."""
        self._clickhouse = clickhouse
        self._clock = clock
        self._every = every
        self._most = most
        self._progress = progress
        self._next = clock.monotonic()
        self._last: dict[str, _Last] = {}

    def turn(self, catalog: Catalog) -> None:
        """Look at every tenant whose time has come, or whose events are twice as many. Raises Retryable."""
        if not self._most or self._clock.monotonic() < self._next:
            return
        now = self._clock.now().replace(second=0, microsecond=0) + timedelta(minutes=1)
        for tenant, (since, events) in self._reach(now).items():
            last = self._last.get(tenant)
            if last and self._clock.monotonic() < last.at + self._every and events < 2 * last.events:
                continue
            wanted = Selection(since=since, until=now, tenant=tenant)
            found = find(
                self._clickhouse, catalog, wanted, most=self._most, progress=lambda _: self._progress()
            )
            self._write(tenant, found)
            self._last[tenant] = _Last(self._clock.monotonic(), events)
        self._next = self._clock.monotonic() + _LOOK_WHETHER

    def _reach(self, now: datetime) -> Mapping[str, tuple[datetime, int]]:
        """Return from when on each tenant is looked at, and how many events its last days have.

        As many whole hours as hold no more events than are looked at; the newest in any case.
        """
        rows = self._clickhouse.rows(_HOURS, {"since": int((now - REACH).timestamp())})
        found: dict[str, tuple[datetime, int]] = {}
        for row in rows:  # each tenant's newest hour first
            start, held = found.get(row["tenant"], (None, 0))
            held += row["many"]
            if start is None or held <= self._most:
                start = datetime.fromtimestamp(row["at"], UTC)
            found[row["tenant"]] = (start, held)
        return found

    def _write(self, tenant: str, found: Opportunities) -> None:
        at = self._clock.now()
        span = {
            "tenant": tenant, "evaluated_at": f"{at:%Y-%m-%d %H:%M:%S.%f}"[:-3],
            "since": int(found.since.timestamp()), "until": int(found.until.timestamp()),
        }  # fmt: skip
        rows: Sequence[Mapping[str, object]] = [
            {**span, "id": "", "events": found.events, "saving": to_usd(found.cached)},
            *({**span, **_row(one)} for one in found.findings[:_MOST_ROWS]),
        ]
        lines = b"\n".join(msgspec.json.encode(row) for row in rows)
        self._clickhouse.insert_json_lines("opportunities", lines)
        log.info("looked for what could be saved", tenant=tenant, events=found.events, found=len(rows) - 1)


def _row(one: Opportunity) -> Mapping[str, object]:
    _, team, project, provider, sku = one.where
    source, event = (one.examples or [("", "")])[0]
    return {
        "id": one.id, "kind": one.method.kind, "team": team, "project": project, "provider": provider, "sku": sku,
        "recommendation": one.method.recommendation, "prerequisite": one.method.prerequisite,
        "saving": to_usd(one.saving), "cost": to_usd(one.cost),
        "events": one.events, "example_source": source, "example_id": event,
    }  # fmt: skip
