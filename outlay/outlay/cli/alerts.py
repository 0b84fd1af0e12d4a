"""Commands about alerts, budgets and channels: what fires now, what people do with it, and who is notified."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from outlay.cli import backtest
from outlay.cli.actor import actor
from outlay.cli.help import App
from outlay.cli.options import AsJson, OtherCatalog, Tenant, Tz, a_line
from outlay.cli.output import CommandError, line, note, print_json, print_report, print_rows, unknown
from outlay.cli.report_query import budget_plans
from outlay.cli.stores import open_clickhouse, open_costs, published_or_none, read_folder
from outlay.embedded.errors import NotRunningError
from outlay_alerter.alerts.store import Store
from outlay_alerter.notify.channel import Channel
from outlay_alerter.notify.channel_registry import of_catalog, remote
from outlay_alerter.notify.configured_channel import ConfiguredChannel
from outlay_alerter.notify.outbox import Outbox
from outlay_alerter.notify.sample import alert as sample
from outlay_alerter.notify.sample import posted
from outlay_alerter.settings import Settings
from outlay_alerter.slack_actions.buttons import setup_hint
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_kit.settings import load
from outlay_reports.adapters.alert_actions import store_alert_actions
from outlay_reports.adapters.forecast_cache import ForecastCache
from outlay_reports.alert_list import MOST, AlertList, alert_statement
from outlay_reports.forecast.summary import budget_table
from outlay_reports.incidents import Incident
from outlay_reports.money import counted
from outlay_reports.periods import parse_zone
from outlay_schemas.alerts import ActionKind, Alert, AlertAction

app = App("alerts", "List, acknowledge and test alerts.")
app.command("backtest")(backtest.backtest)

_ADD = "add it to channels.yaml (docs/notifications.md), or set OUTLAY_ALERTER_SLACK_URL"
_LISTED = alert_statement(
    "{all:Bool} OR state != 'resolved' OR ended_reason = 'expected'",
    "({tenant:String} = '' OR tenant = {tenant:String})",
)
AlertId = Annotated[str, Argument(metavar="ALERT", help="Id of an alert, or its first characters.")]
Note = Annotated[str, Option(callback=a_line, help="A comment, included in notifications.")]


def budgets(tenant: Tenant = "", tz: Tz = "UTC", as_json: AsJson = False) -> None:
    """Show each budget: what is spent, the forecast, and when it runs out.

    Computed now, from the same spending and forecast as the console and the alerts. Programs can ask before they spend,
    over HTTP: see docs/rules.md.

    Examples:

        outlay budgets
    """
    with open_costs(tenant) as costs:
        plans = budget_plans(costs, (tenant,) if tenant else ())
        states = ForecastCache().states(costs, plans, SystemClock().now())
    if as_json:
        print_json(states)
    elif plans:
        print_report(budget_table(plans, states, parse_zone(tz)))
    else:
        line("no budgets yet; write one in budgets.yaml of the catalog")


@app.command("list")
def list_alerts(
    everything: Annotated[bool, Option("--all", help="Also resolved alerts.")] = False,
    tenant: Tenant = "",
    limit: Annotated[int, Option(min=1, max=100_000, help="At most this many alerts.")] = MOST,
    as_json: AsJson = False,
) -> None:
    """Show the alerts that are firing, the most severe first, then the newest: one line for each incident.

    A title has the figures of its newest message. What is spent of a budget now: outlay budgets.
    --json has every alert: `as_of` is the time of its figures and contributors; `incident` is as it is now.
    """
    with open_clickhouse(tenant) as clickhouse:
        bound = {"tenant": tenant, "all": everything, "limit": limit}
        listed = AlertList.of(clickhouse.rows(_LISTED, bound))
    if listed.left_out:
        note(f"{listed.left_out} For more: --limit {listed.stored}")
    shown = listed if everything else listed.current(SystemClock().now())
    if as_json:
        print_json(shown.rows)
        return
    print_rows(
        False, [_row(incident, everything) for incident in shown.incidents], "Alerts", "no alerts are firing"
    )


def _row(incident: Incident, everything: bool) -> dict[str, object]:
    main, ended = incident.main, incident.text.ended_at
    return {
        "since (UTC)": f"{incident.started_at:%Y-%m-%d %H:%M:%S}",
        "figures of (UTC)": f"{main.figures_at:%Y-%m-%d %H:%M:%S}",
        **({"ended (UTC)": f"{ended:%Y-%m-%d %H:%M:%S}" if ended else ""} if everything else {}),
        "state": f"{incident.state} (backfill)" if main.backfill else incident.state,
        "severity": main.severity,
        "tenant": main.tenant,
        "title": incident.heading,
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
        matching = store.listed(start).incidents
        if not matching:
            ids = [alert.id for alert, _ in store.stated("")]
            error = unknown("alert", start, ids, "list the open alerts: outlay alerts list")
            raise CommandError(f'no open alert starts with "{start}"', error.hint)
        if len(matching) > 1:
            raise _ambiguous(len(matching), start)
        alert, state = matching[0].main, matching[0].state
        if state == action and length is None:
            raise CommandError(f"the alert is {state} already", "see: outlay alerts list")
        until = now + length if length is not None else None
        taken = AlertAction(alert.tenant, alert.incident_id, action, now, until, note, actor())
        store_alert_actions(clickhouse, [taken])
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
    now, user = SystemClock().now(), actor()
    until = now + timedelta(hours=hours)
    with open_clickhouse(tenant, write=True) as clickhouse:
        name = _target(clickhouse, target)
        alerted = (row["tenant"] for row in clickhouse.rows("SELECT DISTINCT tenant FROM alerts"))
        chosen = [tenant] if tenant else list(alerted)
        actions = [AlertAction(each, name, "snoozed", now, until, note, user) for each in chosen]
        store_alert_actions(clickhouse, actions)
    line(f"{name}: snoozed until {until:%Y-%m-%d %H:%M} UTC, for {counted(len(chosen), 'tenant')}")


def _target(clickhouse: ClickHouseClient, target: str) -> str:
    catalog = published_or_none()
    rules = {item.id for item in (*catalog.budgets, *catalog.rules)} if catalog else set()
    rules |= {row["rule"] for row in clickhouse.rows("SELECT DISTINCT rule FROM alerts")}
    if target in rules:
        return target
    alerts = {alert.id: alert.incident_id for alert, _ in Store(clickhouse).stated("")}
    found = list({incident for name, incident in alerts.items() if name.startswith(target)})
    if len(found) > 1:
        raise _ambiguous(len(found), target)
    if not found:
        known = sorted(rules | alerts.keys())
        raise unknown("alert, rule or budget", target, known, "see: outlay alerts list")
    return found[0]


def _ambiguous(count: int, start: str) -> CommandError:
    return CommandError(f'{count} alerts match "{start}"', "give more of the id: outlay alerts list")


@app.command("test")
def send_sample(
    channel: Annotated[str, Argument(metavar="CHANNEL", help="Only this one. Default: all.")] = "",
    name: Annotated[str, Option("--channel", hidden=True)] = "",
    catalog: OtherCatalog = None,
    as_json: AsJson = False,
) -> None:
    """Send a sample alert to the channels of the catalog and of the environment (OUTLAY_ALERTER_...).

    Secrets are read from this command's environment, as the alerter reads them from its own. The exit status is 1 if a
    channel failed. The buttons of a sample in Slack answer, too.

    Examples:

        outlay alerts test oncall
        OUTLAY_CHANNEL_OPS=https://hooks.slack.com/... outlay alerts test ops --catalog ./catalog
    """
    wanted = channel or name
    found = [find_channel(wanted, catalog)] if wanted else list(_channels(catalog).values())
    if not found:
        raise CommandError("neither the catalog nor the environment has a channel", _ADD)
    answers = [(one.name, one.send(posted(sample(SystemClock().now())))) for one in found]
    failed = [name for name, answer in answers if answer.outcome != "sent"]
    shown = [{"channel": n, "outcome": a.outcome, "status": a.status, "reason": a.reason} for n, a in answers]
    if as_json:
        print_json(shown)
    else:
        for one, answer in answers:
            code = f"HTTP {answer.status}, " if answer.status else ""
            line(f"{one}: " + ("sent" if answer.outcome == "sent" else f"failed: {code}{answer.reason}"))
        text = f"Test failed: {len(failed)} of {len(answers)} channels" if failed else "Test passed"
        line(text, "bold red" if failed else "green")
        if any(isinstance(one, ConfiguredChannel) and one.spec.type == "slack_bot" for one in found):
            note(setup_hint(load(Settings)))
    if failed:
        raise typer.Exit(1)


def _channels(folder: Path | None) -> dict[str, Channel]:
    """Return the channels of the environment and of a catalog (default: the one in force, if any), by name."""
    settings, clock = load(Settings), SystemClock()
    try:
        catalog = read_folder(folder) if folder else published_or_none()
    except NotRunningError:  # then those of the environment alone
        catalog = None
    specs = catalog.channels if catalog else ()
    own = {spec.id: of_catalog(spec, settings, clock) for spec in specs}
    return own | {one.name: one for one in remote(settings, clock) if one.name not in own}


def find_channel(name: str, folder: Path | None = None) -> Channel:
    """Return a channel by its name. Raises CommandError."""
    known = _channels(folder)
    if name not in known:
        raise unknown("channel", name, known, _ADD)
    return known[name]


@app.command()
def deliveries(
    channel: Annotated[str, Option(help="Only this channel.")] = "",
    hours: Annotated[float, Option(min=0, max=2160, help="Hours to look back.")] = 24,
    dead: Annotated[bool, Option("--dead", help="Only messages that failed for good.")] = False,
    waiting: Annotated[bool, Option("--waiting", help="Only messages that are still waiting.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show each attempt to deliver a notification, the newest first; or messages that failed or are still waiting.

    Examples:

        outlay alerts deliveries --channel oncall
        outlay alerts deliveries --dead
    """
    since = SystemClock().now() - timedelta(hours=hours)
    with open_clickhouse() as clickhouse:
        log = Outbox(clickhouse)
        if dead or waiting:
            rows = log.messages("failed" if dead else "waiting", channel, since)
        else:
            rows = log.attempts(channel, since)
    title = "Failed messages" if dead else "Waiting messages" if waiting else "Deliveries"
    print_rows(as_json, rows if as_json else [_short(row) for row in rows], f"{title} (UTC)", "no messages")


def _short(row: Mapping[str, object]) -> dict[str, object]:
    return {
        name: str(value)[:19] if name in ("at", "decided", "due") else value
        for name, value in row.items()
        if name not in ("tenant", "message", "took_ms")
    }
