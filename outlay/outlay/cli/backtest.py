"""When budgets and rules would have fired on the past: `outlay alerts backtest`."""

import csv
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from typer import Option

from outlay.catalog.rule_history import Tried, last_days, saved_at_most, try_rule
from outlay.cli.options import AsJson, OtherCatalog, Picture
from outlay.cli.output import CommandError, line, note, out, print_json, print_rows, unknown, working
from outlay.cli.report_query import draw_into
from outlay.cli.stores import open_clickhouse, read_folder, read_published
from outlay.reports.plots import draw
from outlay_alerter.backtest.runner import Fired, NotPossibleError, on_series
from outlay_alerter.rules.watch import Watch
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clock import SystemClock
from outlay_kit.time_ranges import TimeRange, floor_to
from outlay_reports import cost_query, trend
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.money import counted, dollars
from outlay_reports.svg_chart import trend_svg
from outlay_schemas.catalog import Catalog, watch
from outlay_schemas.dimensions import scope_text
from outlay_schemas.money import to_usd

_DAY = timedelta(days=1)
_AT_ONCE = 1000
"""Lines that are written at once: one by one they take longer than what they say."""


def backtest(
    rule: Annotated[str, Option(help="Id of a rule or budget; with --series also anomaly or spend_spike.")],
    series: Annotated[
        Path | None, Option(metavar="FILE.csv", help="CSV of timestamp,value. Default: the ledger.")
    ] = None,
    *,
    catalog: OtherCatalog = None,
    days: Annotated[int, Option(min=1, max=366, help="Days to look back, without --series.")] = 30,
    tenant: Annotated[str, Option(help="Tenant, without --series. Default: all.")] = "",
    picture: Picture = None,
    as_json: AsJson = False,
) -> None:
    """Show when a rule would have fired, on a series or on past spend, and what stopping then would have saved.

    With --series: NDJSON, one line a row, with timestamp, value, expected, lower, upper, score (0 to 1; 0.5 is the
    limit), fired (an alert begins here) and status. Empty values are missing ones. Without: a table and a chart of the
    last days. Both run the rule as it runs live.

    Examples:

        outlay alerts backtest --rule anomaly --series spend.csv | jq -c 'select(.fired)'
        outlay alerts backtest --rule spend-anomaly --days 30 --picture fired.svg
    """
    if series is None:
        content = read_folder(catalog) if catalog else read_published()
        _on_ledger(rule, content, days, tenant, picture, as_json=as_json)
    else:
        _on_series(rule, read_folder(catalog), series)


def _on_series(rule: str, catalog: Catalog, series: Path) -> None:
    wanted, texts, rows = series_rule(rule, catalog), dict[datetime, str](), dict[datetime, float | None]()
    written: list[str] = []
    for text, at, value in _rows(series):
        texts[at], rows[at] = text, value
    try:
        for point in on_series(wanted, rows.items()):
            judged = point.judged
            found = {
                "timestamp": texts[judged.at], "value": judged.value, "expected": judged.expected,
                "lower": judged.lower, "upper": judged.upper, "score": round(judged.score, 6),
                "fired": point.fired, "status": judged.status,
            }  # fmt: skip
            written.append(json.dumps(found))
            if len(written) == _AT_ONCE:
                typer.echo("\n".join(written))
                written.clear()
        if written:
            typer.echo("\n".join(written))
    except NotPossibleError as error:
        raise CommandError(str(error), "try it on the ledger: leave --series out") from None
    except ValueError as error:
        raise CommandError(str(error), "one row is one window; give them all") from None


def _on_ledger(
    rule: str, catalog: Catalog, days: int, tenant: str, picture: Path | None, *, as_json: bool
) -> None:
    known = [item.id for item in (*catalog.budgets, *catalog.rules)]
    if rule not in known:
        raise unknown("rule or budget", rule, known)
    span = last_days(SystemClock().now(), days)
    with open_clickhouse(tenant) as clickhouse, working(f"trying {rule} on the last {days} days"):
        tenants = [tenant] if tenant else CostReader(clickhouse).tenants()
        tried = try_rule(clickhouse, catalog, rule, tenants, span)
    rows = [_row(tenant, fired) for tenant, result in tried for fired in result.fired]
    whole = sum(saved_at_most(result.fired) for _, result in tried)
    query, found = _pictured(tried, span)
    title = f"{rule}: fires {counted(len(rows), 'time')} in {days} days"
    if picture is not None:
        draw_into(picture, trend_svg(title, query, found))
    if as_json:
        print_json({"rule": rule, "days": days, "fired": rows, "saved_usd": to_usd(whole)})
        return
    draw(query, found, out)
    print_rows(False, rows, title, f"{rule} would not have fired in the last {days} days")
    left = sum(result.scopes - result.tried for _, result in tried)
    if left:
        line(f"{left:,} cheaper scopes were not tried", "dim")
    if rows:
        line(f"stopping each at once would have saved at most {dollars(whole)}")


