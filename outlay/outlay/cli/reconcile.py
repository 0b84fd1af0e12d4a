"""The command that holds the ledger against a bill."""

# ruff: noqa: PLR0917 (Typer makes an option of each parameter)

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.common import CommandError, DecimalMark, DecimalOption, err, friendly_errors
from outlay.cli.report_options import (
    AsJsonOption,
    Format,
    FormatOption,
    OutFile,
    Tenant,
    Tz,
    Where,
    reading,
    write_report,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from outlay_kit.time_ranges import TimeRange
    from outlay_reports.reconcile import ModelPair


@friendly_errors
def reconcile(
    bill: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A FOCUS file or a provider's table, or a folder of its parts."),
    ],
    tz: Tz = "UTC",
    tolerance: Annotated[
        float, typer.Option(min=0, help="Percent of the bill that the ledger may be off.")
    ] = 1.0,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE=NAME", help="Which column is day, model, cost or currency."),
    ] = None,
    rate: Annotated[
        list[str] | None, typer.Option(metavar="EUR=1.08", help="USD for one unit of the bill's currency.")
    ] = None,
    decimal: DecimalOption = DecimalMark.point,
    every: Annotated[bool, typer.Option("--all", help="Show every day, also where nothing differs.")] = False,
    where: Where = None,
    tenant: Tenant = None,
    notify: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHANNEL", help="Tell this channel of the catalog if it is off; repeat for more."
        ),
    ] = None,
    form: FormatOption = Format.table,
    as_json: AsJsonOption = False,
    file: OutFile = None,
) -> None:
    """Hold the ledger against a provider's bill: the difference by model and day, and what one side has alone.

    Exit status 1 if the whole, or any model, is off by more than the tolerance.

    Examples:

      outlay reconcile focus-november.parquet

      outlay reconcile openai-costs.csv --column model=line_item --tolerance 2

      outlay reconcile rechnung.csv --rate EUR=1.08 --tz Europe/Berlin

      outlay reconcile openai-costs.csv --notify finance
    """
    from fractions import Fraction

    from outlay.focus.bill_files import read_bill
    from outlay_kit.time_ranges import TimeRange, midnight, next_first
    from outlay_reports.cost_query import CostQuery, parse_conditions
    from outlay_reports.money import share
    from outlay_reports.periods import parse_zone
    from outlay_reports.reconcile import drifting, reconcile_table
    from outlay_reports.reconcile import reconcile as pair

    if not bill.exists():
        raise CommandError(
            f"{bill} is not a file or folder", "give a FOCUS file, a provider's CSV, or a folder of its parts"
        )
    limit = Fraction(str(tolerance)) / 100
    with reading() as books:
        zone = parse_zone(tz)
        lines, rows = read_bill(bill, zone, _rates(rate or []), _named(column or []), decimal.value)
        if not any(line.cost for line in lines):
            raise CommandError(
                f"none of the {rows} rows of {bill} has a cost", "is it the right file or column?"
            )
        days = sorted({line.day for line in lines})
        span = TimeRange(midnight(days[0], zone), midnight(next_first(days[-1], "day"), zone))
        question = CostQuery(
            span, zone, ("provider", "sku"), parse_conditions(where or []), tuple(tenant or ()), "day"
        )
        edges = question.bounds
        ours = [
            (edges[cell.bucket].astimezone(zone).date(), cell.keys[0], cell.keys[1], cell.sums)
            for cell in books.cells(question)
        ]
        models = pair(lines, ours)
        write_report(reconcile_table(models, limit, bill.name, every=every), form, as_json, file)
    billed = sum(model.billed for model in models)
    whole = share(billed - sum(model.ours.cost for model in models), billed)
    off = drifting(models, limit)
    if off or whole is None or abs(whole) > limit:
        if notify:
            tell(bill.name, span, off or models, notify, question.tenants)
        raise typer.Exit(1)


def tell(
    name: str, span: "TimeRange", off: "Sequence[ModelPair]", channels: list[str], tenants: "Sequence[str]"
) -> None:
    """Send the drift of a bill to channels of the catalog. Raises CommandError if one is not known, or not reached."""
    from outlay.cli.channels import all_channels
    from outlay_alerter.notify.sample import posted
    from outlay_kit.clock import SystemClock
    from outlay_reports.reconcile import drift_alert

    clock = SystemClock()
    known = {channel.name: channel for channel in all_channels(None, clock)}
    if unknown := [channel for channel in channels if channel not in known]:
        raise CommandError(
            f"there is no channel {', '.join(unknown)}", f"there are {', '.join(known) or 'none'}"
        )
    alert = drift_alert(name, span, off, tenants[0] if len(tenants) == 1 else "", clock.now())
    for channel in channels:
        answer = known[channel].send(posted(alert))
        if answer.outcome != "sent":
            raise CommandError(
                f"{channel} was not told: {answer.reason}", "see: outlay alerts test " + channel
            )
        err.print(f"told: {channel}", style="dim", markup=False)


def _rates(texts: list[str]) -> "dict[str, Decimal]":
    from decimal import Decimal, InvalidOperation

    found = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            found[name.strip().upper()] = Decimal(value)
            if not found[name.strip().upper()] > 0:
                raise InvalidOperation
        except InvalidOperation:
            raise CommandError(f"{text!r} is no rate", "give it as EUR=1.08") from None
    return found


def _named(texts: list[str]) -> dict[str, str]:
    found = dict(text.partition("=")[::2] for text in texts)
    wrong = set(found) - {"day", "model", "cost", "currency"}
    if wrong:
        raise CommandError(
            f"{', '.join(sorted(wrong))} is no role of a column", "use day, model, cost, currency"
        )
    return found
