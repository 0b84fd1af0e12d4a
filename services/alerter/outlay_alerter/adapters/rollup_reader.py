"""Sums of the rollups, exact, by grouped queries."""

# ruff: noqa: S608 (what is pasted are names of our dimensions and views)

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange, grain_length
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.compare import THING
from outlay_reports.cost_query import Amount, Cell, CostQuery
from outlay_reports.range_sums import Part, sums
from outlay_schemas.alerts import Contributor
from outlay_schemas.dimensions import CELL
from outlay_schemas.events import Grain
from outlay_schemas.money import to_pico, to_usd


class Sums:
    """Reads what was spent."""

    def __init__(self, clickhouse: ClickHouseClient) -> None:
        self._clickhouse, self.books = clickhouse, CostReader(clickhouse)

    def tenants(self) -> list[str]:
        """Return every tenant that has rollups."""
        return [row["tenant"] for row in self._clickhouse.rows("SELECT DISTINCT tenant FROM rollup_day")]

    def newest(self, tenant: str, now: datetime) -> datetime | None:
        """Return the newest minute of a tenant, not after `now`: a producer's clock may be ahead."""
        found = self._clickhouse.rows(
            "SELECT toUnixTimestamp(max(window)) AS at, count() AS n FROM rollup_minute WHERE tenant = {t:String}"
            " AND window <= toDateTime({now:UInt32}, 'UTC')",
            {"t": tenant, "now": int(now.timestamp())},
        )
        return datetime.fromtimestamp(found[0]["at"], UTC) if found[0]["n"] else None

    def oldest(self, tenant: str, span: TimeRange) -> datetime | None:
        """Return the first minute of a tenant in a time range."""
        found = self._clickhouse.rows(
            "SELECT toUnixTimestamp(min(window)) AS at, count() AS n FROM rollup_minute WHERE tenant = {t:String}"
            " AND window >= toDateTime({low:UInt32}, 'UTC') AND window < toDateTime({high:UInt32}, 'UTC')",
            {"t": tenant, "low": int(span.start.timestamp()), "high": int(span.end.timestamp())},
        )
        return datetime.fromtimestamp(found[0]["at"], UTC) if found[0]["n"] else None

    def cells(
        self,
        tenant: str,
        span: TimeRange,
        dimensions: Sequence[str],
        *,
        exact: bool = False,
        amount: Amount = "cost",
    ) -> list[tuple[dict[str, str], int]]:
        """Return an amount in pico-USD of each combination of `dimensions` in `span`.

        `exact`: users from the ledger, not those that the rollups name.
        """
        query = sums([Part(span)], dimensions, measures=(amount,), exact=exact)
        rows = self._clickhouse.rows(query.sql, {**query.bound, "tenant": tenant})
        return [(_cell(row, dimensions), to_pico(row[f"{amount}_0"])) for row in rows]

    def series(
        self,
        tenant: str,
        grain: Grain,
        newest: datetime,
        count: int,
        dimensions: Sequence[str],
        *,
        amount: Amount = "cost",
    ) -> list[tuple[int, dict[str, str], int]]:
        """Return (place, cell, pico-USD) for the `count` windows that end with `newest`; place 0 is the oldest."""
        starts = windows_to(grain, newest, count)
        query = sums([Part(span_of(starts, grain))], dimensions, measures=(amount,), bounds=starts)
        rows = self._clickhouse.rows(query.sql, {**query.bound, "tenant": tenant})
        return [(r["bucket"], _cell(r, dimensions), to_pico(r[f"{amount}_0"])) for r in rows]

    def first(self, tenant: str, grain: Grain, newest: datetime, count: int) -> int:
        """Return the place of the first of `count` windows in which a tenant has anything; `count`: in none."""
        seconds = int(grain_length(grain).total_seconds())
        low = int(newest.timestamp()) - (count - 1) * seconds
        (row,) = self._clickhouse.rows(
            f"SELECT toUnixTimestamp(min(window)) AS at, count() AS n FROM rollup_{grain}"
            " WHERE tenant = {tenant:String} AND window >= toDateTime({low:UInt32}, 'UTC')",
            {"tenant": tenant, "low": low},
        )
        return min(count, (row["at"] - low) // seconds) if row["n"] else count

    def contributors(
        self, tenant: str, span: TimeRange, scope: Mapping[str, Sequence[str]]
    ) -> list[Contributor]:
        """Return the three greatest values of each dimension within a scope."""
        query = sums([Part(span, scope)], CELL, measures=("cost",))
        pairs = ", ".join(f"('{name}', k{n})" for n, name in enumerate(CELL))
        rows = self._clickhouse.rows(
            f"SELECT d.1 AS dimension, d.2 AS value, sum(cost_0) AS spent FROM ({query.sql})"
            f" ARRAY JOIN [{pairs}] AS d GROUP BY dimension, value HAVING spent > 0"
            " ORDER BY dimension, spent DESC, value LIMIT 3 BY dimension",
            {**query.bound, "tenant": tenant},
        )
        return [Contributor(r["dimension"], r["value"], to_usd(to_pico(r["spent"]))) for r in rows]

    def things(self, tenant: str, span: TimeRange, scope: Mapping[str, Sequence[str]]) -> list[Cell]:
        """Return what each thing that has a price cost within a scope, with its quantities, as reports read it."""
        where = {name: tuple(values) for name, values in scope.items()}
        return self.books.cells(CostQuery(span, ZoneInfo("UTC"), THING, where, (tenant,)))


def windows_to(grain: Grain, newest: datetime, count: int) -> list[datetime]:
    """Return the starts of the `count` windows that end with `newest`."""
    return [newest - n * grain_length(grain) for n in range(count - 1, -1, -1)]


def span_of(starts: Sequence[datetime], grain: Grain) -> TimeRange:
    """Return the span that windows fill."""
    return TimeRange(starts[0], starts[-1] + grain_length(grain))


def _cell(row: Mapping[str, str], dimensions: Sequence[str]) -> dict[str, str]:
    return {name: row[f"k{n}"] for n, name in enumerate(dimensions)}
