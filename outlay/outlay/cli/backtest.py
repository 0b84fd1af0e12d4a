"""When a rule would have fired: `outlay alerts backtest`."""

import csv
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.choices import read_published
from outlay.cli.common import AsJson, CommandError, err, out, print_json, show, told, working

if TYPE_CHECKING:
    from outlay_alerter.domain.watches import Watch
    from outlay_schemas.catalog import AlertRule


@told
def backtest(
    rule: Annotated[
        str,
        typer.Option(
            help="Id of a rule or budget in the catalog, or a type with its defaults: anomaly, spend_spike."
        ),
    ],
    series: Annotated[
        Path | None,
        typer.Option(
            help="CSV with the columns timestamp and value. Default: what was spent, from the ledger's books."
        ),
    ] = None,
    *,
    catalog: Annotated[
        Path | None,
        typer.Option(help="Catalog folder; default: the one that comes along, or the one in force."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="How far back, without --series.")] = 30,
    tenant: Annotated[str, typer.Option(help="Whose, without --series; default: of all.")] = "",
    picture: Annotated[Path | None, typer.Option(help="Also draw it into this file, .svg.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell when a rule would have fired: on a series, or on what was spent, and what stopping then would have saved.

    With --series: NDJSON, one line a row, with timestamp, value, expected, lower, upper, score (0 to 1; 0.5 is the
    limit), fired and status. The step of the series is its own; empty values are missing ones. Without: a table and
    a plot of the last days.

    Examples:

      outlay alerts backtest --rule anomaly --series spend.csv | jq -c 'select(.fired)'

      outlay alerts backtest --rule spend-anomaly --days 30 --picture fired.svg
    """
    if series is None:
        _on_books(rule, catalog, days, tenant, picture, as_json=as_json)
        return
    from outlay_alerter.domain.backtest import backtest as judged

    wanted = _rule(rule, catalog)
    rows = list(_rows(series))
    texts = {at: text for text, at, _ in rows}
    try:
        for point in judged([(at, value) for _, at, value in rows], wanted):
            line = {
                "timestamp": texts[point.at], "value": point.value, "expected": point.expected,
                "lower": point.lower, "upper": point.upper, "score": round(point.score, 6),
                "fired": point.fired, "status": point.status,
            }  # fmt: skip
            typer.echo(json.dumps(line))
    except ValueError as error:
        raise CommandError(str(error), "one row is one window; give them all") from None


def _on_books(
    rule: str, folder: Path | None, days: int, tenant: str, picture: Path | None, *, as_json: bool
) -> None:
    from outlay.catalog import load
    from outlay.local import stores
    from outlay.reports.plots import draw
    from outlay.watching import last_days, pictured, row_of, saved, tenants_of, try_rules
    from outlay_kit.clock import SystemClock
    from outlay_kit.warehouse import Warehouse
    from outlay_reports.money import dollars
    from outlay_reports.plots import svg
    from outlay_schemas.money import to_usd

    catalog = load(folder) if folder else read_published()
    if rule not in {item.id for item in (*catalog.budgets, *catalog.rules)}:
        known = ", ".join(item.id for item in (*catalog.budgets, *catalog.rules))
        raise CommandError(f"{rule} is no rule and no budget of the catalog", f"take one of: {known}")
    span, warehouse = last_days(SystemClock().now(), days), Warehouse(stores()[1])
    with working(f"trying {rule} on the last {days} days"):
        tried = try_rules(warehouse, catalog, [rule], [tenant] if tenant else tenants_of(warehouse), span)
    warehouse.close()
    rows = [row_of(one.tenant, fired) for one in tried for fired in one.found.fired]
    whole = sum(saved(one.found.fired) for one in tried)
    question, found = pictured(tried, span)
    title = f"{rule}: fires {len(rows)} times in {days} days"
    if picture is not None:
        picture.write_text(svg(title, question, found), "utf-8")
        err.print(f"drawn: {picture}", style="dim", markup=False)
    if as_json:
        print_json({"rule": rule, "days": days, "fired": rows, "saved_usd": to_usd(whole)})
        return
    draw(question, found, out)
    show(False, rows, title, f"{rule} would not have fired in the last {days} days")
    left = sum(one.found.scopes - one.found.tried for one in tried)
    if left:
        out.print(f"{left:,} scopes that cost less were not tried", style="dim")
    if rows:
        out.print(f"stopping what was beyond at each would have saved {dollars(whole)} at most")


def _rule(name: str, folder: Path | None) -> "Watch":
    from outlay.catalog import load, load_default
    from outlay_alerter.adapters.watchlist import Watchlist
    from outlay_alerter.domain.watches import Anomaly, Budget, SpendSpike, Threshold
    from outlay_schemas.catalog import watch

    catalog = load(folder) if folder else load_default()
    known = {item.id for item in (*catalog.budgets, *catalog.rules)}
    defaults: dict[str, AlertRule] = {
        "anomaly": watch.Anomaly(id="anomaly", name="Anomaly", min_usd=Decimal(0)),
        "spend_spike": watch.SpendSpike(id="spend_spike", name="Spend spike", min_usd=Decimal(0)),
    }
    if name not in known and name in defaults:
        catalog = catalog.model_copy(update={"rules": (defaults[name],)})
    tenants = [b.tenant for b in (*catalog.budgets, *catalog.rules) if b.id == name and b.tenant != "*"]
    found = Watchlist(catalog).watches(tenants[0] if tenants else "").get(name)
    if isinstance(found, Anomaly | SpendSpike | Threshold | Budget):
        return found
    raise CommandError(
        f"{name} is not a rule that can be tried on a series",
        f"take one of: {', '.join(sorted(known))}, anomaly, spend_spike",
    )


def _rows(file: Path) -> Iterator[tuple[str, datetime, float | None]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            names = {name.strip().lower(): name for name in reader.fieldnames or ()}
            if not {"timestamp", "value"} <= set(names):
                raise CommandError(
                    f"{file} has no columns timestamp and value", "its first line names the columns"
                )
            before: datetime | None = None
            for row in reader:
                text = (row[names["timestamp"]] or "").strip()
                try:
                    at, value = _instant(text), _number(row[names["value"]] or "")
                    if before is not None and at <= before:
                        raise ValueError(f"{text} {'is there twice' if at == before else 'is out of order'}")
                except ValueError as error:
                    raise CommandError(
                        f"{file}, line {reader.line_num}: {error}",
                        "timestamps are ISO 8601 or Unix seconds, each later than the one before;"
                        " values finite numbers; empty is missing",
                    ) from None
                before = at
                yield text, at, value
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
