"""The command that shows who did what, and what other commands write for it."""

from typing import Annotated

from typer import Option

from outlay.cli.actor import actor as who
from outlay.cli.options import AsJson
from outlay.cli.output import print_rows
from outlay.cli.stores import open_clickhouse
from outlay_kit.audit import Entry
from outlay_kit.audit_store import store_entries
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_reports.adapters.audit_trail import AUDIT_TRAIL, FAR, audit_row


def audit_log(
    *,
    tenant: Annotated[str, Option(help="Only what concerns this tenant. Default: everything.")] = "",
    actor: Annotated[str, Option(help="Only actors whose name contains this.")] = "",
    action: Annotated[str, Option(help="Only actions that begin with this, such as keys. or alerts.")] = "",
    limit: Annotated[int, Option(min=1, max=100_000, help="Most entries.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show who did what, and when, newest first: logins, alerts, opportunities, keys, catalogs.

    The console stores the entries of its audit file within seconds, and those about keys if they are in the same file.
    For keys that were created on another machine, run `outlay keys audit` there.

    Examples:

        outlay audit-log
        outlay audit-log --tenant acme --action alerts. --json
    """
    bound = {"tenant": tenant, "actor": actor, "action": action, "before": FAR, "limit": limit}
    with open_clickhouse() as clickhouse:
        found = [audit_row(row) for row in clickhouse.rows(AUDIT_TRAIL, bound)]
    rows = [
        {"at": f"{one.at:%Y-%m-%d %H:%M:%S}", "tenant": one.tenant, "actor": one.actor, "action": one.action}
        | {"subject": one.subject, "details": one.details}
        for one in found
    ]
    print_rows(as_json, rows, "", "no entries yet")


def store_action(clickhouse: ClickHouseClient, action: str, subject: str, /, **details: object) -> None:
    """Write what the user of this command does to the audit log. Raises Retryable."""
    entry = Entry(SystemClock().now(), who(), action, subject, details, "")
    store_entries(clickhouse, [entry])
