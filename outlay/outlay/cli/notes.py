"""The command that puts a note on the console's charts."""

from typing import Annotated
from uuid import uuid4

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

_LONGEST = 500


def note(
    text: Annotated[str, Argument(help="What happened, in one line.")],
    at: Annotated[str | None, Option(metavar="TIME", help="When. Default: now.")] = None,
    tenant: OneTenant = None,
) -> None:
    """Mark a moment on the charts of the console: a launch, a new model, other prices.

    Examples:

        outlay note "support chat moved to gpt-5-mini"
        outlay note "launch in Europe" --at 2026-11-24T09:00:00Z --tenant acme
    """
    if not text.strip() or len(text) > _LONGEST or not text.isprintable():
        raise CommandError("a note is one line of text", f"write at most {_LONGEST} characters")
    now = SystemClock().now()
    moment, name, who = read_moment(at) if at else now, uuid4().hex, actor()
    with open_clickhouse(tenant or "", write=True) as clickhouse:
        whose = one_tenant(CostReader(clickhouse), tenant)
        store_action(clickhouse, "notes.write", name, tenant=whose, at=moment.isoformat(), text=text)
        row = {"tenant": whose, "id": name, "at": moment, "text": text, "author": who, "author_name": who}
        clickhouse.insert_json_lines("notes", msgspec.json.encode({**row, "written_at": now}))
    line(f"noted at {moment:%Y-%m-%d %H:%M} UTC for {whose}")
