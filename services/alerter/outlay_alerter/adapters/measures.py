"""Measures of the rollups beside the cost: events, unpriced events, meters; first and last times."""

# ruff: noqa: S608 (what is pasted are names of our dimensions and views)

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from outlay_alerter.adapters.rollup_reader import span_of
from outlay_alerter.rules.base import Measure, Values
from outlay_alerter.rules.price_change import Announced
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange
from outlay_reports.range_sums import Part, Query, sums, windows
from outlay_schemas.events import Grain
from outlay_schemas.money import to_pico, to_usd

_HOLDS = timedelta(days=2)
"""How long a reckoning of price changes holds: it is made anew every few hours."""


class Measures:
    """Reads what was used."""

    def __init__(self, clickhouse: ClickHouseClient) -> None:
        self._clickhouse = clickhouse

    def windows(
        self,
        tenant: str,
        starts: Sequence[datetime],
        grain: Grain,
        *,
        by: Sequence[str],
        scope: Mapping[str, Sequence[str]],
        meters: Sequence[str] = (),
        least: int = 0,
        look_back: int = 1,
    ) -> dict[Values, dict[datetime, Measure]]:
        """Return the windows with events of each combination of `by`; they start at `starts`, without gaps.

        `least`: only combinations that cost at least so many pico-USD in one of the last `look_back` windows.
        Without `by` there is always one line, so that nothing at all can be too little.
        """
        keep = None
        if least > 0 and by:
            late = starts[-look_back:]
            spent = sums([Part(span_of(late, grain), scope)], by, measures=("cost",), bounds=late)
            keep = Query(
                f"SELECT * FROM ({spent.sql}) WHERE cost_0 >= toDecimal128({{least:String}}, 12)",
                {**spent.bound, "least": str(to_usd(least))},
            )
        query = sums(
            [Part(span_of(starts, grain), scope)], by, bounds=starts, meters=meters, keep=keep,
            measures=("cost", "events", "unpriced_events", "estimated_events"),
        )  # fmt: skip
        found: dict[Values, dict[datetime, Measure]] = {} if by else {(): {}}
        for row in self._clickhouse.rows(query.sql, {**query.bound, "tenant": tenant}):
            used = {meter: Decimal(row[f"used{n}"]) for n, meter in enumerate(meters)}
            measure = Measure(
                to_pico(row["cost_0"]), row["events_0"], row["unpriced_events_0"], used,
                estimated=row["estimated_events_0"],
            )  # fmt: skip
            found.setdefault(_values(row, by), {})[starts[row["bucket"]]] = measure
        return found

    def firsts(
        self, tenant: str, span: TimeRange, *, by: Sequence[str], scope: Mapping[str, Sequence[str]]
    ) -> tuple[dict[Values, tuple[datetime, int]], datetime | None]:
        """Return the first day and the cost in `span` of each combination, and the first day of anybody."""
        query = windows("day", span, by, scope, measures=("cost",))
        rows = self._clickhouse.rows(
            f"SELECT toUnixTimestamp(min(time)) AS first, sum(cost) AS spent{_keys(by)} FROM ({query.sql})"
            f" WHERE cost > 0 GROUP BY {_keys(by)[2:]}",
            {**query.bound, "tenant": tenant},
        )
        found = {_values(r, by): (datetime.fromtimestamp(r["first"], UTC), to_pico(r["spent"])) for r in rows}
        return found, min((first for first, _ in found.values()), default=None)

    def minutes(
        self,
        tenant: str,
        span: TimeRange,
        *,
        by: Sequence[str],
        scope: Mapping[str, Sequence[str]],
        most: int,
    ) -> dict[Values, list[datetime]]:
        """Return the minutes with events of each combination, of those that have the most events."""
        query = windows("minute", span, by, scope, measures=("events",))
        rows = self._clickhouse.rows(
            f"SELECT arraySort(groupUniqArray(toUnixTimestamp(time))) AS times{_keys(by)} FROM ({query.sql})"
            f" WHERE events > 0{_group(by)} ORDER BY sum(events) DESC LIMIT {{most:UInt32}}",
            {**query.bound, "tenant": tenant, "most": most},
        )
        return {_values(r, by): [datetime.fromtimestamp(at, UTC) for at in r["times"]] for r in rows}

    def announced(self, tenant: str, now: datetime) -> list[Announced]:
        """Return the price changes to come, as they were reckoned in the last two days."""
        rows = self._clickhouse.rows(
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
        self, tenant: str, span: TimeRange, *, by: Sequence[str], scope: Mapping[str, Sequence[str]]
    ) -> dict[Values, datetime]:
        """Return the last minute with events in `span` of each combination."""
        query = windows("minute", span, by, scope, measures=("events",))
        rows = self._clickhouse.rows(
            f"SELECT toUnixTimestamp(max(time)) AS last, count() AS n{_keys(by)} FROM ({query.sql})"
            f" WHERE events > 0{_group(by)}",
            {**query.bound, "tenant": tenant},
        )
        return {_values(r, by): datetime.fromtimestamp(r["last"], UTC) for r in rows if r["n"]}


def _keys(by: Sequence[str]) -> str:
    return "".join(f", k{n}" for n in range(len(by)))


def _group(by: Sequence[str]) -> str:
    return f" GROUP BY {_keys(by)[2:]}" if by else ""


def _values(row: Mapping[str, object], by: Sequence[str]) -> Values:
    return tuple(str(row[f"k{n}"]) for n in range(len(by)))