def series_rule(name: str, catalog: Catalog) -> Watch:
    """Return a rule or budget of a catalog, or one with the defaults of its kind. Raises CommandError."""
    known = {item.id for item in (*catalog.budgets, *catalog.rules)}
    defaults = {"anomaly": watch.Anomaly, "spend_spike": watch.SpendSpike}
    if name not in known and name in defaults:
        rule = defaults[name](id=name, name=name.replace("_", " ").capitalize(), min_usd=Decimal(0))
        catalog = catalog.model_copy(update={"rules": (rule,)})
    tenants = [b.tenant for b in (*catalog.budgets, *catalog.rules) if b.id == name and b.tenant != "*"]
    found = Watchlist(catalog).watches(tenants[0] if tenants else "").get(name)
    if found is None:
        raise unknown("rule or budget", name, [*sorted(known), *defaults])
    return found


def _rows(file: Path) -> Iterator[tuple[str, datetime, float | None]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            names = {name.strip().lower(): name for name in reader.fieldnames or ()}
            if not {"timestamp", "value"} <= set(names):
                hint = "its first line names the columns"
                raise CommandError(f"{file} has no columns timestamp and value", hint)
            seen, newest, odd = set[datetime](), datetime.min.replace(tzinfo=UTC), 0
            for row in reader:
                text = (row[names["timestamp"]] or "").strip()
                try:
                    at, value = _instant(text), _number(row[names["value"]] or "")
                except ValueError as error:
                    hint = "timestamps are ISO 8601 or Unix seconds; values finite numbers; empty is missing"
                    raise CommandError(f"{file}, line {reader.line_num}: {error}", hint) from None
                odd += at in seen or at < newest
                seen.add(at)
                newest = max(newest, at)
                yield text, at, value
            if odd:
                text = "repeat a timestamp or are out of order: sorted, the last of each time kept"
                note(f"{odd:,} rows {text}")
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}", "give a CSV file") from None
    except (UnicodeDecodeError, csv.Error):
        raise CommandError(f"{file} is not CSV text", "give a CSV file in UTF-8") from None


def _instant(text: str) -> datetime:
    """Read a timestamp; one without an offset is UTC. Raises ValueError."""
    if text.replace(".", "", 1).isdecimal() and len(text.partition(".")[0]) >= 9:
        seconds = float(text)
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _number(text: str) -> float | None:
    """Read a value. Empty, null and NaN: it is missing. Raises ValueError."""
    text = text.strip()
    if text.lower() in ("", "nan", "null", "none", "na"):
        return None
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text} is not finite")
    return value


def _row(tenant: str, one: Fired) -> dict[str, object]:
    def said(amount: int, unpriced: int = 0) -> str:
        return (
            dollars(amount, lower_bound=bool(unpriced))
            if one.unit == "USD"
            else f"{to_usd(amount)} {one.unit}"
        )

    return {
        "at": f"{one.at:%Y-%m-%d %H:%M}", "until": f"{one.until:%Y-%m-%d %H:%M}" if one.until else "",
        "tenant": tenant, "scope": scope_text(one.scope), "level": one.level, "actual": said(one.actual, one.unpriced),
        "expected": "" if one.expected is None else said(one.expected),
        "saved": "" if one.saved is None else dollars(one.saved),
    }  # fmt: skip


def _pictured(tried: Tried, span: TimeRange) -> tuple[cost_query.CostQuery, trend.Trend]:
    """Return the cost of each day, those on which something fired apart, as plots want it."""
    asked = cost_query.CostQuery(span, ZoneInfo("UTC"), unit="day")
    costs, fired = Counter[datetime](), set[datetime]()
    for _, result in tried:
        for day, cost in result.daily:
            costs[day] += cost
        fired |= {floor_to(alert.at, "day") for alert in result.fired}
    days = [floor_to(span.start, "day") + _DAY * n for n in range(span.length // _DAY + 1)]

    def series(name: str, chosen: Sequence[bool]) -> trend.Series:
        sums = [cost_query.Sums(costs[day] if on else 0) for day, on in zip(days, chosen, strict=True)]
        points = tuple(trend.Point(day, False, s, None) for day, s in zip(days, sums, strict=True))
        return trend.Series((name,), points, cost_query.Sums(sum(s.cost for s in sums)))

    hot = [day in fired for day in days]
    parts = (series("quiet", [not on for on in hot]), series("it fires", hot))
    return asked, trend.Trend(series("all", [True] * len(days)), parts)
