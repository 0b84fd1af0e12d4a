"""Commands about months that are closed: what was charged back stays, and what changes later is an amendment."""

from typing import Annotated

import typer

from outlay.cli.chargeback import chargeback
from outlay.cli.common import AsJson, friendly_errors, show
from outlay.cli.report_options import Tz

app = typer.Typer(name="periods", help="Months and their close.", no_args_is_help=True)
Tenant = Annotated[str | None, typer.Option(envvar="OUTLAY_TENANT", help="Whose costs; needed if several.")]


@app.command()
def close(
    month: Annotated[str, typer.Argument(metavar="YYYY-MM", help="The month to close.")],
    *,
    tz: Tz = "UTC",
    tenant: Tenant = None,
    note: Annotated[str, typer.Option(help="Kept with the closing.")] = "",
    as_json: AsJson = False,
) -> None:
    """Close a month: keep its statements as they are told now.

    What arrives or is priced later changes the ledger, not the statements: it is shown as amendments. Closing the month
    again takes the amendments in, as a closing of its own. The same as `outlay report chargeback --close`.

    Examples:

      outlay periods close 2026-10 --tz Europe/Berlin --note "agreed with finance"
    """
    chargeback(month=month, tz=tz, tenant=tenant, close=True, note=note, as_json=as_json)


@app.command("list")
@friendly_errors
def list_(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """List the closings of months."""
    from outlay.local import stores
    from outlay_kit.clickhouse import ClickHouseClient

    clickhouse = ClickHouseClient(stores()[1])
    try:
        rows = clickhouse.rows(
            "SELECT tenant, period AS month, zone, seq, toString(total) AS usd, unpriced_events AS unpriced,"
            " toString(closed_at) AS closed, closed_by AS by, note FROM closed_periods FINAL"
            " WHERE {tenant:String} IN ('', tenant) ORDER BY tenant, period, zone, seq",
            {"tenant": tenant or ""},
        )
    finally:
        clickhouse.close()
    show(as_json, rows, "closed months", "no month was closed yet")
