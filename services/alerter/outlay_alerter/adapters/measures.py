"""Measures of the rollups beside the cost: events, unpriced events, meters; first and last times."""

# ruff: noqa: S608 (what is pasted are names of our dimensions and views)

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from outlay_alerter.adapters.sources import column, columns, conditions, source
from outlay_alerter.domain.comings import Announced
from outlay_alerter.domain.metrics import Measure
from outlay_kit.spans import Span, grain_length
from outlay_kit.warehouse import Warehouse
from outlay_schemas.events import Grain
from outlay_schemas.money import to_pico

_HOLDS = timedelta(days=2)
"""How long a reckoning of price changes holds: it is made anew every few hours."""
Values = tuple[str, ...]
Bound = dict[str, object]


class Measures:
    """Reads what was used."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def windows(
        self,
        tenant: str,
        grain: Grain,
        newest: datetime,
        count: int,
        *,
        by: Sequence[str],
        scope: Mapping[str, Sequence[str]],
        meters: Sequence[str],
    ) -> dict[Values, list[Measure]]:
        """Return the last `count` windows of each combination of `by`; windows without events are empty.

        Without `by` there is always one series, so that nothing at all can be too little.
        """
        seconds = int(grain_length(grain).total_seconds())
        low = int(newest.timestamp()) - (count - 1) * seconds
        where, bound = _where(tenant, scope, low)
        bound |= {f"m{n}": meter for n, meter in enumerate(meters)}
        used = "".join(f", toString(sum(usage[{{m{n}:String}}])) AS used{n}" for n in range(len(meters)))
        read = source(grain, (*by, *scope))
        rows = self._warehouse.rows(
            f"SELECT toUnixTimestamp(time) AS at, toString(sum(cost)) AS spent, sum(events) AS n,"
            f" sum(unpriced_events) AS u{used}{columns(by)} FROM {read} WHERE {where}"
            f" GROUP BY at{columns(by)}",
            bound,
        )
        found: dict[Values, list[Measure]] = {} if by else {(): [Measure()] * count}
        for row in rows:
            place = (row["at"] - low) // seconds
            if place < count:
                used_meters = {meter: Decimal(row[f"used{n}"]) for n, meter in enumerate(meters)}
                measure = Measure(to_pico(row["spent"]), int(row["n"]), int(row["u"]), used_meters)
                found.setdefault(_values(row, by), [Measure()] * count)[place] = measure
        return found

    def firsts(
        self, tenant: str, begin: datetime, *, by: Sequence[str], scope: Mapping[str, Sequence[str]]
    ) -> tuple[dict[Values, tuple[datetime, int]], datetime | None]:
        """Return the first day and the cost since `begin` of each combination, and the first day of anybody."""
        where, bound = _where(tenant, scope, int(begin.timestamp()))
        rows = self._warehouse.rows(
            f"SELECT toUnixTimestamp(min(time)) AS first, toString(sum(cost)) AS spent{columns(by)}"
            f" FROM {source('day', (*by, *scope))} WHERE {where} AND cost > 0 GROUP BY {', '.join(map(column, by))}",
            bound,
        )
        found = {_values(r, by): (datetime.fromtimestamp(r["first"], UTC), to_pico(r["spent"])) for r in rows}
        return found, min((first for first, _ in found.values()), default=None)

    def minutes(
        self, tenant: str, span: Span, *, by: Sequence[str], scope: Mapping[str, Sequence[str]], most: int
    ) -> dict[Values, list[datetime]]:
        """Return the minutes with events of each combination, of those that have the most events."""
        where, bound = _where(tenant, scope, int(span.start.timestamp()))
        bound |= {"high": int(span.end.timestamp()), "most": most}
        rows = self._warehouse.rows(
            f"SELECT arraySort(groupUniqArray(toUnixTimestamp(time))) AS times{columns(by)}"
            f" FROM {source('minute', (*by, *scope))} WHERE {where} AND events > 0"
            f" AND time < toDateTime({{high:UInt32}}, 'UTC'){' GROUP BY ' + ', '.join(map(column, by)) if by else ''}"
            " ORDER BY sum(events) DESC LIMIT {most:UInt32}",
            bound,
        )
        return {_values(r, by): [datetime.fromtimestamp(at, UTC) for at in r["times"]] for r in rows}

    def announced(self, tenant: str, now: datetime) -> list[Announced]:
        """Return the price changes to come, as they were reckoned in the last two days."""
        rows = self._warehouse.rows(
            "SELECT provider, sku, toUnixTimestamp(at) AS day, toString(before) AS cost0, toString(after) AS cost1,"
            " priced >= events AS whole FROM price_changes FINAL WHERE tenant = {tenant:String}"
            " AND at > toDateTime({now:UInt32}, 'UTC') AND looked_at > toDateTime({old:UInt32}, 'UTC')",
            {"tenant": tenant, "now": int(now.timestamp()), "old": int((now - _HOLDS).timestamp())},
        )
        return [
            Announced(
                r["provider"], r["sku"], datetime.fromtimestamp(r["day"], UTC), to_pico(r["cost0"]),
                to_pico(r["cost1"]), bool(r["whole"]),
            )
            for r in rows
        ]  # fmt: skip

    def lasts(
        self, tenant: str, begin: datetime, *, by: Sequence[str], scope: Mapping[str, Sequence[str]]
    ) -> dict[Values, datetime]:
        """Return the last minute with events since `begin` of each combination."""
        where, bound = _where(tenant, scope, int(begin.timestamp()))
        names = columns(by)
        rows = self._warehouse.rows(
            f"SELECT toUnixTimestamp(max(time)) AS last, count() AS n{names} FROM {source('minute', (*by, *scope))}"
            f" WHERE {where} AND events > 0{' GROUP BY ' + ', '.join(map(column, by)) if by else ''}",
            bound,
        )
        return {_values(r, by): datetime.fromtimestamp(r["last"], UTC) for r in rows if r["n"]}


def _where(tenant: str, scope: Mapping[str, Sequence[str]], low: int) -> tuple[str, Bound]:
    parts = ["tenant = {tenant:String}", "time >= toDateTime({low:UInt32}, 'UTC')"]
    parts += conditions(scope)
    bound: Bound = {"tenant": tenant, "low": low}
    return " AND ".join(parts), bound | {f"s{n}": list(values) for n, values in enumerate(scope.values())}


def _values(row: Mapping[str, object], by: Sequence[str]) -> Values:
    return tuple(str(row[name]) for name in by)
