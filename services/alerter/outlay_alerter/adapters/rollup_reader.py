"""Reads sums, windows, first and last times from the rollups, of tags from the ledger, by grouped queries."""

# ruff: noqa: S608 (what is pasted are names of our dimensions and views)

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import repeat
from typing import Any
from zoneinfo import ZoneInfo

from outlay_alerter.rules.base import LOOK_BACK, Measure, Total, Values
from outlay_alerter.rules.price_change import Announced
from outlay_alerter.rules.watch import Scope, Watch
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange, grain_length
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.compare import THING
from outlay_reports.cost_query import Amount, Cell, CostQuery
from outlay_reports.range_sums import Query, Selection, sums, windows
from outlay_schemas.alerts import Contributor
from outlay_schemas.dimensions import CELL, OTHER_USERS
from outlay_schemas.events import Grain
from outlay_schemas.money import to_pico, to_usd

_PRICE_CHANGES_HOLD = timedelta(days=2)
"""How long estimates of price changes hold: they are made again every few hours."""


class RollupReader:
    """Reads what was spent."""

    def __init__(self, clickhouse: ClickHouseClient) -> None:
        self._clickhouse, self.costs = clickhouse, CostReader(clickhouse)

    def tenants(self) -> list[str]:
        """Return every tenant that has rollups."""
        return self.costs.tenants()

    def newest(self, tenant: str, now: datetime) -> datetime | None:
        """Return the newest minute of a tenant, not after `now`: a producer's clock may be ahead."""
        return self._minute(
            "max", tenant, TimeRange(datetime.fromtimestamp(0, UTC), now + timedelta(seconds=1))
        )

    def counted_until(self) -> datetime | None:
        """Return the watermark: what was accepted before it is counted; None: not known yet."""
        (found,) = self._clickhouse.rows("SELECT toUnixTimestamp64Milli(max(at)) AS at FROM watermark")
        return datetime.fromtimestamp(found["at"] / 1000, UTC) if found["at"] else None

    def oldest(self, tenant: str, span: TimeRange) -> datetime | None:
        """Return the first minute of a tenant in a time range."""
        return self._minute("min", tenant, span)

    def _minute(self, which: str, tenant: str, span: TimeRange) -> datetime | None:
        (found,) = self._clickhouse.rows(
            f"SELECT toUnixTimestamp({which}(window)) AS at, count() AS n FROM rollup_minute"
            " WHERE tenant = {t:String} AND window >= toDateTime({low:UInt32}, 'UTC')"
            " AND window < toDateTime({high:UInt32}, 'UTC')",
            {"t": tenant, "low": int(span.start.timestamp()), "high": int(span.end.timestamp())},
        )
        return datetime.fromtimestamp(found["at"], UTC) if found["n"] else None

    def cells(
        self, tenant: str, span: TimeRange, dimensions: Sequence[str], amount: Amount
    ) -> list[tuple[dict[str, str], Total]]:
        """Return an amount of each combination of `dimensions` in `span`; users as the ledger has them."""
        query = sums([Selection(span)], dimensions, measures=(amount, "unpriced_events"), exact=True)
        rows = self._clickhouse.rows(query.sql, {**query.bound, "tenant": tenant})
        return [
            (
                {name: row[f"k{n}"] for n, name in enumerate(dimensions)},
                Total(to_pico(row[f"{amount}_0"]), row["unpriced_events_0"]),
            )
            for row in rows
        ]

    def series(
        self, tenant: str, grain: Grain, starts: Sequence[datetime], scope: Scope, *, amount: Amount = "cost"
    ) -> dict[datetime, Total]:
        """Return what a scope cost in each window with events of those at `starts`, which have no gaps."""
        if not starts:
            return {}
        selection = Selection(span_of(starts, grain), scope)
        query = sums([selection], measures=(amount, "unpriced_events"), bounds=starts)
        rows = self._clickhouse.rows(query.sql, {**query.bound, "tenant": tenant})
        return {
            starts[row["bucket"]]: Total(to_pico(row[f"{amount}_0"]), row["unpriced_events_0"])
            for row in rows
        }

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
        self, watch: Watch, span: TimeRange, scope: Mapping[str, Sequence[str]], amount: Amount
    ) -> tuple[list[Contributor], int]:
        """Return the three greatest values of each dimension within a scope, and the pico-USD of all at that read.

        Where rollups fold users past the limit of a window into one, that one is left out, and what they name of each
        other user is a lower bound.
        """
        measures = (amount, "unpriced_events")
        query = sums([Selection(span, scope)], CELL, measures=measures, exact=watch.tagged)
        pairs = ", ".join(f"('{name}', k{n})" for n, name in enumerate(CELL))
        rows = self._clickhouse.rows(
            f"SELECT d.1 AS dimension, d.2 AS value, sum({amount}_0) AS spent, sum(unpriced_events_0) AS unpriced"
            f" FROM ({query.sql}) ARRAY JOIN [('', ''), {pairs}] AS d GROUP BY dimension, value"
            " HAVING spent > 0"
            " ORDER BY dimension, (dimension, value) = ('user', {others:String}) DESC, spent DESC, value"
            " LIMIT 4 BY dimension",
            {**query.bound, "tenant": watch.tenant, "others": OTHER_USERS},
        )
        folded = not watch.tagged and any(_folded(row) for row in rows)
        found: dict[str, list[Contributor]] = {}
        for row in rows:
            name, value = row["dimension"], row["value"]
            if not (folded and _folded(row)):
                cost, partial = to_usd(to_pico(row["spent"])), folded and name == "user"
                found.setdefault(name, []).append(Contributor(name, value, cost, row["unpriced"], partial))
        (whole,) = found.pop("", [None])
        return [one for each in found.values() for one in each[:3]], to_pico(whole.cost) if whole else 0

    def things(self, tenant: str, span: TimeRange, scope: Mapping[str, Sequence[str]]) -> list[Cell]:
        """Return what each thing that has a price cost within a scope, with its quantities, as reports read it."""
        where = {name: tuple(values) for name, values in scope.items()}
        return self.costs.cells(CostQuery(span, ZoneInfo("UTC"), THING, where, (tenant,)))

    def windows(
        self, rule: Watch, starts: Sequence[datetime], grain: Grain, *,
        meters: Sequence[str] = (), least: int = 0, always: Collection[Values] = (),
    ) -> dict[Values, dict[datetime, Measure]]:  # fmt: skip
        """Return the windows with events of each scope of a rule; they start at `starts`, without gaps.

        `least`: only scopes that cost at least so many pico-USD in one of the newest windows, and `always` those.
        A rule without `by` always has one line, so that nothing at all can be too little.
        """
        by, scope = rule.by, rule.scope
        keep = None
        if least > 0 and by:
            late = starts[-LOOK_BACK:]
            spent = sums([Selection(span_of(late, grain), scope)], by, measures=("cost",), bounds=late)
            keys = [f"k{n}" for n in range(len(by))]
            known = ", ".join(f"{{always_{key}:Array(String)}}" for key in keys)
            names = ", ".join(f"one.{n} AS {key}" for n, key in enumerate(keys, 1))
            keep = Query(
                f"SELECT {', '.join(keys)} FROM ({spent.sql}) WHERE cost_0 >= toDecimal128({{least:String}}, 12)"
                f" UNION ALL SELECT {names} FROM (SELECT arrayJoin(arrayZip({known})) AS one)",
                {
                    **spent.bound, "least": str(to_usd(least)),
                    **{f"always_{key}": [values[n] for values in always] for n, key in enumerate(keys)},
                },
            )  # fmt: skip
        query = sums(
            [Selection(span_of(starts, grain), scope)], by, bounds=starts, meters=meters, keep=keep,
            measures=("cost", "events", "unpriced_events", "estimated_events"),
        )  # fmt: skip
        found: dict[Values, dict[datetime, Measure]] = {} if by else {(): {}}
        columns = self._clickhouse.columns(
            f"SELECT * EXCEPT (cost_0), reinterpretAsInt128(toDecimal128(cost_0, 12)) AS pico FROM ({query.sql})",
            {**query.bound, "tenant": rule.tenant},
        )
        buckets = columns.get("bucket", ())
        if not buckets:
            return found
        parts = [map(str, columns[f"k{n}"]) for n in range(len(by))]
        scopes: Iterable[Values] = zip(*parts, strict=True) if by else repeat((), len(buckets))
        counts = (columns[name] for name in ("pico", "events_0", "unpriced_events_0", "estimated_events_0"))
        used: Iterable[Mapping[str, Decimal]] = repeat({}, len(buckets))
        if meters:
            amounts = zip(*(map(Decimal, columns[f"used{n}"]) for n in range(len(meters))), strict=True)
            used = (dict(zip(meters, row, strict=True)) for row in amounts)
        for values, bucket, cost, events, unpriced, estimated, quantities in zip(
            scopes, buckets, *counts, used, strict=True
        ):
            measure = Measure(cost, events, unpriced, quantities, None, estimated)
            found.setdefault(values, {})[starts[bucket]] = measure
        return found

    def firsts(self, rule: Watch, span: TimeRange) -> dict[Values, tuple[datetime, Total]]:
        """Return the first day with cost in `span` of each scope of a rule, and its cost in all of it."""
        select = "toUnixTimestamp(minIf(time, cost > 0)) AS first, sum(cost) AS spent, sum(unpriced_events) AS unpriced"
        rows = self._grouped(
            rule, span, "day", measures=("cost", "unpriced_events"), select=select, tail=" HAVING spent > 0"
        )
        return {
            values: (datetime.fromtimestamp(r["first"], UTC), Total(to_pico(r["spent"]), r["unpriced"]))
            for values, r in rows
        }

    def lasts(self, rule: Watch, span: TimeRange) -> dict[Values, datetime]:
        """Return the last minute with events in `span` of each scope of a rule."""
        select = "toUnixTimestamp(max(time)) AS last"
        rows = self._grouped(rule, span, "minute", measures=("events",), select=select)
        return {values: datetime.fromtimestamp(r["last"], UTC) for values, r in rows}

    def minutes(self, rule: Watch, span: TimeRange, most: int) -> dict[Values, list[datetime]]:
        """Return the minutes with events of each scope of a rule, of those that have the most events."""
        times = "arraySort(groupUniqArray(toUnixTimestamp(time))) AS times"
        order = f" ORDER BY sum(events) DESC LIMIT {most}"
        rows = self._grouped(rule, span, "minute", measures=("events",), select=times, tail=order)
        return {values: [datetime.fromtimestamp(at, UTC) for at in r["times"]] for values, r in rows}

    def _grouped(
        self,
        rule: Watch,
        span: TimeRange,
        grain: Grain,
        *,
        measures: Sequence[str],
        select: str,
        tail: str = "",
    ) -> list[tuple[Values, dict[str, Any]]]:
        """Return what is selected of the windows of each scope in which any of the measures is above 0."""
        keys = [f"k{n}" for n in range(len(rule.by))]
        query = windows(grain, span, rule.by, rule.scope, measures=measures)
        some = " OR ".join(f"{name} > 0" for name in measures)
        rows = self._clickhouse.rows(
            f"SELECT {', '.join([select, 'count() AS n', *keys])} FROM ({query.sql}) WHERE {some}"
            f"{' GROUP BY ' if keys else ''}{', '.join(keys)}{tail}",
            {**query.bound, "tenant": rule.tenant},
        )
        return [(_values(row, rule.by), row) for row in rows if row["n"]]

    def announced(self, tenant: str, now: datetime) -> list[Announced]:
        """Return the price changes to come, as they were estimated in the last two days."""
        rows = self._clickhouse.rows(
            "SELECT provider, sku, toUnixTimestamp(at) AS day, toString(before) AS cost0, toString(after) AS cost1,"
            " priced >= events AS whole FROM price_changes FINAL WHERE tenant = {tenant:String}"
            " AND at > toDateTime({now:UInt32}, 'UTC') AND evaluated_at > toDateTime({old:UInt32}, 'UTC')",
            {
                "tenant": tenant,
                "now": int(now.timestamp()),
                "old": int((now - _PRICE_CHANGES_HOLD).timestamp()),
            },
        )
        return [
            Announced(
                r["provider"], r["sku"], datetime.fromtimestamp(r["day"], UTC), to_pico(r["cost0"]),
                to_pico(r["cost1"]), bool(r["whole"]),
            )
            for r in rows
        ]  # fmt: skip


def windows_to(grain: Grain, newest: datetime, count: int) -> list[datetime]:
    """Return the starts of the `count` windows that end with `newest`."""
    return [newest - n * grain_length(grain) for n in range(count - 1, -1, -1)]


def span_of(starts: Sequence[datetime], grain: Grain) -> TimeRange:
    """Return the time range that windows fill."""
    return TimeRange(starts[0], starts[-1] + grain_length(grain))


def _values(row: Mapping[str, object], by: Sequence[str]) -> Values:
    return tuple(str(row[f"k{n}"]) for n in range(len(by)))


def _folded(row: Mapping[str, Any]) -> bool:
    return (row["dimension"], row["value"]) == ("user", OTHER_USERS)
