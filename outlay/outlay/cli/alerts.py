"""Commands about alerts and budgets: what fires now, and what people do with it."""

import getpass
from datetime import timedelta
from typing import Annotated

import msgspec
from typer import Argument, Option

from outlay.cli import backtest, channels
from outlay.cli.errors import CommandError, unknown
from outlay.cli.help import App
from outlay.cli.options import AsJson, Tenant
from outlay.cli.output import line, print_json, print_rows
from outlay.cli.report_query import budget_plans, require_tenants, write_report
from outlay.cli.stores import open_clickhouse, published_or_none
from outlay_alerter.alerts.store import Store
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.adapters.forecast_cache import ForecastCache
from outlay_reports.forecast.summary import budget_table
from outlay_reports.incidents import Incident, incidents
from outlay_reports.money import counted
from outlay_schemas.alerts import ActionKind, Alert, AlertAction, alert_decoder

app = App("alerts", "List, acknowledge and test alerts.")
app.command("backtest")(backtest.backtest)
app.command("test")(channels.send_sample)
app.command()(channels.deliveries)

AlertId = Annotated[str, Argument(metavar="ALERT", help="Id of an alert, or its first characters.")]
Note = Annotated[str, Option(help="A comment, included in notifications.")]


def budgets(tenant: Tenant = "", as_json: AsJson = False) -> None:
    """Show each budget: what is spent, the forecast, and when it runs out.

    Computed now, from the same spending and forecast as the console and the alerts. Programs can ask before they spend,
    over HTTP: see docs/rules.md.

    Examples:

        outlay budgets
    """
    with open_clickhouse() as clickhouse:
        costs = CostReader(clickhouse)
        require_tenants(costs, (tenant,))
        plans = budget_plans(costs, (tenant,) if tenant else ())
        states = ForecastCache().states(costs, plans, SystemClock().now())
    if as_json:
        print_json(msgspec.to_builtins(states))
    elif plans:
        write_report(budget_table(plans, states))
    else:
        line("no budgets yet; write one in budgets.yaml of the catalog")


