"""The command that compares the ledger with a provider's bill."""

import decimal
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from outlay.cli.alerts import find_channel
from outlay.cli.options import Decimal
from outlay.cli.output import CommandError, note, unknown
from outlay.cli.report_query import Costs, Output, Scope, cost_query
from outlay.cli.stores import open_costs
from outlay.focus.bill_files import read_bill
from outlay_alerter.notify.sample import posted
from outlay_kit.clock import SystemClock
from outlay_kit.time_ranges import TimeRange, midnight, next_first
from outlay_reports.money import share
from outlay_reports.reconcile import ModelPair, drift_alert, drifting, reconcile_table
from outlay_reports.reconcile import reconcile as pair

_ROLES = ("day", "model", "cost", "currency")


def reconcile(
    *,
    bill: Annotated[Path, Argument(metavar="FILE", help="A FOCUS file, a provider's table, or a folder.")],
    tolerance: Annotated[float, Option(min=0, help="Accepted difference in percent.")] = 1.0,
    column: Annotated[
        list[str] | None, Option(metavar="ROLE=NAME", help="Roles: day, model, cost, currency.")
    ] = None,
    rate: Annotated[
        list[str] | None, Option(metavar="EUR=1.08", help="USD for one unit of a currency.")
    ] = None,
    decimal: Decimal = "point",
    every: Annotated[bool, Option("--all", help="Also show days without a difference.")] = False,
    scope: Scope,
    notify: Annotated[
        list[str] | None, Option(metavar="CHANNEL", help="Notify of a difference; repeat for more.")
    ] = None,
    to: Output,
) -> None:
    """Compare with a provider's bill: the difference by model and day, and usage that only one side has.

    Exit status 1 if the total or any model differs by more than the tolerance.

    Examples:

        outlay reconcile focus-november.parquet
        outlay reconcile openai-costs.csv --column model=line_item --tolerance 2
        outlay reconcile rechnung.csv --rate EUR=1.08 --tz Europe/Berlin
        outlay reconcile openai-costs.csv --notify finance
    """
    if not bill.exists():
        hint = "give a FOCUS file, a provider's CSV, or a folder of its parts"
        raise CommandError(f"{bill} is not a file or folder", hint)
    limit = Fraction(str(tolerance)) / 100
    with open_costs() as costs:
        query = cost_query(costs, Costs(scope=scope), "provider,sku", "day")
        lines, rows = read_bill(bill, query.zone, _rates(rate or []), _roles(column or []), decimal)
        if not any(one.cost for one in lines):
            hint = "check the file, or name the column: --column cost=NAME"
            raise CommandError(f"none of the {rows} rows of {bill} has a cost", hint)
        days = sorted({one.day for one in lines})
        span = TimeRange(midnight(days[0], query.zone), midnight(next_first(days[-1], "day"), query.zone))
        query = replace(query, span=span)
        edges = query.bounds
        ours = [
            (edges[cell.bucket].astimezone(query.zone).date(), cell.keys[0], cell.keys[1], cell.sums)
            for cell in costs.cells(query)
        ]
    models = pair(lines, ours)
    to.write(reconcile_table(models, limit, bill.name, every=every))
    billed = sum(model.billed for model in models)
    whole = share(billed - sum(model.ours.cost for model in models), billed)
    different = drifting(models, limit)
    if different or whole is None or abs(whole) > limit:
        if notify:
            notify_channels(bill.name, span, different or models, notify, query.tenants)
        raise typer.Exit(1)


def notify_channels(
    name: str, span: TimeRange, different: Sequence[ModelPair], channels: list[str], tenants: Sequence[str]
) -> None:
    """Send the difference to channels of the catalog. Raises CommandError for one that is unknown or fails."""
    found = [find_channel(channel) for channel in channels]
    tenant = tenants[0] if len(tenants) == 1 else ""
    alert = posted(drift_alert(name, span, different, tenant, SystemClock().now()))
    for channel in found:
        answer, hint = channel.send(alert), f"see: outlay alerts test {channel.name}"
        if answer.outcome != "sent":
            raise CommandError(f"{channel.name} was not notified: {answer.reason}", hint)
        note(f"notified: {channel.name}", "dim")


def _rates(texts: list[str]) -> dict[str, decimal.Decimal]:
    found = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            usd = decimal.Decimal(value)
            if not usd > 0:
                raise decimal.InvalidOperation
        except decimal.InvalidOperation:
            raise CommandError(f'"{text}" is not a valid rate', "give it as EUR=1.08") from None
        found[name.strip().upper()] = usd
    return found


def _roles(texts: list[str]) -> dict[str, str]:
    found = dict(text.partition("=")[::2] for text in texts)
    for name in found:
        if name not in _ROLES:
            raise unknown("role of a column", name, _ROLES)
    return found
