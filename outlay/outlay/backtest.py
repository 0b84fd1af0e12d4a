"""Tries budgets and rules on the past, and shows when they would have fired."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.backtest.recorder import Fired
from outlay_alerter.backtest.runner import Backtest, BacktestResult, NotPossibleError
from outlay_alerter.rules.watch import Watch
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange, floor_to
from outlay_reports import cost_query, trend
from outlay_reports.money import dollars
from outlay_schemas.catalog import Catalog
from outlay_schemas.dimensions import scope_text
from outlay_schemas.money import to_usd

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Tried:
    """A rule of one tenant, and when it would have fired."""

    tenant: str
    watch: Watch
    found: BacktestResult


def last_days(now: datetime, days: int) -> TimeRange:
    """Return the whole minutes of the last so many days."""
    end = floor_to(now, "minute")
    return TimeRange(end - _DAY * days, end)


def try_rules(
    clickhouse: ClickHouseClient,
    catalog: Catalog,
    names: Iterable[str],
    tenants: Iterable[str],
    span: TimeRange,
) -> list[Tried]:
    """Try the named budgets and rules on the past of tenants, as far as they are theirs.

    Raises NotPossibleError and Retryable.
    """
    wanted, backtest = set(names), Backtest(RollupReader(clickhouse))
    return [
        Tried(tenant, watch, backtest.run(watch, span))
        for tenant in tenants
        for name, watch in Watchlist(catalog).watches(tenant).items()
        if name in wanted
    ]


def row_of(tenant: str, one: Fired) -> dict[str, object]:
    """Return an alert that would have been, as people and machines read it."""
    said = dollars if one.unit == "USD" else lambda amount: f"{to_usd(amount)} {one.unit}"
    return {
        "at": f"{one.at:%Y-%m-%d %H:%M}", "until": f"{one.until:%Y-%m-%d %H:%M}" if one.until else "",
        "tenant": tenant, "scope": scope_text(one.scope), "level": one.level, "actual": said(one.actual),
        "expected": "" if one.expected is None else said(one.expected),
        "saved": "" if one.saved is None else dollars(one.saved),
    }  # fmt: skip


def saved(found: Iterable[Fired]) -> int:
    """Return what stopping at each alert would have saved at most, in pico-USD; of a budget its highest level says."""
    best: dict[tuple[object, ...], int] = {}
    for one in found:
        if one.saved is not None:
            cumulative = one.level.replace("forecast-", "").replace(".", "").isdigit()
            key = (one.rule, str(one.scope), "" if cumulative else one.at)
            best[key] = max(best.get(key, 0), one.saved)
    return sum(best.values())


def pictured(tried: Sequence[Tried], span: TimeRange) -> tuple[cost_query.CostQuery, trend.Trend]:
    """Return the cost of each day, those on which something fired apart, as plots want it."""
    asked = cost_query.CostQuery(span, ZoneInfo("UTC"), unit="day")
    costs: dict[datetime, int] = {}
    fired: set[datetime] = set()
    for one in tried:
        for day, cost in one.found.daily:
            costs[day] = costs.get(day, 0) + cost
        fired |= {floor_to(alert.at, "day") for alert in one.found.fired}
    days = [floor_to(span.start, "day") + _DAY * n for n in range(span.length // _DAY + 1)]

    def series(name: str, chosen: Sequence[bool]) -> trend.Series:
        sums = [cost_query.Sums(costs.get(day, 0) if on else 0) for day, on in zip(days, chosen, strict=True)]
        points = tuple(trend.Point(day, False, s, None) for day, s in zip(days, sums, strict=True))
        return trend.Series((name,), points, cost_query.Sums(sum(s.cost for s in sums)))

    hot = [day in fired for day in days]
    parts = (series("quiet", [not on for on in hot]), series("it fires", hot))
    return asked, trend.Trend(series("all", [True] * len(days)), parts)


def planned(
    clickhouse: ClickHouseClient, old: Catalog, new: Catalog, span: TimeRange
) -> list[dict[str, object]]:
    """Return what the budgets and rules that differ would have fired in `span`, as they were and as they will be.

    Raises Retryable.
    """
    before, after = _written(old), _written(new)
    changed = [
        name for name in {**before, **after} if before.get(name) != after.get(name)
    ]  # in their order, those that go at last
    tenants = RollupReader(clickhouse).tenants() if changed else []

    def fired(catalog: Catalog, name: str) -> tuple[list[Fired], str]:
        try:
            tried = try_rules(clickhouse, catalog, [name], tenants, span)
        except NotPossibleError as error:
            return [], str(error)
        return [one for each in tried for one in each.found.fired], ""

    rows: list[dict[str, object]] = []
    for name in changed:
        (was, _), (will, why) = fired(old, name), fired(new, name)
        rows.append(
            {
                "rule": name, "fired": len(was) if name in before and not why else None,
                "would_fire": len(will) if name in after and not why else None,
                "saved": "" if why else dollars(saved(will)), "newest": why or (will[-1].title if will else ""),
            }
        )  # fmt: skip
    return rows


def _written(catalog: Catalog) -> dict[str, object]:
    return {item.id: item for item in (*catalog.budgets, *catalog.rules)}