@app.command("list")
def list_alerts(
    everything: Annotated[bool, Option("--all", help="Also resolved alerts.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the alerts that are firing, the newest first: one line for each incident. --json has every alert."""
    with open_clickhouse() as clickhouse:
        rows = clickhouse.rows(
            "SELECT body, if(ended_reason = '', state, ended_reason) AS stands FROM alerts FINAL"
            " WHERE {all:Bool} OR state != 'resolved' OR ended_reason = 'expected'"
            " ORDER BY written_at DESC LIMIT 1000",
            {"all": everything},
        )
    now = f"{SystemClock().now():%Y-%m-%d %H:%M} UTC"
    alerts = [(alert_decoder.decode(row["body"]), row["stands"]) for row in rows]
    if not everything:  # without those of a period that has ended
        alerts = [(alert, state) for alert, state in alerts if alert.facts.get("until", now) >= now]
    if as_json:
        print_json([{**msgspec.to_builtins(alert), "state": state} for alert, state in alerts])
        return
    print_rows(False, [_row(incident) for incident in incidents(alerts)], "Alerts", "no alerts are firing")


def _row(incident: Incident) -> dict[str, object]:
    main, count = incident.main, len(incident.alerts)
    return {
        "since (UTC)": f"{incident.text.started_at or main.at:%Y-%m-%d %H:%M:%S}",
        "state": f"{incident.state} (backfill)" if main.backfill else incident.state,
        "severity": main.severity,
        "tenant": main.tenant,
        "title": main.title if count == 1 else f"{main.title} ({count} alerts)",
        "id": incident.id,
    }


@app.command()
def ack(alert: AlertId, note: Note = "") -> None:
    """Acknowledge an alert: no more notifications until it resolves.

    Examples:

        outlay alerts ack 5f0c7a1b
    """
    line(f"acknowledged: {_act(alert, 'acknowledged', None, note).title}")


@app.command()
def mark_expected(
    alert: AlertId,
    note: Note = "",
    hours: Annotated[
        float | None, Option(min=0, max=8760, help="Duration; 0 undoes it. Default: until it resolves.")
    ] = None,
) -> None:
    """Mark an alert as expected: close it, and teach anomaly rules that this is normal at this time of day.

    With --hours, all alerts of its rule in its scope are expected for that time.

    Examples:

        outlay alerts mark-expected 5f0c7a1b --note "the nightly batch"
    """
    found = _act(alert, "expected", None if hours is None else timedelta(hours=hours), note)
    line(f"{'no longer expected' if hours == 0 else 'expected'}: {found.title}")


def _act(start: str, action: ActionKind, length: timedelta | None, note: str) -> Alert:
    """Store an action on the incident of the open alert whose id begins with `start`, and return the alert."""
    now = SystemClock().now()
    with open_clickhouse(write=True) as clickhouse:
        store = Store(clickhouse)
        found = store.stated(start)
        if not found:
            ids = [alert.id for alert, _ in store.stated("")]
            error = unknown("alert", start, ids, "list the open alerts: outlay alerts list")
            raise CommandError(f'no open alert starts with "{start}"', error.hint)
        matching = incidents(found)
        if len(matching) > 1:
            raise CommandError(
                f'{len(matching)} alerts match "{start}"', "give more of the id: outlay alerts list"
            )
        alert, state = matching[0].main, matching[0].state
        if state == action and length is None:
            raise CommandError(f"the alert is {state} already", "see: outlay alerts list")
        until = now + length if length is not None else None
        store.say([AlertAction(alert.tenant, alert.incident_id, action, now, until, note, getpass.getuser())])
    return alert


@app.command()
def snooze(
    target: Annotated[str, Argument(help="Id of an alert, a rule or a budget.")],
    hours: Annotated[float, Option(min=0, max=8760, help="For how long; 0 ends the snooze.")] = 8,
    tenant: Annotated[str, Option(help="Tenant. Default: every tenant that has alerts.")] = "",
    note: Note = "",
) -> None:
    """Snooze an alert or a whole rule. You are notified again if it is still firing.

    Examples:

        outlay alerts snooze 5f0c7a1b --hours 4
    """
    now = SystemClock().now()
    until = now + timedelta(hours=hours)
    with open_clickhouse(write=True) as clickhouse:
        require_tenants(CostReader(clickhouse), (tenant,))
        name = _target(clickhouse, target)
        alerted = (row["tenant"] for row in clickhouse.rows("SELECT DISTINCT tenant FROM alerts"))
        chosen = [tenant] if tenant else list(alerted)
        Store(clickhouse).say(
            [AlertAction(t, name, "snoozed", now, until, note, getpass.getuser()) for t in chosen]
        )
    line(f"{name}: snoozed until {until:%Y-%m-%d %H:%M} UTC, for {counted(len(chosen), 'tenant')}")


def _target(clickhouse: ClickHouseClient, target: str) -> str:
    """Return the id of an open alert by its first characters, or a rule or budget. Raises CommandError."""
    catalog = published_or_none()
    rules = {item.id for item in (*catalog.budgets, *catalog.rules)} if catalog else set()
    rules |= {row["rule"] for row in clickhouse.rows("SELECT DISTINCT rule FROM alerts")}
    if target in rules:
        return target
    alerts = {alert.id: alert.incident_id for alert, _ in Store(clickhouse).stated("")}
    found = list({incident for name, incident in alerts.items() if name.startswith(target)})
    if len(found) > 1:
        raise CommandError(f'{len(found)} alerts match "{target}"', "give more of the id: outlay alerts list")
    if not found:
        raise unknown(
            "alert, rule or budget", target, sorted(rules | alerts.keys()), "see: outlay alerts list"
        )
    return found[0]
