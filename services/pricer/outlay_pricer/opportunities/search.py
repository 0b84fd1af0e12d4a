"""Runs the detectors over a span of the ledger: for a command, or at intervals for each tenant, to store the result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf

import msgspec

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock
from outlay_kit.telemetry import get_logger
from outlay_pricer.domain import CompiledCatalog, cost_of
from outlay_pricer.domain.repricing import usage_of
from outlay_pricer.ledger import LedgerReader, Selection
from outlay_pricer.opportunities.alternatives import stand_ins
from outlay_pricer.opportunities.commitments import reservations
from outlay_pricer.opportunities.detector import Opportunity, OpportunityDetector, Prompts, Where
from outlay_schemas.catalog import Catalog
from outlay_schemas.money import to_usd

log = get_logger(__name__)
REACH = timedelta(days=7)
"""How far back a look goes at most."""
_LOOK_WHETHER = 30.0
"""Seconds between looks at whether one is due."""
_MOST_ROWS = 200
_PROMPTS = (
    "SELECT tenant, team, project, provider, sku, count() AS calls,"
    " toUInt64(quantileExact(0.1)(toUInt64(usage['input_tokens']))) AS short FROM costs"
    " WHERE kind = 'llm' AND minute >= toDateTime({since:UInt32}, 'UTC') AND minute < toDateTime({until:UInt32}, 'UTC')"
    " AND ({tenant:String} = '' OR tenant = {tenant:String}) GROUP BY tenant, team, project, provider, sku"
)
_HOURS = (
    "SELECT tenant, toUnixTimestamp(window) AS at, arraySum(groups.events) AS many FROM rollup_hour FINAL"
    " WHERE window >= toDateTime({since:UInt32}, 'UTC') AND many > 0 ORDER BY tenant, at DESC"
)


@dataclass(frozen=True)
class Opportunities:
    """What was found in how many events; `whole`: whether that is all of them."""

    findings: list[Opportunity]
    events: int
    whole: bool
    since: datetime
    until: datetime
    """From the minute of the first event that was looked at, up to the end: what monthly figures are made from."""
    cached: int
    """Pico-USD that prompt caching has already saved in these events."""


def find(
    clickhouse: ClickHouseClient,
    catalog: Catalog,
    wanted: Selection,
    *,
    most: int,
    progress: Callable[[int], None] = lambda _: None,
) -> Opportunities:
    """Price the events of a selection as they might have been. `most`: events at most, the first of them.

    `wanted` must say since when and until when, in whole minutes, and may name a tenant. Raises Retryable.
    """
    if wanted.since is None or wanted.until is None:
        raise ValueError("a selection without bounds is all of the ledger")
    compiled, since, until = CompiledCatalog(catalog), wanted.since, wanted.until
    prompts = _prompts(clickhouse, wanted.tenant, since, until)
    detector = OpportunityDetector(lambda event: cost_of(event, compiled), prompts, stand_ins(catalog))
    seen, first = 0, since
    whole = True
    for event in LedgerReader(clickhouse).events(wanted):
        if seen >= most:
            whole, until = False, event.time.replace(second=0, microsecond=0) + timedelta(minutes=1)
            break
        if not seen:
            first = max(since, event.time.replace(second=0, microsecond=0))
        detector.look(event, usage_of(event))
        seen += 1
        if seen % 1000 == 0:
            progress(seen)
    reserved = reservations(clickhouse, compiled, wanted.tenant, since, until)
    findings = sorted([*detector.findings(), *reserved], key=lambda one: (-one.saving, one.id))
    return Opportunities(findings, seen, whole, first, until, detector.cached)


def _prompts(
    clickhouse: ClickHouseClient, tenant: str, since: datetime, until: datetime
) -> dict[Where, Prompts]:
    bound = {"since": int(since.timestamp()), "until": int(until.timestamp()), "tenant": tenant}
    return {
        (row["tenant"], row["team"], row["project"], row["provider"], row["sku"]): Prompts(
            row["calls"], row["short"]
        )
        for row in clickhouse.rows(_PROMPTS, bound)
    }


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
        self._clickhouse, self._clock, self._progress = clickhouse, clock, progress
        self._every, self._most = every, most
        self._next = clock.monotonic()
        self._last: dict[str, tuple[float, int]] = {}
        """The last look at a tenant: when it ended (monotonic seconds), and how many events its reach had then."""

    def turn(self, catalog: Catalog) -> None:
        """Look at every tenant whose time has come, or whose events are twice as many; not if those before were as many
        as are looked at. Raises Retryable."""
        if not self._most or self._clock.monotonic() < self._next:
            return
        now = self._clock.now().replace(second=0, microsecond=0) + timedelta(minutes=1)
        for tenant, (since, events) in self._reach(now).items():
            at, before = self._last.get(tenant, (-inf, 0))
            grew = before < self._most and events >= 2 * before
            if self._clock.monotonic() < at + self._every and not grew:
                continue
            wanted = Selection(since=since, until=now, tenant=tenant)
            found = find(
                self._clickhouse, catalog, wanted, most=self._most, progress=lambda _: self._progress()
            )
            self._write(tenant, found)
            self._last[tenant] = (self._clock.monotonic(), events)
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
        rows: list[Mapping[str, object]] = [
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
