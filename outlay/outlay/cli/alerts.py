"""Commands of the watch: what fires, and who has it in hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli import backtest, channels
from outlay.cli.common import AsJson, CommandError, friendly_errors, out, show

if TYPE_CHECKING:
    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_schemas.alerts import ActionKind, Alert

app = typer.Typer(name="alerts", no_args_is_help=True, help="The watch: what fires, and what would have.")
app.command("backtest")(backtest.backtest)
app.command("test")(channels.send_sample)
app.command()(channels.deliveries)


@app.command("list")
@friendly_errors
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the alerts that fire, the newest first."""
    from outlay_kit.clock import SystemClock
    from outlay_schemas.alerts import alert_decoder

    with _clickhouse() as clickhouse:
        rows = clickhouse.rows(
            "SELECT body, if(ended_reason = '', state, ended_reason) AS stands FROM alerts FINAL"
            " WHERE {all:Bool} OR state != 'resolved' OR ended_reason = 'expected'"
            " ORDER BY written_at DESC LIMIT 1000",
            {"all": everything},
        )
    now = f"{SystemClock().now():%Y-%m-%d %H:%M} UTC"
    alerts = [(alert_decoder.decode(row["body"]), row["stands"]) for row in rows]
    if not everything:  # of a period that is over only as such
        alerts = [(a, stands) for a, stands in alerts if a.facts.get("until", now) >= now]
    shown: list[dict[str, object]] = [
        {
            "since": f"{a.at:%Y-%m-%d %H:%M:%S}",
            "state": f"{stands} (backfill)" if a.backfill else stands,
            "severity": a.severity,
            "title": a.title,
            "id": a.id,
        }
        for a, stands in alerts
    ]
    show(as_json, shown, "Alerts (UTC)", "nothing fires")


Alert_ = Annotated[str, typer.Argument(metavar="ALERT", help="Id of an alert, or how it begins.")]


@app.command()
@friendly_errors
def ack(alert: Alert_, note: Annotated[str, typer.Option(help="What is known; told with it.")] = "") -> None:
    """Say that you have an alert in hand: it is not told again, until it is over.

    Example:

      outlay alerts ack 5f0c7a1b
    """
    found = _say(alert, "acknowledged", None, note)
    out.print(f"in hand: {found.title}", markup=False)


@app.command()
@friendly_errors
def mark_expected(
    alert: Alert_,
    note: Annotated[str, typer.Option(help="Why; told with it.")] = "",
    hours: Annotated[
        float | None,
        typer.Option(min=0, max=8760, help="For how long; 0 takes it back. Default: until it is over."),
    ] = None,
) -> None:
    """Say that what an alert tells is as it should be: it is over, and does not fire again for this.

    Anomaly rules learn from it what is usual, and are silent about what is like it at the same time of the day. With
    --hours all of the rule's alerts in that scope are expected for so long.

    Example:

      outlay alerts mark-expected 5f0c7a1b --note "the nightly batch"
    """
    until = None if hours is None else timedelta(hours=hours)
    found = _say(alert, "expected", until, note)
    how = "taken back" if hours == 0 else "expected"
    out.print(f"{how}: {found.title}", markup=False)


def _say(start: str, say: "ActionKind", length: timedelta | None, note: str) -> "Alert":
    """Say something of the one alert whose id begins with `start`, and return it."""
    import getpass

    from outlay_alerter.alerts.store import Store
    from outlay_kit.clock import SystemClock
    from outlay_schemas.alerts import AlertAction

    now = SystemClock().now()
    with _clickhouse(write=True) as clickhouse:
        store = Store(clickhouse)
        found = store.stated(start)
        if len(found) != 1:
            raise CommandError(
                f"no alert, or more than one, fires whose id begins with {start}", "see: outlay alerts list"
            )
        alert, state = found[0]
        if state == say and length is None:
            raise CommandError(f"the alert is {say} already", "see: outlay alerts list")
        until = now + length if length is not None else None
        store.say([AlertAction(alert.tenant, alert.id, say, now, until, note, getpass.getuser())])
    return alert


@app.command()
@friendly_errors
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
    import getpass

    from outlay_alerter.alerts.store import Store
    from outlay_kit.clock import SystemClock
    from outlay_schemas.alerts import AlertAction

    now = SystemClock().now()
    until = now + timedelta(hours=hours)
    with _clickhouse(write=True) as clickhouse:
        store = Store(clickhouse)
        rows = clickhouse.rows("SELECT DISTINCT tenant FROM alerts")
        tenants = [tenant] if tenant else [row["tenant"] for row in rows]
        whole = {alert.id for alert, _ in store.stated(target)} if len(target) >= 6 else set()
        name = whole.pop() if len(whole) == 1 else target
        store.say([AlertAction(t, name, "snoozed", now, until, note, getpass.getuser()) for t in tenants])
    out.print(
        f"{target} is left alone until {until:%Y-%m-%d %H:%M} UTC ({len(tenants)} tenants)", markup=False
    )


@contextmanager
def _clickhouse(*, write: bool = False) -> "Iterator[ClickHouseClient]":
    from outlay.local import stores
    from outlay_kit.clickhouse import ClickHouseClient

    clickhouse = ClickHouseClient(stores(write)[1])
    try:
        yield clickhouse
    finally:
        clickhouse.close()
