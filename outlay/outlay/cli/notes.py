"""The command that puts a note on the console's charts."""

from typing import Annotated

import msgspec
from typer import Argument, Option

from outlay.cli.actor import actor
from outlay.cli.audit_log import store_action
from outlay.cli.chargeback import one_tenant
from outlay.cli.options import OneTenant, read_moment
from outlay.cli.output import CommandError, line
from outlay.cli.stores import open_clickhouse
from outlay_kit.clock import SystemClock
from outlay_reports.adapters.cost_reader import CostReader
from outlay_schemas.notes import new_note


def note(
    text: Annotated[str, Argument(help="What happened, in one line.")],
    at: Annotated[str | None, Option(metavar="TIME", help="When. Default: now.")] = None,
    tenant: OneTenant = None,
) -> None:
    """Mark a moment on the charts of the console: a launch, a new model, new prices.

    Examples:

        outlay note "support chat moved to gpt-5-mini"
        outlay note "launch in Europe" --at 2026-11-24T09:00:00Z --tenant acme
    """
    now, who = SystemClock().now(), actor()
    try:
        found = new_note(text, read_moment(at) if at else now, who, who)
    except ValueError as error:
        raise CommandError(str(error), 'such as: outlay note "new model in production"') from None
    with open_clickhouse(tenant or "", write=True) as clickhouse:
        whose = one_tenant(CostReader(clickhouse), tenant)
        about = {"at": found.at.isoformat(), "text": found.text}
        store_action(clickhouse, "notes.write", found.id, tenant=whose, **about)
        clickhouse.insert_json_lines("notes", msgspec.json.encode(found.row(whose, now)))
    line(f"noted at {found.at:%Y-%m-%d %H:%M} UTC for {whose}")
