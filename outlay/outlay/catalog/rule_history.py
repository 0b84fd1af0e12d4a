"""When budgets and rules would have fired on the past: for backtests, and for the plan of a change."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.backtest.runner import Backtest, BacktestResult, Fired, NotPossibleError
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange, floor_to
from outlay_reports.money import dollars
from outlay_schemas.catalog import Catalog

Tried = Sequence[tuple[str, BacktestResult]]
"""A rule of each tenant that has it, and when it would have fired."""


def last_days(now: datetime, days: int) -> TimeRange:
    """Return the whole minutes of the last so many days."""
    end = floor_to(now, "minute")
    return TimeRange(end - timedelta(days=days), end)


def try_rule(
    clickhouse: ClickHouseClient, catalog: Catalog, name: str, tenants: Iterable[str], span: TimeRange
) -> Tried:
    """Try a budget or a rule on the past of those of the tenants that have it. Raises NotPossibleError, Retryable."""
    runner, watches = Backtest(RollupReader(clickhouse)), Watchlist(catalog).watches
    return [(tenant, runner.run(found, span)) for tenant in tenants if (found := watches(tenant).get(name))]


def saved_at_most(found: Iterable[Fired]) -> int:
    """Return what stopping at each alert would have saved at most, in pico-USD; of a budget its highest level says."""
    best: dict[tuple[object, ...], int] = {}
    for one in found:
        if one.saved is not None:
            cumulative = one.level.replace("forecast-", "").replace(".", "").isdigit()
            key = (one.rule, str(one.scope), "" if cumulative else one.at)
            best[key] = max(best.get(key, 0), one.saved)
    return sum(best.values())


def planned(
    clickhouse: ClickHouseClient, old: Catalog, new: Catalog, span: TimeRange, tenants: Sequence[str] = ()
) -> list[dict[str, object]]:
    """Return what the budgets and rules that differ would have fired in `span`, before and after; on the past of some
    tenants, or of all. Raises Retryable."""
    before, after = ({item.id: item for item in (*c.budgets, *c.rules)} for c in (old, new))
    changed = [name for name in before | after if before.get(name) != after.get(name)]
    if changed and not tenants:
        tenants = RollupReader(clickhouse).tenants()

    def fired(catalog: Catalog, name: str) -> tuple[list[Fired], str]:
        try:
            tried = try_rule(clickhouse, catalog, name, tenants, span)
        except NotPossibleError as error:
            return [], str(error)
        return [one for _, result in tried for one in result.fired], ""

    rows: list[dict[str, object]] = []
    for name in changed:
        (was, _), (will, why) = fired(old, name), fired(new, name)
        rows.append(
            {
                "rule": name, "fired": len(was) if name in before and not why else None,
                "would_fire": len(will) if name in after and not why else None,
                "saved": "" if why else dollars(saved_at_most(will)), "newest": why or (will[-1].title if will else ""),
            }
        )  # fmt: skip
    return rows
