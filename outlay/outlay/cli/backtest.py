"""When a rule would have fired: `outlay alerts backtest`."""

import csv
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from outlay.backtest import last_days, pictured, row_of, saved, try_rules
from outlay.cli.errors import CommandError, unknown
from outlay.cli.options import AsJson, Picture
from outlay.cli.output import line, note, out, print_json, print_rows, working
from outlay.cli.report_query import draw_into, require_tenants
from outlay.cli.stores import open_clickhouse, read_folder, read_published
from outlay.reports.plots import draw
from outlay_alerter.backtest.runner import NotPossibleError, on_series
from outlay_alerter.rules.watch import Watch
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clock import SystemClock
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.money import counted, dollars
from outlay_reports.svg_chart import trend_svg
from outlay_schemas.catalog import AlertRule, watch
from outlay_schemas.money import to_usd


def backtest(
    rule: Annotated[str, Option(help="Id of a rule or budget; with --series also anomaly or spend_spike.")],
    series: Annotated[
        Path | None, Option(metavar="FILE.csv", help="CSV of timestamp,value. Default: the ledger.")
    ] = None,
    *,
    catalog: Annotated[
        Path | None, Option(metavar="DIR", help="Catalog folder. Default: the one in force.")
    ] = None,
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
        _on_ledger(rule, catalog, days, tenant, picture, as_json=as_json)
        return
    wanted, texts, rows = _rule(rule, catalog), dict[datetime, str](), dict[datetime, float | None]()
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
            typer.echo(json.dumps(found))
    except NotPossibleError as error:
        raise CommandError(str(error), "try it on the ledger: leave --series out") from None
    except ValueError as error:
        raise CommandError(str(error), "one row is one window; give them all") from None


def _on_ledger(
    rule: str, folder: Path | None, days: int, tenant: str, picture: Path | None, *, as_json: bool
) -> None:
    catalog = read_folder(folder) if folder else read_published()
    known = [item.id for item in (*catalog.budgets, *catalog.rules)]
    if rule not in known:
        raise unknown("rule or budget", rule, known)
    span = last_days(SystemClock().now(), days)
    with open_clickhouse() as clickhouse, working(f"trying {rule} on the last {days} days"):
        costs = CostReader(clickhouse)
        require_tenants(costs, (tenant,))
        tenants = costs.tenants()
        tried = try_rules(clickhouse, catalog, [rule], [tenant] if tenant else tenants, span)
    rows = [row_of(one.tenant, fired) for one in tried for fired in one.found.fired]
    whole = sum(saved(one.found.fired) for one in tried)
    query, found = pictured(tried, span)
    title = f"{rule}: fires {counted(len(rows), 'time')} in {days} days"
    if picture is not None:
        draw_into(picture, trend_svg(title, query, found))
    if as_json:
        print_json({"rule": rule, "days": days, "fired": rows, "saved_usd": to_usd(whole)})
        return
    draw(query, found, out)
    print_rows(False, rows, title, f"{rule} would not have fired in the last {days} days")
    left = sum(one.found.scopes - one.found.tried for one in tried)
    if left:
        line(f"{left:,} cheaper scopes were not tried", "dim")
    if rows:
        line(f"stopping each at once would have saved at most {dollars(whole)}")


def _rule(name: str, folder: Path | None) -> Watch:
    catalog = read_folder(folder)
    known = {item.id for item in (*catalog.budgets, *catalog.rules)}
    defaults: dict[str, AlertRule] = {
        "anomaly": watch.Anomaly(id="anomaly", name="Anomaly", min_usd=Decimal(0)),
        "spend_spike": watch.SpendSpike(id="spend_spike", name="Spend spike", min_usd=Decimal(0)),
    }
    if name not in known and name in defaults:
        catalog = catalog.model_copy(update={"rules": (defaults[name],)})
    tenants = [b.tenant for b in (*catalog.budgets, *catalog.rules) if b.id == name and b.tenant != "*"]
    found = Watchlist(catalog).watches(tenants[0] if tenants else "").get(name)
    if found is None:
        raise unknown("rule or budget", name, [*sorted(known), "anomaly", "spend_spike"])
    return found


def _rows(file: Path) -> Iterator[tuple[str, datetime, float | None]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            names = {name.strip().lower(): name for name in reader.fieldnames or ()}
            if not {"timestamp", "value"} <= set(names):
                raise CommandError(
                    f"{file} has no columns timestamp and value", "its first line names the columns"
                )
            seen, newest, odd = set[datetime](), datetime.min.replace(tzinfo=UTC), 0
            for row in reader:
                text = (row[names["timestamp"]] or "").strip()
                try:
                    at, value = _instant(text), _number(row[names["value"]] or "")
                except ValueError as error:
                    raise CommandError(
                        f"{file}, line {reader.line_num}: {error}",
                        "timestamps are ISO 8601 or Unix seconds; values finite numbers; empty is missing",
                    ) from None
                odd += at in seen or at < newest
                seen.add(at)
                newest = max(newest, at)
                yield text, at, value
            if odd:
                note(
                    f"{odd:,} rows repeat a timestamp or are out of order: sorted, the last of each time kept"
                )
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
