"""Commands of the watch: what fires, who has it in hand, and when a rule would have fired."""

import csv
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.common import AsJson, CommandError, out, show, told

if TYPE_CHECKING:
    from outlay_alerter.domain.watches import Anomaly, SpendSpike
    from outlay_kit.warehouse import Warehouse

app = typer.Typer(name="alerts", no_args_is_help=True, help="The watch: what fires, and what would have.")


@app.command("list")
@told
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the alerts that fire, the newest first."""
    from outlay_kit.clock import SystemClock
    from outlay_schemas.alerts import alert_decoder

    with _warehouse() as warehouse:
        rows = warehouse.rows(
            "SELECT body FROM alerts FINAL WHERE {all:Bool} OR state != 'resolved'"
            " ORDER BY written_at DESC LIMIT 1000",
            {"all": everything},
        )
    now = f"{SystemClock().now():%Y-%m-%d %H:%M} UTC"
    alerts = [alert_decoder.decode(row["body"]) for row in rows]
    alerts = [
        a for a in alerts if everything or a.facts.get("until", now) >= now
    ]  # not of a period that is over
    shown: list[dict[str, object]] = [
        {
            "since": f"{a.at:%Y-%m-%d %H:%M:%S}",
            "state": a.state,
            "severity": a.severity,
            "title": a.title,
            "id": a.id,
        }
        for a in alerts
    ]
    show(as_json, shown, "Alerts (UTC)", "nothing fires")


@app.command()
@told
def ack(
    alert: Annotated[str, typer.Argument(help="Id of an alert, or how it begins.")],
    note: Annotated[str, typer.Option(help="What is known; told with it.")] = "",
) -> None:
    """Say that you have an alert in hand: it is not told again, until it is over.

    Example:

      outlay alerts ack 5f0c7a1b
    """
    from outlay_alerter.adapters.store import Store
    from outlay_kit.clock import SystemClock

    with _warehouse(write=True) as warehouse:
        found = Store(warehouse).acknowledge(alert, note, SystemClock().now())
    if found is None:
        raise CommandError(
            f"no alert, or more than one, fires whose id begins with {alert}", "see: outlay alerts list"
        )
    out.print(f"in hand: {found.title}", markup=False)


@app.command()
@told
def snooze(
    target: Annotated[str, typer.Argument(help="Id of an alert, of a rule, or of a budget.")],
    hours: Annotated[float, typer.Option(min=0, max=8760, help="For how long; 0 wakes it.")] = 8,
    tenant: Annotated[str, typer.Option(help="Whose; default: of every tenant that has alerts.")] = "",
    note: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Leave an alert, or all of a rule, alone for a time. What still fires then is told again.

    Example:

      outlay alerts snooze 5f0c7a1b --hours 4
    """
    from outlay_alerter.adapters.store import Store
    from outlay_kit.clock import SystemClock

    now = SystemClock().now()
    until = now + timedelta(hours=hours)
    with _warehouse(write=True) as warehouse:
        rows = warehouse.rows("SELECT DISTINCT tenant FROM alerts")
        tenants = [tenant] if tenant else [row["tenant"] for row in rows]
        for name in tenants:
            Store(warehouse).snooze(name, target, until=until, note=note, at=now)
    out.print(
        f"{target} is left alone until {until:%Y-%m-%d %H:%M} UTC ({len(tenants)} tenants)", markup=False
    )


@app.command("test")
@told
def send_sample(
    channel: Annotated[
        str, typer.Option(help="Only this one: webhook, slack, pagerduty, alertmanager.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Send a sample to the channels that the environment names (OUTLAY_ALERTER_..., as the alerter's).

    Example:

      OUTLAY_ALERTER_WEBHOOK_URL=https://example.com/hook outlay alerts test
    """
    from outlay_alerter.channels import remote
    from outlay_alerter.sample import sample
    from outlay_alerter.settings import Settings
    from outlay_kit.clock import SystemClock
    from outlay_kit.settings import load

    clock = SystemClock()
    found = [c for c in remote(load(Settings), clock) if channel in ("", c.name)]
    if not found:
        raise CommandError(
            "no channel is named by the environment",
            "set OUTLAY_ALERTER_WEBHOOK_URL or OUTLAY_ALERTER_SLACK_URL",
        )
    rows = []
    for one in found:
        answer = one.send(sample(clock.now()))
        rows.append(
            {"channel": one.name, "outcome": answer.outcome, "status": answer.status, "reason": answer.reason}
        )
    show(as_json, rows, "Sample sent", "")
    if any(row["outcome"] != "sent" for row in rows):
        raise typer.Exit(1)


@contextmanager
def _warehouse(*, write: bool = False) -> "Iterator[Warehouse]":
    from outlay.local import stores
    from outlay_kit.warehouse import Warehouse

    warehouse = Warehouse(stores(write)[1])
    try:
        yield warehouse
    finally:
        warehouse.close()


@app.command()
@told
def backtest(
    rule: Annotated[
        str,
        typer.Option(help="Id of a rule in the catalog, or a type with its defaults: anomaly, spend_spike."),
    ],
    series: Annotated[Path, typer.Option(help="CSV with the columns timestamp and value.")],
    catalog: Annotated[
        Path | None, typer.Option(help="Catalog folder; default: the one that comes along.")
    ] = None,
) -> None:
    """Tell when a rule would have fired on a series: NDJSON, one line a row.

    Each line has timestamp, value, expected, lower, upper, score (0 to 1; 0.5 is the limit), fired and status.
    The step of the series is its own; empty values are missing ones.

    Example:

      outlay alerts backtest --rule anomaly --series spend.csv | jq -c 'select(.fired)'
    """
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


def _rule(name: str, folder: Path | None) -> "Anomaly | SpendSpike":
    from outlay.catalog import load, load_default
    from outlay_alerter.adapters.watchlist import anomaly_of, spike_of
    from outlay_schemas.catalog import watch

    rules = (load(folder) if folder else load_default()).rules
    found = next((rule for rule in rules if rule.id == name), None)
    if found is None and name == "anomaly":
        found = watch.Anomaly(id=name, name="Anomaly", min_usd=Decimal(0))
    if found is None and name == "spend_spike":
        found = watch.SpendSpike(id=name, name="Spend spike", min_usd=Decimal(0))
    if isinstance(found, watch.Anomaly):
        return anomaly_of(found, "")
    if isinstance(found, watch.SpendSpike):
        return spike_of(found, "")
    known = ", ".join(rule.id for rule in rules)
    raise CommandError(
        f"{name} is not a rule that can be tried on a series", f"take one of: {known}, anomaly, spend_spike"
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
