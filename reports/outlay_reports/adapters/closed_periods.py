"""Closed months in ClickHouse. Reading needs the reader; closing needs the writer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple

import msgspec

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange, midnight, next_first
from outlay_reports.chargeback import Closing, Line, statement_id
from outlay_reports.periods import parse_zone
from outlay_schemas.dimensions import PAYER
from outlay_schemas.money import to_pico, to_usd

_READ = (
    "SELECT seq, closed_at, closed_by, note, body FROM closed_periods FINAL"
    " WHERE tenant = {tenant:String} AND period = {period:String} AND zone = {zone:String} ORDER BY seq"
)
_CLOSED = (
    "SELECT tenant, period, zone, toString(argMax(total, seq)) AS stated, argMax(unit, seq) AS pays,"
    " arraySort(groupArray((toUInt64(seq), toUnixTimestamp64Milli(closed_at)))) AS times FROM closed_periods FINAL"
    " WHERE (empty({tenants:Array(String)}) OR has({tenants:Array(String)}, tenant))"
    " GROUP BY tenant, period, zone ORDER BY period, tenant, zone"
)
_lines = msgspec.json.Decoder(tuple[Line, ...])


@dataclass(frozen=True)
class ClosedPeriods:
    """The closings of one tenant's months."""

    clickhouse: ClickHouseClient
    tenant: str

    def read(self, period: str, zone: str) -> list[Closing]:
        """Return every closing of a month, the first first. Raises Retryable."""
        rows = self.clickhouse.rows(_READ, {"tenant": self.tenant, "period": period, "zone": zone})
        return [
            Closing(
                r["seq"],
                r["closed_at"].replace(tzinfo=UTC),
                r["closed_by"],
                r["note"],
                _lines.decode(r["body"]),
            )
            for r in rows
        ]

    def add(self, period: str, zone: str, unit: str, closing: Closing) -> None:
        """Keep a closing; `unit`: the dimension that pays. Repeating it changes nothing. Raises Retryable."""
        row = {
            "tenant": self.tenant, "period": period, "zone": zone, "unit": unit, "seq": closing.seq,
            "total": to_usd(closing.cost),
            "unpriced_events": sum(line.unpriced for line in closing.lines),
            "body": msgspec.json.encode(closing.lines).decode(),
            "closed_at": closing.at.isoformat(), "closed_by": closing.by, "note": closing.note,
        }  # fmt: skip
        self.clickhouse.insert_json_lines("closed_periods", msgspec.json.encode(row))


class ClosingTime(NamedTuple):
    """When a month was closed for the nth time."""

    seq: int
    at: datetime


@dataclass(frozen=True)
class ClosedPeriod:
    """A closed month of a tenant in a time zone. `stated`: the total of its newest statements, pico-USD."""

    tenant: str
    period: str
    zone: str
    closings: tuple[ClosingTime, ...]
    stated: int
    unit: str = PAYER
    """The dimension that pays."""

    @property
    def at(self) -> datetime:
        """When it was closed last."""
        return self.closings[-1].at

    def invoice(self, seq: int) -> str:
        """Return the id of the statements of a closing."""
        return statement_id(self.tenant, self.period, self.zone, seq)

    @property
    def span(self) -> TimeRange:
        """From its first to its last instant."""
        first, zone = date.fromisoformat(f"{self.period}-01"), parse_zone(self.zone)
        return TimeRange(midnight(first, zone), midnight(next_first(first, "month"), zone))


def closed_within(
    clickhouse: ClickHouseClient, tenants: Sequence[str], span: TimeRange
) -> list[ClosedPeriod]:
    """Return the closed months that a span has any part of, the first first. Raises Retryable."""
    found = []
    for row in clickhouse.rows(_CLOSED, {"tenants": list(tenants)}):
        times = tuple(ClosingTime(seq, datetime.fromtimestamp(ms / 1000, UTC)) for seq, ms in row["times"])
        stated = to_pico(row["stated"])
        found.append(ClosedPeriod(row["tenant"], row["period"], row["zone"], times, stated, row["pays"]))
    return [one for one in found if one.span.start < span.end and span.start < one.span.end]
